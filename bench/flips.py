"""`tagsight bench flips`: the flip detectors on simulated stores that no training has seen."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import msgspec
import numpy as np

from bench.flip_stores import Score, StoreRecording, match, record, record_store, thinned
from bench.real_reads import load_locate, load_rda, spread_in_cells
from rfid_reader.flips import METHODS, Flip, make_detector
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.scenario import ScenarioFile
from rfid_reader.simulator.stores import generate_store

FIRST_TEST_SEED = 9000
"""Training uses seeds from 1000 (`bench.flip_training`), choices were made on seeds from 5000."""
WARM_UP_S = 15.0
SLICE_S = 0.25
FOREVER_S = 1e9


@dataclass(frozen=True)
class Row:
    """One method at one read rate over all test stores. latency_s is the median from a true flip's end until
    it was said; judged_per_s the reads a second that one core judged."""

    method: str
    rate_hz: float
    precision: float
    recall: float
    f1: float
    worst_store_f1: float
    false_per_tag_hour: float
    latency_s: float | None
    judged_per_s: float
    stores: dict[str, float]


def _said(method: str, reads: ReadTable) -> tuple[list[tuple[float, Flip]], float]:
    """Flips with the stream time at which they were said, and the processor seconds used."""
    detector = make_detector(method)
    said: list[tuple[float, Flip]] = []
    started_s = time.process_time()
    edges = np.arange(float(reads.time_s[0]), float(reads.time_s[-1]) + SLICE_S, SLICE_S)
    places = np.searchsorted(np.maximum.accumulate(reads.time_s), edges)
    for start, stop, edge_s in zip(places[:-1], places[1:], edges[1:], strict=True):
        said += [(float(edge_s), flip) for flip in detector.feed(reads.take(slice(start, stop)))]
    said += [(float(edges[-1]) + detector.latency_s, flip) for flip in detector.finish()]
    return said, time.process_time() - started_s


def _latencies(said: list[tuple[float, Flip]], recording: StoreRecording) -> list[float]:
    return [
        at_s - true.end_s
        for at_s, flip in said
        for true in recording.flips
        if true.epc == flip.epc
        and true.start_s - 1.5 <= 0.5 * (flip.start_s + flip.end_s) <= true.end_s + 1.5
    ]


def judge(method: str, rate_hz: float, recordings: list[StoreRecording]) -> Row:
    """Run one method over every store thinned to `rate_hz` reads a second a tag."""
    total, stores, latencies = Score(), {}, []
    used_s = reads = 0.0
    for recording in recordings:
        thin = thinned(recording, rate_hz)
        said, seconds = _said(method, thin.reads)
        score = match([flip for _, flip in said], thin, WARM_UP_S)
        total += score
        stores[recording.name] = round(score.f1, 3)
        latencies += _latencies(said, thin)
        used_s += seconds
        reads += len(thin.reads)
    return Row(
        method,
        rate_hz,
        round(total.precision, 3),
        round(total.recall, 3),
        round(total.f1, 3),
        min(stores.values()),
        round(total.false_per_tag_hour, 2),
        round(float(np.median(latencies)), 2) if latencies else None,
        round(reads / max(used_s, 1e-9)),
        stores,
    )


def _shared_data() -> Path | None:
    folder = Path(os.environ.get("TAGSIGHT_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    return folder if folder.is_dir() else None


@dataclass(frozen=True)
class Realism:
    """Spread of still tags within a channel dwell (median phase sd in rad, RSSI sd in dB, dwells)."""

    source: str
    phase_sd_rad: float
    rssi_sd_db: float
    dwells: int


def realism() -> list[Realism]:
    """Simulated tags beside real ones: still ones, and ones that a person disturbs without touching them."""
    rows: list[Realism] = []

    def add(source: str, tables: list[ReadTable], gap_s: float) -> None:
        phase: list[float] = []
        rssi: list[float] = []
        for table in tables:
            one_phase, one_rssi = spread_in_cells(table, gap_s)
            phase += one_phase
            rssi += one_rssi
        if phase:
            rows.append(
                Realism(
                    source, round(float(np.median(phase)), 3), round(float(np.median(rssi)), 2), len(phase)
                )
            )

    store = generate_store(FIRST_TEST_SEED)
    empty = msgspec.structs.replace(
        store.scenario,
        people=msgspec.structs.replace(store.scenario.people, random=0),
        hop_plan="fcc",
        sway_m=0.0,
    )
    still = record(ScenarioFile(empty, store.folder), 60.0)
    add("simulated, nobody near", [still.reads], FOREVER_S)
    folder = _shared_data()
    if folder is not None:
        locate = folder / "rfid-r420-locate"
        files = sorted([*locate.glob("Test12/*.csv"), *locate.glob("Test13/*.csv")])
        add("real, still tags (rfid-r420-locate)", [load_locate(path) for path in files], 0.25)
        rda = sorted((folder / "rfid-cwnu-rda").glob("*/*.txt"))
        quiet = [path for path in rda if path.stem.rsplit("_")[-1] in ("0", "2", "5", "14", "16", "19")]
        moving = [path for path in rda if path not in quiet]
        add("real, a person stands still (rfid-cwnu-rda)", [load_rda(path) for path in quiet[:40]], 2.0)
        add("real, a person moves (rfid-cwnu-rda)", [load_rda(path) for path in moving[:60]], 2.0)
    busy = record_store(FIRST_TEST_SEED + 1, 60.0)
    add("simulated, people browse", [busy.reads], FOREVER_S)
    return rows


@click.command()
@click.option("--stores", default=10, show_default=True, help="Unseen stores to test on.")
@click.option("--seconds", default=180.0, show_default=True, help="Simulated time in each.")
@click.option("--rates", default="1,2,4,8", show_default=True, help="Reads a second a tag to thin to.")
@click.option("--methods", default=",".join(METHODS), show_default=True, help="Detectors to compare.")
@click.option(
    "--realism", "with_realism", is_flag=True, help="Compare the simulated radio with real reads instead."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def flips(stores: int, seconds: float, rates: str, methods: str, with_realism: bool, as_json: bool) -> None:
    """Compare the flip detectors on stores that none of them was tuned on.

    A found flip is right if its middle lies within 1.5 s of a true flip of the same tag. Stores differ in
    layout, hop plan, radio, people and tag density; the first 15 s are not counted.

    \b
    Example:
      tagsight bench flips --stores 10 --rates 4,8
      tagsight bench flips --realism
    """
    if with_realism:
        found = realism()
        if as_json:
            click.echo(json.dumps([asdict(row) for row in found]))
            return
        click.echo("within one channel dwell                              phase sd rad   RSSI sd dB   dwells")
        for one in found:
            click.echo(f"{one.source:<52} {one.phase_sd_rad:>13.3f} {one.rssi_sd_db:>12.2f} {one.dwells:>8}")
        if _shared_data() is None:
            click.echo("real reads: not run: no development data (set TAGSIGHT_SHARED)")
        return
    wanted = [float(rate) for rate in rates.split(",")]
    recordings = []
    for number in range(stores):
        recordings.append(record_store(FIRST_TEST_SEED + number, seconds))
        click.echo(f"store {number + 1} of {stores}: {recordings[-1].rate_hz:.1f} reads/s a tag", err=True)
    rows = [judge(method, rate_hz, recordings) for rate_hz in wanted for method in methods.split(",")]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    click.echo(
        "reads/s  method       precision  recall    F1  worst store  false/tag-hour  latency s  judged/s"
    )
    for row in rows:
        latency = "   -" if row.latency_s is None else f"{row.latency_s:>4.1f}"
        click.echo(
            f"{row.rate_hz:>7g}  {row.method:<11} {row.precision:>10.2f} {row.recall:>7.2f} {row.f1:>5.2f} "
            f"{row.worst_store_f1:>12.2f} {row.false_per_tag_hour:>15.2f}  {latency:>9}"
            f" {row.judged_per_s:>9.0f}"
        )
