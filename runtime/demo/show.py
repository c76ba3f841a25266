"""The demo from first to last: open the plaza, listen, close it, judge what was found, draw it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from contract.describe import describe
from contract.envelope import Event
from contract.facts import Dwell, Flip, Flow, Footfall, Interaction, ProcessHealth, Visit
from runtime.config import StoreConfig, load
from runtime.demo.drawing import draw_demo
from runtime.demo.film import Stretch
from runtime.demo.listener import Listener
from runtime.demo.plaza import LOOP_S, PATHS, Opened, find_clip, open_plaza, read_truth
from runtime.demo.score import Paths, Score, TrueFlip, score
from runtime.demo.summary import Summary, print_summary, write_summary
from runtime.demo.tally import Tally
from runtime.errors import TagsightError
from runtime.uplink.broker.mosquitto import LocalBroker
from runtime.uplink.outbox.reader import OutboxReader

READY_WITHIN_S = 180.0
"""A busy machine or a small board takes its time to compile the network."""
ARRIVE_WITHIN_S = 30.0
"""Broker and subscriber share a slow machine with all else."""
SETTLE_S = 4.0
"""A flip is known this long after it ends (the detector's latency), its match when the daemon stops."""
QUIET_KINDS = ("health", "heatmap")
RESULTS = {
    "events.jsonl": "every event as the subscriber received it",
    "summary.json": "the figures above",
    "annotated.mp4": "the film: visitors, gates, who turned what, and whether that is true",
    "heatmap.png": "where people spent their time, on the floor plan",
    "floor.png": "the paths people took, on the floor plan",
}


@dataclass(frozen=True)
class Watched:
    """The stretch of time that was watched, UTC seconds."""

    start_s: float
    end_s: float
    stop_s: float


def run_demo(seconds: float, out: Path, console: Console) -> Summary:
    """Run the plaza for `seconds` and leave `RESULTS` in `out`. Raises TagsightError where it cannot run."""
    clip = find_clip()
    box = _fresh(out)
    tally = Tally()
    with LocalBroker() as broker:
        console.print(f"broker on {broker.host}:{broker.port}, clip {clip}")
        console.print("listening to the empty store, then opening it")
        with open_plaza(box, clip, broker.port) as plaza:
            config = load(plaza.config)
            hear = _narrator(tally, console, ZoneInfo(config.site.timezone))
            site = config.site
            listener = Listener(broker.host, broker.port, site.name, site.device, out / "events.jsonl", hear)
            watched = _watch(plaza, seconds, tally, console)
            sent = _last_seq(config)
            _wait_for(sent, listener)
            listener.close()
    summary, result = _judge(config, plaza, watched, tally, sent, len(listener.seqs))
    write_summary(summary, out / "summary.json")
    stretch = Stretch.watched(plaza.epoch_s, watched.start_s, watched.end_s)
    draw_demo(clip, config, tally, result, stretch, out, console)
    print_summary(summary, result, console)
    console.print(f"in {out}:")
    for name, what in RESULTS.items():
        console.print(f"  {name:<14} {what}", highlight=False, soft_wrap=True)
    return summary


def _fresh(out: Path) -> Path:
    """The working folder in `out`, empty; results of an earlier demo are removed, anything else stays."""
    out.mkdir(parents=True, exist_ok=True)
    box = out / "box"
    if (box / "store.yaml").exists() or (box / "quiet.yaml").exists():
        shutil.rmtree(box)
    for name in RESULTS:
        (out / name).unlink(missing_ok=True)
    try:
        box.mkdir()
    except FileExistsError:
        raise TagsightError(f"{box} exists and is not a demo's; give another --out") from None
    return box.resolve()


def _narrator(tally: Tally, console: Console, zone: tzinfo) -> Callable[[Event], None]:
    def hear(event: Event) -> None:
        tally.hear(event)
        if event.fact.kind not in QUIET_KINDS and not _says_nothing(event):
            console.print(describe(event, zone), highlight=False, soft_wrap=True)

    return hear


def _says_nothing(event: Event) -> bool:
    """An interval in which nothing happened: it counts, but a reader of the screen need not see it."""
    fact = event.fact
    if isinstance(fact, Footfall):
        return fact.entered == fact.left == 0
    return isinstance(fact, Flow) and fact.transitions == 0


def _watch(plaza: Opened, seconds: float, tally: Tally, console: Console) -> Watched:
    """Wait until frames and reads flow, watch for `seconds`, stop the daemon."""
    with console.status("waiting for the first frames and tag reads") as status:
        _until(lambda: not _waits_for(tally), READY_WITHIN_S, plaza, lambda: status.update(tally.line()))
        if missing := _waits_for(tally):
            raise TagsightError(f"no {missing} within {READY_WITHIN_S:.0f} s; see {plaza.log}")
        start_s = time.time()

        def tell() -> None:
            status.update(f"{min(time.time() - start_s, seconds):.0f} of {seconds:.0f} s | {tally.line()}")

        _until(lambda: False, seconds, plaza, tell)
        end_s = time.time()
    return Watched(start_s, end_s, plaza.stop())


def _until(done: Callable[[], bool], limit_s: float, plaza: Opened, tell: Callable[[], None]) -> None:
    deadline_s = time.monotonic() + limit_s
    while not done() and time.monotonic() < deadline_s:
        plaza.check()
        time.sleep(min(0.25, max(0.0, deadline_s - time.monotonic())))
        tell()


def _waits_for(tally: Tally) -> str:
    """What does not flow yet, in words; empty once all does."""
    vision, reader = tally.health("vision"), tally.health("reader:ceiling")
    flows = (("pictures", _value(vision, "fps") > 0), ("tag reads", _value(reader, "reads_per_s") > 0))
    return " and no ".join(what for what, there in flows if not there)


def _value(health: ProcessHealth | None, name: str) -> float:
    return 0.0 if health is None else health.values.get(name, 0.0)


def _last_seq(config: StoreConfig) -> int:
    reader = OutboxReader(config.outbox_path())
    try:
        return reader.last_seq()
    finally:
        reader.close()


def _wait_for(sent: int, listener: Listener) -> None:
    deadline_s = time.monotonic() + ARRIVE_WITHIN_S
    while len(listener.seqs) < sent and time.monotonic() < deadline_s:
        time.sleep(0.05)


def _judge(
    config: StoreConfig, plaza: Opened, watched: Watched, tally: Tally, sent: int, received: int
) -> tuple[Summary, Score]:
    judged = (watched.start_s, watched.end_s - SETTLE_S)
    truth = [
        TrueFlip(line.epc, line.start_s, line.end_s, line.person or "")
        for line in read_truth(plaza.truth)
        if judged[0] <= line.start_s and line.end_s <= judged[1]
    ]
    flips = [flip for flip in tally.of(Flip) if judged[0] <= flip.start_s and flip.end_s <= judged[1]]
    result = score(truth, flips, tally.of(Interaction), Paths(PATHS, LOOP_S), plaza.epoch_s)
    summary = Summary(
        seconds=round(watched.end_s - watched.start_s, 1),
        fps=round(tally.fps(), 2),
        wanted_fps=config.cameras[0].analysis_fps,
        reads_per_s=round(_value(tally.health("reader:ceiling"), "reads_per_s"), 1),
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
