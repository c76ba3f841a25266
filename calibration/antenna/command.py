"""`tagsight calibrate antenna`: what a quiet store says about its antennas."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from calibration.errors import CalibrationError
from calibration.which_reader import chosen_reader, reader_options

if TYPE_CHECKING:
    from calibration.store_plan import StorePlan
    from rfid_reader.antenna_calibration import AntennaCalibration
    from rfid_reader.reads import ReadTable
    from rfid_reader.settings import ReaderSettings


@click.command()
@click.argument("still_reads", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The calibration file to write.")
@reader_options
@click.option(
    "--seconds", type=click.FloatRange(10, 3_600), default=60.0, show_default=True, help="To record."
)
@click.option(
    "--antenna", "expected", multiple=True, type=click.IntRange(1, 64), help="A port that must be heard."
)
@click.option(
    "--before",
    type=click.Path(path_type=Path),
    help="An earlier calibration: say what changed, keep its threshold and order.",
)
@click.option(
    "--order",
    type=click.Path(path_type=Path),
    help="A read table in which every garment was turned once, left to right: learn the order on the racks.",
)
@click.option(
    "--report", type=click.Path(path_type=Path), help="Write a page for the technician (.html, and a .png)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def antenna(
    still_reads: Path | None,
    out: Path,
    reader: str | None,
    config: Path | None,
    name: str | None,
    seconds: float,
    expected: tuple[int, ...],
    before: Path | None,
    order: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Learn a quiet store: the noise of every tag, antenna and channel, read rates, and what is wrong.

    From a read table of a time when nobody touched anything, or recorded now from --reader or from the
    reader of --config. Dead, weak, loud and swapped antennas are said, with what to do; swapped ones need
    --config (which antenna is at which rack) or --before (what each heard when all was well).

    \b
    Example:
      tagsight rfid capture 192.0.2.20 --seconds 60 --out still.csv
      tagsight calibrate antenna still.csv --out antenna.yaml --report antenna.html
      tagsight calibrate antenna --config /etc/tagsight/store.yaml --out antenna.yaml --before old.yaml
    """
    from calibration.store_plan import StorePlan, plan_from
    from rfid_reader.antenna_calibration import calibrate_still, load_calibration, save_calibration
    from rfid_reader.expected_flips import expected_of
    from rfid_reader.reads import load_reads
    from rfid_reader.recording_remarks import RecordingRemarks

    if report is not None and report.suffix.lower() != ".html":
        raise click.BadParameter(f"{report}: a name that ends in .html would be right", param_hint="--report")
    if still_reads is not None:
        reads = load_reads(still_reads)
    else:
        settings = chosen_reader(reader, config, name, "a read table (STILL_READS), ")
        reads = _record(settings, seconds)
    plan = plan_from(config, name, sorted(set(reads.epc.tolist()))) if config else StorePlan()
    found = calibrate_still(reads, tuple(expected) or plan.ports)
    if order is not None:
        found = _with_racks(found, order, plan)
    earlier = load_calibration(before) if before is not None else None
    if earlier is not None:
        found = msgspec.structs.replace(found, racks=found.racks or earlier.racks, trial=earlier.trial)
    lacking = RecordingRemarks()
    lacking.take(reads)
    findings = [*lacking.lacking(), *_all_findings(found, plan, earlier)]
    found = msgspec.structs.replace(found, findings=findings)
    save_calibration(out, found)
    if report is not None:
        _write_report(report, found, plan)
    if as_json:
        summary = msgspec.to_builtins(found)
        summary.pop("cells")
        f1 = expected_of(found)
        summary["expected_f1"] = None if f1 is None else msgspec.to_builtins(f1)
        click.echo(json.dumps(summary, indent=2))
        return
    _print(found)
    click.echo(f"{out} written: {len(found.rates)} tags, {found.duration_s:.0f} s")
    if report is not None:
        click.echo(f"{report} and {report.with_suffix('.png')} written")


def _record(settings: ReaderSettings, seconds: float) -> ReadTable:
    """A quiet time, recorded now, with the seconds that are left on a terminal."""
    from calibration.recording import Recording

    click.echo(
        f"recording {seconds:.0f} s from {settings.label}: let nobody touch anything or walk about", err=True
    )
    with Recording(settings) as recording:
        recording.wait_for_reads()
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(1.0, left_s))
            if sys.stderr.isatty():
                click.echo(f"\r\x1b[K{left_s:.0f} s to go, {len(recording)} reads", nl=False, err=True)
        return recording.reads()


def _with_racks(found: AntennaCalibration, order: Path, plan: StorePlan) -> AntennaCalibration:
    from calibration.antenna.rack_order import learn_racks
    from calibration.flips.trials import find_flips
    from rfid_reader.reads import load_reads
    from rfid_reader.tuned_detector import usual_threshold

    racks = learn_racks(find_flips(load_reads(order), found, usual_threshold()), found)
    if not racks:
        raise CalibrationError(
            f"{order}: no garment was seen turned; turn each for two seconds or more, one after the other"
        )
    named = {}
    for number, rack in enumerate(racks, start=1):
        known = {plan.rack_of[epc] for epc in rack.epcs if epc in plan.rack_of}
        label = known.pop() if len(known) == 1 else f"rack {number}"
        named[label if label not in named else f"{label} ({number})"] = list(rack.epcs)
    return msgspec.structs.replace(found, racks=named)


def _all_findings(
    found: AntennaCalibration, plan: StorePlan, earlier: AntennaCalibration | None
) -> list[str]:
    from calibration.antenna.findings import against_before, against_plan, too_loud

    findings = list(found.findings)
    if earlier is not None:
        findings += against_before(found, earlier)
    return [*dict.fromkeys([*findings, *against_plan(found, plan), *too_loud(found)])]


def _write_report(report: Path, found: AntennaCalibration, plan: StorePlan) -> None:
    from calibration.antenna.drawing import draw_maps
    from calibration.antenna.report import html_of, png_of

    try:
        report.write_text(html_of(found, f"Antennas: {report.stem}", plan, found.findings), encoding="utf-8")
        report.with_suffix(".png").write_bytes(png_of(draw_maps(found)))
    except OSError as error:
        raise CalibrationError(f"{report}: cannot be written: {error.strerror}") from None


def _print(found: AntennaCalibration) -> None:
    click.echo("antenna   reads/s   tags   RSSI dBm   phase noise rad")
    for row in found.antennas:
        noise = "unknown" if row.phase_noise_rad is None else f"{row.phase_noise_rad:.3f}"
        click.echo(
            f"{row.antenna:>7}   {row.reads_per_s:>7.1f}   {row.tags:>4}   {row.rssi_dbm:>8.1f}   {noise:>15}"
        )
    for rack, epcs in found.racks.items():
        click.echo(f"{rack}, left to right: {' '.join(epc[-6:] for epc in epcs)}")
    from rfid_reader.expected_flips import expected_of

    if (expected := expected_of(found)) is not None:
        click.echo(expected.sentence)
    for finding in found.findings:
        click.echo(f"warning: {finding}")
