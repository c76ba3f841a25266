"""The demo from first to last: open the plaza, listen, close it, judge what was found, draw it."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from broker.mosquitto import LocalBroker
from contract.facts import Dwell, Flip, Flow, Interaction, Visit
from runtime.config import StoreConfig, load
from runtime.demo.drawing.film import Stretch
from runtime.demo.drawing.outputs import draw_demo
from runtime.demo.page import print_page_address
from runtime.demo.plaza import LOOP_S, PATHS, Opened, find_clip, prepare_plaza, read_truth, run_store
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
from runtime.demo.summary import Summary, Watched, print_summary, write_summary
from runtime.demo.tally import EventTally
from tagsight.errors import TagsightError

RESULTS = {
    "events.jsonl": "every event as the subscriber received it",
    "summary.json": "the figures above",
    "annotated.mp4": "the film: visitors, gates, who turned what, and whether that is true",
    "heatmap.png": "where people spent their time, on the floor plan",
    "floor.png": "the paths people took, on the floor plan",
}


def run_demo(seconds: float, out: Path, console: Console) -> Summary:
    """Run the plaza for `seconds` and leave `RESULTS` in `out`. Raises TagsightError where it cannot run."""
    clip = find_clip()
    box = fresh_box(out, RESULTS)
    tally = EventTally()
    with LocalBroker() as broker:
        console.print(f"broker on {broker.host}:{broker.port}, clip {clip}")
        console.print("listening to the empty store, then opening it")
        prepared = prepare_plaza(box, clip, broker.port)
        config = load(prepared.config)
        with (
            listening(broker, config, out / "events.jsonl", tally, console) as listener,
            run_store(prepared) as plaza,
        ):
            print_page_address(config, console)
            watched = _watch(plaza, seconds, tally, console)
            sent = last_seq(config)
            wait_for(sent, listener)
    summary, result = _judge(config, plaza, watched, tally, sent, len(listener.seqs))
    write_summary(summary, out / "summary.json")
    stretch = Stretch.watched(plaza.epoch_s, watched.start_s, watched.end_s)
    draw_demo(clip, config, tally, result, stretch, out, console)
    print_summary(summary, result, console)
    console.print(f"in {out}:")
    for name, what in RESULTS.items():
        console.print(f"  {name:<14} {what}", highlight=False, soft_wrap=True)
    return summary


def _watch(plaza: Opened, seconds: float, tally: EventTally, console: Console) -> Watched:
    """Wait until frames and reads flow, watch for `seconds`, stop the daemon."""
    with console.status("waiting for the first frames and tag reads") as status:
        until(lambda: not waits_for(tally), READY_WITHIN_S, plaza, lambda: status.update(tally.line()))
        if missing := waits_for(tally):
            raise TagsightError(f"no {missing} within {READY_WITHIN_S:.0f} s; see {plaza.log}")
        start_s = time.time()

        def tell() -> None:
            status.update(f"{min(time.time() - start_s, seconds):.0f} of {seconds:.0f} s | {tally.line()}")

        until(lambda: False, seconds, plaza, tell)
        end_s = time.time()
    return Watched(start_s, end_s, plaza.stop())


def _judge(
    config: StoreConfig, plaza: Opened, watched: Watched, tally: EventTally, sent: int, received: int
) -> tuple[Summary, DemoScore]:
    judged = (watched.start_s, watched.end_s - SETTLE_S)
    truth = [
        PlayedFlip(line.epc, line.start_s, line.end_s, line.person or "")
        for line in read_truth(plaza.truth)
        if judged[0] <= line.start_s and line.end_s <= judged[1]
    ]
    flips = [flip for flip in tally.of(Flip) if judged[0] <= flip.start_s and flip.end_s <= judged[1]]
    result = score(truth, flips, tally.of(Interaction), Paths(PATHS, LOOP_S), plaza.epoch_s)
    summary = Summary(
        seconds=round(watched.end_s - watched.start_s, 1),
        fps=round(tally.fps(), 2),
        wanted_fps=config.cameras[0].analysis_fps,
        reads_per_s=round(value_of(tally.health("reader:ceiling"), "reads_per_s"), 1),
        gates=tally.gates(),
        visits=len(tally.of(Visit)),
        dwells=len(tally.of(Dwell)),
        transitions=sum(flow.transitions for flow in tally.of(Flow)),
        flips_true=result.true_flips,
        flips_found=result.found_flips,
        flips_false=result.false_flips,
        matches_right=result.right,
        matches_wrong=result.wrong,
        matches_nobody=result.nobody,
        events_by_kind=dict(sorted(tally.kinds.items())),
        events_sent=sent,
        events_received=received,
        events_lost=sent - received,
        stop_s=round(watched.stop_s, 2),
    )
    return summary, result
