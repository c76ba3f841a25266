"""`tagsight bench flips`: the flip detectors on simulated stores that no training saw, and real reads."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bench.flips.churn import Hour, churn
from bench.flips.clips import PUBLISHED, ClipRow, clip_rows
from bench.flips.cost import big_store, decoded_and_judged_per_s
from bench.flips.judging import ScoreRow, judge
from bench.flips.own_rates import OFTEN_HZ, OwnRateRow, own_rate_rows
from bench.flips.real_flips import moved_against_still, still_flips, worn_gestures, worn_rda
from rfid_reader.flips import METHODS
from rfid_reader.simulator.recordings import StoreRecording, record_store, thinned

FIRST_TEST_SEED = 9000
"""Training uses seeds from 1000, choices were made on seeds from 5000 (`rfid_reader.training.activity`)."""
NO_DATA = "not run: no development data (set TAGSIGHT_SHARED)"


def _shared_data() -> Path | None:
    folder = Path(os.environ.get("TAGSIGHT_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data"
    return folder if folder.is_dir() else None


def _print_realism(as_json: bool) -> None:
    from bench.flips.realism import realism  # needs rfid_reader/training

    data = _shared_data()
    quantities, misfits = realism(data)
    if as_json:
        found = {
            "quantities": [asdict(one) for one in quantities],
            "misfits": [{**asdict(one), "given": one.given} for one in misfits],
        }
        click.echo(json.dumps(found if data else {**found, "real": NO_DATA}))
    else:
        click.echo(
            f"{'of stretches of one tag and antenna':<44} {'source':<26}  median    p10    p90  stretches"
        )
        for one in sorted(quantities, key=lambda one: one.name):
            click.echo(
                f"{one.name:<44} {one.source:<26} {one.median:>7.3f} {one.p10:>6.3f} {one.p90:>6.3f} "
                f"{one.stretches:>10}"
            )
        if data is None:
            click.echo(f"real reads: {NO_DATA}")
        for misfit in misfits:
            click.echo(
                f"misfit: {misfit.world}{' (given)' if misfit.given else ''}: {misfit.real.name}: "
                f"{misfit.real.source} has "
                f"{misfit.real.median:g}, "
                f"outside {misfit.simulated.p10:g} to {misfit.simulated.p90:g}"
            )
    if any(not misfit.given for misfit in misfits):
        raise SystemExit(1)


def _print_real(as_json: bool) -> None:
    data = _shared_data()
    if data is None:
        click.echo(json.dumps({"real": NO_DATA}) if as_json else f"real reads: {NO_DATA}")
        return
    moved = moved_against_still(data / "rfid-r420-locate")
    still = still_flips(data / "rfid-r420-locate")
    worn = {"rfid-cwnu-rda": worn_rda(data / "rfid-cwnu-rda"), "rfid-body-gestures": worn_gestures(data)}
    if as_json:
        found = {
            "locate": asdict(moved),
            "still": {**asdict(still), "per_tag_hour": still.per_tag_hour},
            "worn": {name: {**asdict(one), "recall": one.recall} for name, one in worn.items()},
        }
        click.echo(json.dumps(found))
        return
    click.echo(
        f"rfid-r420-locate, production: {moved.moved} clips of a carried tag against {moved.still} of a "
        f"still one: AUC {moved.auc:.4f}"
    )
    click.echo(
        f"rfid-r420-locate, production: {still.flips} false flips in {still.tag_hours:.2f} tag-hours of "
        "still tags: "
        f"{still.per_tag_hour:.2f} a tag-hour"
    )
    for name, one in worn.items():
        click.echo(
            f"{name}, production: {one.found} of {one.spans} spans of a tag worn by somebody who moves "
            "found as moved: "
            f"{one.recall:.2f}"
        )


def _print_cost(as_json: bool) -> None:
    big = big_store()
    speed = decoded_and_judged_per_s(thinned(record_store(FIRST_TEST_SEED, 60.0), 1e9).reads)
    if as_json:
        click.echo(json.dumps({"big_store": asdict(big), "decoded_and_judged_per_s": round(speed)}))
        return
    click.echo(
        f"{big.tags} tags, {big.antennas} antennas, {big.reads_per_s:g} reads/s: "
        f"{100 * big.core_share:.1f} % of one core, {big.memory_mb:.0f} MB"
    )
    click.echo(f"decoded, windowed and judged on one core: {speed:.0f} reads/s")


def _print_hour(hour: Hour) -> None:
    click.echo(
        f"{hour.hour:>4} {hour.garments:>9} {hour.ghosts:>7} {hour.rows:>6} {hour.memory_mb:>9.0f} "
        f"{hour.processor_s:>11.1f} {hour.overlooked:>10}"
    )


def _print_churn(hours: float, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(hour) for hour in churn(hours, "production")]))
        return
    click.echo("hour  garments  ghosts  rows  memory MB  CPU s  overlooked")
    found = churn(hours, "production", told=_print_hour)
    used_s = sum(hour.processor_s for hour in found)
    early, last = found[min(1, len(found) - 1)], found[-1]
    click.echo(
        f"{last.garments} garments and {last.ghosts} ghosts in {hours:g} h, "
        f"{3600 * hours / used_s:.0f} times faster than real time; {last.overlooked} garments overlooked; "
        f"memory {early.memory_mb:.0f} MB after hour {early.hour}, {last.memory_mb:.0f} MB at the end"
    )


def _print_events(rows: list[ScoreRow]) -> None:
    click.echo(
        "reads/s  method       precision  recall    F1  worst store  false/tag-hour latency s  judged/s flips"
    )
    for row in rows:
        latency = "   -" if row.latency_s is None else f"{row.latency_s:>4.1f}"
        click.echo(
            f"{row.rate_hz:>7g}  {row.method:<11} {row.precision:>10.2f} {row.recall:>7.2f} {row.f1:>5.2f} "
            f"{row.worst_store_f1:>12.2f} {row.false_per_tag_hour:>15.2f}  {latency:>9}"
            f" {row.judged_per_s:>9.0f} {row.flips:>6}"
        )


def _print_own_rates(rows: list[OwnRateRow]) -> None:
    click.echo(
        f"tags by their own rate (from {OFTEN_HZ:g}: at each mean rate, then at all; bands: at all)\n"
        "own reads/s mean  method       precision  recall    F1  worst store  false/tag-hour latency s flips"
    )
    for row in rows:
        high = "up" if math.isinf(row.highest_hz) else f"{row.highest_hz:g}"
        mean = "all" if row.thinned_hz is None else f"{row.thinned_hz:g}"
        worst = "-" if row.worst_store_f1 is None else f"{row.worst_store_f1:.2f}"
        latency = "-" if row.latency_s is None else f"{row.latency_s:.1f}"
        click.echo(
            f"{row.lowest_hz:>4g} to {high:<4} {mean:>3}  {row.method:<11} {row.precision:>10.2f} "
            f"{row.recall:>7.2f} {row.f1:>5.2f} {worst:>12} {row.false_per_tag_hour:>15.2f}  {latency:>9} "
            f"{row.flips:>5}"
        )


def _print_clips(rows: list[ClipRow]) -> None:
    click.echo(
        "reads/s  method       handled against  accuracy  cross-fitted    AUC  clips       too few reads  "
        "published"
    )
    for row in rows:
        published = (
            f"{PUBLISHED[row.method]:.3f}" if row.against == "calm" and row.method in PUBLISHED else "-"
        )
        click.echo(
            f"{row.rate_hz:>7g}  {row.method:<11} {row.against:>16} {row.accuracy:>9.3f} "
            f"{row.cross_fitted:>13.3f} {row.auc:>6.3f}  "
            f"{row.handled:>4}+{row.others:<5} {row.unjudged:>14} {published:>10}"
        )


def _compare(
    stores: int, seconds: float, rates: list[float], methods: list[str], with_clips: bool
) -> tuple[list[ScoreRow], list[ClipRow], list[OwnRateRow]]:
    recordings: list[StoreRecording] = []
    for number in range(stores):
        recordings.append(record_store(FIRST_TEST_SEED + number, seconds))
        click.echo(f"store {number + 1} of {stores}: {recordings[-1].rate_hz:.1f} reads/s a tag", err=True)
    events, clips = [], []
    every = {}
    for rate_hz in rates:
        for method in methods:
            row, runs = judge(method, rate_hz, recordings)
            events.append(row)
            every[method, rate_hz] = runs
            clips += clip_rows(method, rate_hz, runs) if with_clips else []
            click.echo(f"{method} at {rate_hz:g} reads/s: F1 {row.f1:.2f}", err=True)
    return events, clips, own_rate_rows(every)


@click.command()
@click.option("--stores", default=10, show_default=True, help="Unseen stores to test on.")
@click.option("--seconds", default=180.0, show_default=True, help="Simulated time in each.")
@click.option("--rates", default="1,2,4,8", show_default=True, help="Reads a second a tag to thin to.")
@click.option("--methods", default=",".join(METHODS), show_default=True, help="Detectors to compare.")
@click.option("--clips", "with_clips", is_flag=True, help="Add two-class accuracy, as the reference reports.")
@click.option("--real", "with_real", is_flag=True, help="Production on recordings of real readers instead.")
@click.option("--cost", "with_cost", is_flag=True, help="CPU time, memory and speed instead.")
@click.option(
    "--churn", "churn_hours", type=float, help="Hours of tags that come and go, and of ghosts, instead."
)
@click.option(
    "--realism", "with_realism", is_flag=True, help="Compare the worlds' radio with real reads instead."
)
@click.option("--worlds", "with_worlds", is_flag=True, help="Production in each family of stores instead.")
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --worlds: a file of rfid_reader.training.course instead of what ships.",
)
@click.option("--held-out", default="", help="With --weights: worlds that it has not seen; these alone run.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def flips(
    stores: int,
    seconds: float,
    rates: str,
    methods: str,
    with_clips: bool,
    with_real: bool,
    with_cost: bool,
    churn_hours: float | None,
    with_realism: bool,
    with_worlds: bool,
    weights: Path | None,
    held_out: str,
    as_json: bool,
) -> None:
    """Compare the flip detectors on stores that none of them was tuned on.

    A found flip is right if its middle lies within 1.5 s of a true flip of the same tag. Stores differ in
    layout, hop plan, radio, people and tag density; the first 15 s are not counted.

    \b
    Example:
      tagsight bench flips --stores 10 --rates 4,8 --clips
      tagsight bench flips --worlds
      tagsight bench flips --real
      tagsight bench flips --realism
      tagsight bench flips --churn 24
    """
    if with_worlds:
        from bench.flips.world_table import print_worlds  # needs rfid_reader/training

        print_worlds(stores, seconds, as_json, weights, held_out)
        return
    if churn_hours:
        _print_churn(churn_hours, as_json)
    if with_realism or with_real or with_cost or churn_hours:
        for wanted, show in (
            (with_realism, _print_realism),
            (with_real, _print_real),
            (with_cost, _print_cost),
        ):
            if wanted:
                show(as_json)
        return
    wanted_rates, wanted_methods = [float(rate) for rate in rates.split(",")], methods.split(",")
    events, clips, own_rates = _compare(stores, seconds, wanted_rates, wanted_methods, with_clips)
    if as_json:
        found: dict[str, Any] = {
            "events": [asdict(row) for row in events],
            "own_rates": [asdict(row) for row in own_rates],
        }
        if with_clips:
            found["clips"] = [asdict(row) for row in clips]
        click.echo(json.dumps(found))
        return
    _print_events(events)
    _print_own_rates(own_rates)
    if with_clips:
        _print_clips(clips)
