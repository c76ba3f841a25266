"""`tagsight calibrate antenna`: what a quiet store says about its antennas."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("still_reads", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The calibration file to write.")
@click.option(
    "--antenna", "expected", multiple=True, type=click.IntRange(1, 64), help="A port that must be heard."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def antenna(still_reads: Path, out: Path, expected: tuple[int, ...], as_json: bool) -> None:
    """Learn the noise of every tag and antenna from a read table of a quiet store.

    Record one with nobody in the store: a minute is enough. What is dead, weak or read too seldom is said.

    \b
    Example:
      tagsight rfid capture 192.0.2.20 --seconds 60 --out still.csv
      tagsight calibrate antenna still.csv --out antenna.yaml
    """
    import msgspec

    from rfid_reader.antenna_calibration import calibrate_still, save_calibration
    from rfid_reader.reads import load_reads

    found = calibrate_still(load_reads(still_reads), tuple(expected))
    save_calibration(out, found)
    if as_json:
        summary = msgspec.to_builtins(found)
        summary.pop("cells")
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo("antenna   reads/s   tags   RSSI dBm   phase noise rad")
    for row in found.antennas:
        noise = "unknown" if row.phase_noise_rad is None else f"{row.phase_noise_rad:.3f}"
        click.echo(
            f"{row.antenna:>7}   {row.reads_per_s:>7.1f}   {row.tags:>4}   {row.rssi_dbm:>8.1f}   {noise:>15}"
        )
    for finding in found.findings:
        click.echo(f"warning: {finding}")
    click.echo(f"{out} written: {len(found.rates)} tags, {found.duration_s:.0f} s")
