"""What the demo found, in figures and in a table, and whether the job really ran."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from runtime.demo.score import DemoScore

STOP_LIMIT_S = 5.0
FULL_SHARE = 0.9
"""From this share of the wanted pictures on, a machine keeps up."""
LEAST_SHARE = 0.6
"""Below it a machine is too slow to be blamed for what it misses."""
LEAST_FLIPS = 3
"""Of fewer true flips it may happen that none is found."""


@dataclass(frozen=True)
class Watched:
    """The stretch of time that was watched, UTC seconds, and how long the daemon took to stop."""

    start_s: float
    end_s: float
    stop_s: float


def broken_chain(received: int, lost: int, fps: float, reads_per_s: float) -> list[str]:
    """What is wrong between camera, reader and subscriber that a slow machine does not excuse, a sentence
    each."""
    checks = (
        (received == 0, "no event arrived at the subscriber"),
        (lost > 0, f"{lost} events did not arrive"),
        (fps <= 0, "no picture was analysed"),
        (reads_per_s <= 0, "no tag read arrived"),
    )
    return [sentence for wrong, sentence in checks if wrong]


class DemoFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What every demo's `summary.json` has; `wanted_fps` is the cameras' analysis rate."""

    fps: float
    wanted_fps: float
    reads_per_s: float
    flips_true: int
    flips_found: int
    flips_false: int
    matches_right: int
    matches_wrong: int
    matches_nobody: int
    events_sent: int
    events_received: int
    events_lost: int
    stop_s: float

    @property
    def managed(self) -> float:
        """Share of the wanted frames that were analysed, 0 to 1."""
        return min(1.0, self.fps / self.wanted_fps)

    @property
    def is_slow(self) -> bool:
        """Whether so little was managed that what is missing says nothing."""
        return self.managed < LEAST_SHARE

    def failures(self) -> list[str]:
        """Why the job did not really run, a sentence each; empty where it did."""
        failed = broken_chain(self.events_received, self.events_lost, self.fps, self.reads_per_s)
        return failed if self.is_slow else failed + self.shortfalls()

    def shortfalls(self) -> list[str]:
        """What a machine with time to spare does not leave undone."""
        late = self.stop_s >= STOP_LIMIT_S
        return [f"the daemon took {self.stop_s:.1f} s to stop"] if late else []


class Summary(DemoFigures, frozen=True, kw_only=True):
    """The plaza's. `gates` is entrance -> [in, out]."""

    seconds: float
    gates: dict[str, tuple[int, int]]
    visits: int
    dwells: int
    transitions: int
    events_by_kind: dict[str, int]

    def verdict(self) -> str:
        """One sentence for a job that ran: how much of it this machine managed, and what that cost."""
        if self.managed >= FULL_SHARE:
            return "Everything worked."
        share = "half" if round(10 * self.managed) == 5 else f"{self.managed:.0%}"
        text = (
            f"Everything worked; your CPU managed {share} of it: {self.fps:.1f} of "
            f"{self.wanted_fps:.0f} frames a second."
        )
        if self.is_slow and (cost := self.shortfalls()):
            text += f" At this pace it can happen that {'; '.join(cost)}."
        return text + " `tagsight doctor` says how many cameras it carries."

    def shortfalls(self) -> list[str]:
        """Also that nobody was seen, or no flip."""
        checks = (
            (self.visits + self.dwells == 0, "nobody was seen in any zone or entrance"),
            (
                self.flips_true >= LEAST_FLIPS and self.flips_found == 0,
                f"none of {self.flips_true} flips was found",
            ),
        )
        return [sentence for wrong, sentence in checks if wrong] + DemoFigures.shortfalls(self)


def named_share(score: DemoScore) -> str:
    """The share of named matches that are right, in words."""
    share = score.right_share
    return (
        "none was named" if share is None else f"{share:.0%} of {score.right + score.wrong} named are right"
    )


def write_summary(summary: Summary, path: Path) -> None:
    """As indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")


def print_summary(summary: Summary, score: DemoScore, console: Console) -> None:
    """The table at the end."""
    table = Table(title="The plaza in figures", title_justify="left", show_header=False)
    table.add_row(
        "watched", f"{summary.seconds:.0f} s at {summary.fps:.1f} frames/s of {summary.wanted_fps:.0f}"
    )
    for gate, (entered, left) in summary.gates.items():
        table.add_row(gate, f"{entered} in, {left} out")
    table.add_row("stays in zones", f"{summary.dwells}, {summary.transitions} walks from zone to zone")
    table.add_row("tag reads", f"{summary.reads_per_s:.0f}/s")
    found = f"{summary.flips_found} of {summary.flips_true} found, {summary.flips_false} that were none"
    table.add_row("garments turned over", found)
    table.add_row("by whom", f"{named_share(score)}, {summary.matches_nobody} without a name")
    delivered = f"{summary.events_received} of {summary.events_sent} received, {summary.events_lost} lost"
    table.add_row("events", delivered)
    table.add_row("stopped in", f"{summary.stop_s:.1f} s")
    console.print(table)
