"""The boutique from first to last: run it for whole turns of its films, judge what was found, draw the
floor."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from broker.mosquitto import LocalBroker
from contract.facts import Dwell, Flip, Interaction, Visit
from engines.scene.truth import passages, stays, track
from runtime.config import StoreConfig, load
from runtime.demo.boutique.score import Counted, Identities, Stays, count, identities
from runtime.demo.boutique.score import stays as judge_stays
from runtime.demo.boutique.store import LEAD_S, Boutique, prepare_boutique
from runtime.demo.drawing.floor import floor_picture, heat_picture
from runtime.demo.page import print_page_address
from runtime.demo.plaza import Opened, read_truth, run_store
from runtime.demo.score import DemoScore, Paths, PlayedFlip, score
from runtime.demo.session import (
    READY_WITHIN_S,
    SETTLE_S,
    fresh_box,
    last_seq,
    listening,
    until,
    value_of,
    wait_for,
    waits_for,
)
from runtime.demo.staging import floor_map, plan_point
from runtime.demo.summary import DemoFigures, Watched, named_share
from runtime.demo.tally import EventTally
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from tagsight.errors import TagsightError

RESULTS = {
    "events.jsonl": "every event as the subscriber received it",
    "summary.json": "the figures above",
    "heatmap.png": "where people spent their time, on the floor plan",
    "floor.png": "the ways people really took, on the floor plan",
}
BACKGROUND_CAMERA = 1
"""Whose empty picture lies under the floor plan."""


class BoutiqueSummary(DemoFigures, frozen=True, kw_only=True):
    """`summary.json`. `turns` are whole minutes of the films that were judged; counts are over all of
    them."""

    turns: int
    counted: Counted
    identities: Identities
    stays: Stays

    def shortfalls(self) -> list[str]:
        """Also that nobody was counted, or no flip found."""
        checks = (
            (self.counted.in_found + self.counted.out_found == 0, "nobody was counted at the door"),
            (self.flips_found == 0, f"none of {self.flips_true} flips was found"),
        )
        return [sentence for wrong, sentence in checks if wrong] + DemoFigures.shortfalls(self)

    def verdict(self) -> str:
        """One sentence for a job that ran."""
        counts = "Counts are exact." if self.counted.exact else "Counts are not exact."
        if self.managed < 0.9:
            return f"{counts} Your CPU managed {self.managed:.0%} of the frames."
        return counts


def run_boutique(seconds: float, out: Path, console: Console) -> BoutiqueSummary:
    """Run whole turns of the boutique, at least `seconds`, and leave `RESULTS` in `out`. Raises
    TagsightError."""
    boutique = Boutique.shipped()
    turns = max(1, round(np.ceil(seconds / boutique.scene.seconds - 0.02)))
    box = fresh_box(out, RESULTS)
    tally = EventTally()
    with LocalBroker() as broker:
        console.print(
            f"broker on {broker.host}:{broker.port}, {len(boutique.films)} films of {boutique.scene.name}"
        )
        console.print("listening to the empty store, then opening it")
        prepared = prepare_boutique(boutique, box, broker.port)
        config = load(prepared.config)
        with (
            listening(broker, config, out / "events.jsonl", tally, console) as listener,
            run_store(prepared) as opened,
        ):
            print_page_address(config, console)
            watched = _watch(opened, boutique.scene.seconds, turns, tally, console)
            sent = last_seq(config)
            wait_for(sent, listener)
    summary, result = _judge(boutique, config, opened, watched, turns, tally, sent, len(listener.seqs))
    (out / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    _draw(boutique, config, tally, out)
    _print(summary, result, console)
    console.print(f"in {out}:")
    for name, what in RESULTS.items():
        console.print(f"  {name:<14} {what}", highlight=False, soft_wrap=True)
    return summary


def _watch(opened: Opened, turn_s: float, turns: int, tally: EventTally, console: Console) -> Watched:
    """Wait until all flows, then for the films' next beginning, watch whole turns, stop the daemon."""
    with console.status("waiting for the first frames and tag reads") as status:
        until(lambda: not waits_for(tally), READY_WITHIN_S, opened, lambda: status.update(tally.line()))
        if missing := waits_for(tally):
            raise TagsightError(f"no {missing} within {READY_WITHIN_S:.0f} s; see {opened.log}")
        start_s = next_turn(opened.epoch_s, turn_s, time.time())
        if start_s - time.time() > LEAD_S:
            console.print(f"the films begin again in {start_s - time.time():.0f} s")
        end_s = start_s + turns * turn_s

        def tell() -> None:
            status.update(f"{max(0, time.time() - start_s):.0f} of {turns * turn_s:.0f} s | {tally.line()}")

        until(lambda: False, end_s + SETTLE_S - time.time(), opened, tell)
    return Watched(start_s, end_s, opened.stop())


def next_turn(epoch_s: float, turn_s: float, now_s: float) -> float:
    """When the films begin next."""
    return float(epoch_s + np.ceil((now_s - epoch_s) / turn_s) * turn_s)


def _judge(
    boutique: Boutique,
    config: StoreConfig,
    opened: Opened,
    watched: Watched,
    turns: int,
    tally: EventTally,
    sent: int,
    received: int,
) -> tuple[BoutiqueSummary, DemoScore]:
    scene, everybody = boutique.scene, boutique.everybody
    shifts = [turn * scene.seconds for turn in range(turns)]
    true_passages = [
        replace(one, time_s=one.time_s + shift_s, person=f"{one.person} {shift_s:g}")
        for shift_s in shifts
        for one in passages(scene, everybody)
    ]
    true_stays = [
        replace(one, enter_s=one.enter_s + shift_s, leave_s=one.leave_s + shift_s)
        for shift_s in shifts
        for one in stays(scene, everybody)
    ]
    visits = [one for one in tally.of(Visit) if watched.start_s <= one.time_s < watched.end_s]
    dwells = [one for one in tally.of(Dwell) if watched.start_s - 1 <= one.enter_s < watched.end_s]
    truth = [
        PlayedFlip(line.epc, line.start_s, line.end_s, line.person or "")
        for line in read_truth(opened.truth)
        if watched.start_s <= line.start_s and line.end_s <= watched.end_s
    ]
    flips = [one for one in tally.of(Flip) if watched.start_s <= one.start_s and one.end_s <= watched.end_s]
    paths = Paths(opened.config.parent / "paths.csv", scene.seconds)
    result = score(truth, flips, tally.of(Interaction), paths, opened.epoch_s)
    summary = BoutiqueSummary(
        turns=turns,
        fps=round(tally.fps(), 2),
        wanted_fps=sum(camera.analysis_fps for camera in config.cameras),
        reads_per_s=round(value_of(tally.health("reader:ceiling"), "reads_per_s"), 1),
        counted=count(visits, true_passages, watched.start_s),
        identities=identities(visits, true_passages, watched.start_s),
        stays=judge_stays(dwells, true_stays, watched.start_s),
        flips_true=result.true_flips,
        flips_found=result.found_flips,
        flips_false=result.false_flips,
        matches_right=result.right,
        matches_wrong=result.wrong,
        matches_nobody=result.nobody,
        events_sent=sent,
        events_received=received,
        events_lost=sent - received,
        stop_s=round(watched.stop_s, 2),
    )
    return summary, result


def _draw(boutique: Boutique, config: StoreConfig, tally: EventTally, out: Path) -> None:
    """floor.png and heatmap.png, over the floor as one camera sees it empty."""
    scene = boutique.scene
    camera = scene.cameras[BACKGROUND_CAMERA]
    empty = _first_picture(boutique.films[camera.name])
    homography = floor_map(scene, camera)
    ways: list[NDArray[np.float64]] = [
        np.array([plan_point(scene, place) for place in track(course, 0.2)[:, 1:]])
        for course in boutique.everybody
    ]
    for name, picture in (
        ("floor.png", floor_picture(empty, homography, config, ways)),
        ("heatmap.png", heat_picture(empty, homography, config, tally.heat())),
    ):
        if not cv2.imwrite(str(out / name), picture):
            raise TagsightError(f"{out / name}: the picture cannot be written")


def _first_picture(film: Path) -> NDArray[np.uint8]:
    source = open_source(f"file:{film}?pace=fast")
    try:
        frame = read(source)
    finally:
        source.close()
    if frame is None:
        raise TagsightError(f"{film}: not a video that can be read")
    return np.asarray(frame.image, np.uint8)


def _print(summary: BoutiqueSummary, result: DemoScore, console: Console) -> None:
    """The table at the end."""
    table = Table(title="The boutique in figures", title_justify="left", show_header=False)
    counted, who, stayed = summary.counted, summary.identities, summary.stays
    minutes = "a minute" if summary.turns == 1 else f"{summary.turns} minutes"
    table.add_row("watched", f"{minutes} at {summary.fps:.1f} pictures/s of {summary.wanted_fps:.0f}")
    table.add_row(
        "counts",
        f"{counted.in_found} in of {counted.in_true}, {counted.out_found} out of {counted.out_true}",
    )
    table.add_row("one id from door to door", f"{who.kept} of {who.people} people, {who.shared} ids for two")
    table.add_row("stays in zones", f"{stayed.found} of {stayed.true} found, {stayed.other} others")
    for zone, (true, found) in stayed.seconds.items():
        table.add_row(f"  {zone}", f"{found:.0f} person-seconds of {true:.0f}")
    table.add_row("tag reads", f"{summary.reads_per_s:.0f}/s")
    table.add_row(
        "garments turned over",
        f"{summary.flips_found} of {summary.flips_true} found, {summary.flips_false} that were none",
    )
    table.add_row("by whom", f"{named_share(result)}, {summary.matches_nobody} without a name")
    table.add_row("events", f"{summary.events_received} of {summary.events_sent} received")
    table.add_row("stopped in", f"{summary.stop_s:.1f} s")
    console.print(table)
