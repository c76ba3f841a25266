"""What a soak has measured, kept whatever ends it."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.reliability.soak.faults import Faults
from bench.reliability.soak.figures import MB, ProcessTrend, Sample, course_of, sample_all
from bench.reliability.soak.store import SoakAccount, SoakStore
from tagsight.errors import TagsightError

WARM_UP_S = 60.0
SAMPLE_EVERY_S = 5.0
SAVE_EVERY_S = 30.0
TURN_S = 0.5
TO_THE_END = ""


class SoakReport(msgspec.Struct, frozen=True):
    """What the soak found. `tracebacks` are faults of the program in the daemon's log.

    `ended` is why it did not go to the end, empty where it did; `seconds` is how long it went after its
    warm-up. `account` and `stop_s` are None where what arrived could not be told, or the daemon did not stop
    in order.
    """

    seconds: float
    faults: dict[str, int]
    account: SoakAccount | None
    processes: list[ProcessTrend]
    starts: int
    tracebacks: int
    crash_reports: int
    stop_s: float | None
    ended: str = TO_THE_END

    @property
    def sound(self) -> bool:
        """It went to the end and nothing was lost."""
        return not self.ended and self.account is not None and not self.account.lost


class Watch:
    """What is noted while the soak goes on, and written to `record` every half minute."""

    def __init__(self, store: SoakStore, record: Path) -> None:
        self.store = store
        self.record = record
        self.begin_s = time.monotonic()
        self.samples: dict[str, list[Sample]] = {}
        self.strikes: list[tuple[float, str]] = []
        self.struck: Counter[str] = Counter()
        self.ended_s: float | None = None
        self._sampled_s = 0.0
        self._saved_s = self.begin_s

    def turn(self, faults: Faults | None) -> None:
        """Mend, strike, sample. Raises TagsightError where the daemon has ended."""
        self.store.check()
        now_s = time.monotonic()
        if faults is not None:
            self.strikes += [(now_s, name) for name, begins in faults.advance(now_s) if begins]
            self.struck = faults.struck
        if now_s - self._sampled_s >= SAMPLE_EVERY_S:
            self._sampled_s = now_s
            for name, one in sample_all(self.store.pids, now_s).items():
                self.samples.setdefault(name, []).append(one)
        if now_s - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = now_s
            save(self.report("it was still going on when this was written"), self.record)
        time.sleep(TURN_S)

    def go_on(self, until_s: float, faults: Faults | None, tell: Callable[[str], None]) -> None:
        """Turn until the clock says `until_s`."""
        while (left_s := until_s - time.monotonic()) > 0:
            self.turn(faults)
            total = sum(course[-1].memory for course in self.samples.values())
            tell(f"{left_s:.0f} s to go, {total / MB:.0f} MB in all, {len(self.strikes)} faults so far")

    def report(
        self, ended: str = TO_THE_END, account: SoakAccount | None = None, stop_s: float | None = None
    ) -> SoakReport:
        """The figures so far."""
        courses = (course_of(name, course) for name, course in sorted(self.samples.items()))
        return SoakReport(
            seconds=round(max(0.0, (self.ended_s or time.monotonic()) - self.begin_s - WARM_UP_S), 1),
            faults=dict(sorted(self.struck.items())),
            account=account,
            processes=[course for course in courses if course is not None],
            starts=self.store.starts(),
            tracebacks=self.store.log.read_text(errors="replace").count("Traceback (most recent call last)"),
            crash_reports=len(list((self.store.folder / "state" / "crash").glob("*.trace"))),
            stop_s=None if stop_s is None else round(stop_s, 2),
            ended=ended,
        )

    def close(self, ended: str) -> SoakReport:
        """Stop the daemon, ask the cloud, and say what there is to say, whatever of it fails."""
        self.ended_s = time.monotonic()
        account = stop_s = None
        try:
            stop_s = self.store.stop()
            account = self.store.account()
        except KeyboardInterrupt:
            ended = ended or "interrupted while it stopped"
        except (TagsightError, OSError, sqlite3.Error) as error:
            ended = "; ".join(filter(None, (ended, str(error))))
        return self.report(ended, account, stop_s)


def save(report: SoakReport, path: Path) -> None:
    """Write it as JSON, whole or not at all. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    fresh.replace(path)
