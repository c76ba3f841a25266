"""`tagsight calibrate flips`: "turn these ten garments now" in this very store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from calibration.errors import CalibrationError
from calibration.which_reader import chosen_reader, reader_options

if TYPE_CHECKING:
    from calibration.flips.trials import HandlingTrial, Tried
    from calibration.recording import Recording
    from rfid_reader.antenna_calibration import AntennaCalibration
    from rfid_reader.settings import ReaderSettings

SETTLE_S = 4.0
"""After the last garment, until the detector has made up its mind."""


@click.command()
@click.argument("calibration_file", metavar="CALIBRATION", type=click.Path(path_type=Path))
@reader_options
@click.option(
    "--garments", type=click.IntRange(3, 100), default=10, show_default=True, help="How many to turn."
)
@click.option("--epc", "epcs", multiple=True, help="Turn this garment; instead of a choice. Repeat it.")
@click.option(
    "--quiet",
    type=click.FloatRange(5, 3_600),
    default=30.0,
    show_default=True,
    help="Seconds of quiet at first.",
)
@click.option(
    "--pace", type=click.FloatRange(2, 120), help="Seconds for each garment, instead of waiting for Enter."
)
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Keep the reads of the session (.csv, .parquet)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def flips(
    calibration_file: Path,
    reader: str | None,
    config: Path | None,
    name: str | None,
    garments: int,
    epcs: tuple[str, ...],
    quiet: float,
    pace: float | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Have garments turned over, one after the other, and set the threshold that suits this store.

    Measures how many of the turns are found and how many still garments are called turned, at several
    thresholds, and writes the best into CALIBRATION (from `tagsight calibrate antenna`), which the daemon
    and `tagsight rfid flips` then use.

    \b
    Example:
      tagsight calibrate flips antenna.yaml --reader 192.0.2.20
    """
    from calibration.flips.trials import as_trial, best_of, choose_garments, try_thresholds
    from calibration.store_plan import StorePlan, plan_from
    from rfid_reader.antenna_calibration import load_calibration, save_calibration
    from rfid_reader.reads import save_reads

    found = load_calibration(calibration_file)
    settings = chosen_reader(reader, config, name)
    chosen = _known(epcs, found, calibration_file) if epcs else choose_garments(found, garments)
    plan = plan_from(config, name, chosen) if config else StorePlan()
    wait = _by_pace(pace) if pace else _by_enter
    places = {epc: _where(epc, found, plan.rack_of, plan.sku_of) for epc in chosen}
    recording, turns = hold_session(settings, places, quiet, wait)
    reads = recording.reads()
    if keep is not None:
        save_reads(keep, reads)
    tried = try_thresholds(reads, turns, found)
    best = best_of(tried)
    save_calibration(calibration_file, msgspec.structs.replace(found, trial=as_trial(best)))
    if as_json:
        click.echo(
            json.dumps({"chosen": msgspec.to_builtins(best), "tried": msgspec.to_builtins(tried)}, indent=2)
        )
        return
    for line in lines(tried, best):
        click.echo(line)
    click.echo(f"{calibration_file} written: threshold {best.threshold:g}")


def _known(epcs: Sequence[str], found: AntennaCalibration, path: Path) -> list[str]:
    unknown = [epc for epc in epcs if epc.lower() not in found.rates]
    if unknown:
        raise CalibrationError(
            f"{unknown[0]} is not in {path}; give an EPC that was heard in the quiet store"
        )
    return [epc.lower() for epc in epcs]


def _where(epc: str, found: AntennaCalibration, rack_of: dict[str, str], sku_of: dict[str, str]) -> str:
    """How a person finds a garment."""
    parts = [f"...{epc[-6:]}"]
    if epc in sku_of:
        parts.append(sku_of[epc])
    for rack, hung in found.racks.items():
        if epc in hung:
            parts.append(f"{rack}, number {hung.index(epc) + 1} from the left")
            return ", ".join(parts)
    parts.append(rack_of.get(epc, f"near antenna {found.strongest[epc]}"))
    return ", ".join(parts)


def _by_enter(prompt: str) -> None:
    click.echo(prompt, nl=False)
    click.pause(info="")
    click.echo("")


def _by_pace(pace_s: float) -> Callable[[str], None]:
    """Every prompt stands for half the pace: one half to turn the garment, the other to hang it back."""

    def wait(prompt: str) -> None:
        click.echo(prompt)
        time.sleep(pace_s / 2)

    return wait


def hold_session(
    settings: ReaderSettings, places: dict[str, str], quiet_s: float, wait: Callable[[str], None]
) -> tuple[Recording, list[HandlingTrial]]:
    """Guide a technician through turning garments; returns all reads and when each garment was turned.

    places: EPC to the words by which a person finds the garment, in the order to turn them. wait: shows a
    prompt and returns when the technician is done with it.
    """
    from calibration.flips.trials import HandlingTrial
    from calibration.recording import Recording

    turns: list[HandlingTrial] = []
    with Recording(settings) as recording:
        recording.wait_for_reads()
        click.echo(f"Let nobody touch anything for {quiet_s:.0f} seconds.")
        time.sleep(quiet_s)
        for number, (epc, place) in enumerate(places.items(), start=1):
            start_s = time.time()
            wait(f"Garment {number} of {len(places)}: {place}. Take it, turn it over for three seconds,")
            wait("  hang it back. Done?")
            turns.append(HandlingTrial(epc, start_s, time.time()))
        click.echo("Thank you. Let it hang still for a moment.")
        time.sleep(SETTLE_S)
    return recording, turns


def lines(tried: Sequence[Tried], best: Tried) -> list[str]:
    """A table of the thresholds, and what the best one means."""
    rows = ["threshold   found   false alarms   an hour of one tag"]
    for one in tried:
        rate = f"{one.false_alarms / one.tag_hours:.2f}" if one.tag_hours else "unknown"
        mark = "   <- chosen" if one is best else ""
        found = f"{one.found:>2}/{one.turned:<2}"
        rows.append(f"{one.threshold:>9g}   {found}   {one.false_alarms:>12}   {rate:>18}{mark}")
    if best.recall < 0.8:
        rows.append(
            f"warning: only {best.found} of {best.turned} turns were seen; more reads a second would help: "
            "see the page of `tagsight calibrate antenna --report`"
        )
    return rows
