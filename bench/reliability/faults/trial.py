"""What the rows about streams, consumers and state strike: `tagsight run`, a broker, `uplink receive`.

All three are processes. The daemon has no cameras, so it is up in seconds, and many entrances, so it has much
to say.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.reliability.faults.rig import Outcome
from broker.mosquitto import LocalBroker
from contract.envelope import Origin
from runtime.uplink.outbox.writer import Outbox
from testing.delivery.account import Promises
from testing.delivery.cloud import Receive
from testing.delivery.device import visit
from testing.delivery.plaza import Plaza
from testing.waiting import until, wait_for

GATES = 40
STARTS_S = 240.0
ARRIVES_S = 60.0

Change = Callable[[dict[str, Any]], object]


class Trial:
    """A daemon (`box`), a receiver (`receive`) and a broker; `promises` are what the box had on disk."""

    def __init__(
        self,
        folder: Path,
        broker: LocalBroker,
        change: Change | None,
        receive: Sequence[str] = (),
        **more: Any,
    ) -> None:
        def described(store: dict[str, Any]) -> None:
            make_talkative(store)
            if change is not None:
                change(store)

        self.folder = folder
        self.broker = broker
        self.promises = Promises()
        self.receive = Receive(folder / "cloud.db", broker.port, receive)
        assert self.receive.connected(), f"the receiver does not come up: {self.receive.said()[-300:]}"
        self.box = Plaza(
            folder / "box", broker.port, **{"cameras": 0, "reader": False, **more}, change=described
        )
        self.origin = Origin(self.box.store["site"]["name"], self.box.store["site"]["device"])

    def start(self) -> None:
        """Start the box and wait until it says events."""
        if not self.box.start():
            raise RuntimeError(f"the daemon does not come up: {self.last_words()}")

    def last_words(self) -> str:
        """The last line of the daemon's log."""
        return (self.box.said().strip().splitlines() or ["it said nothing"])[-1]

    def note(self) -> None:
        """What is on the box's disk now is promised."""
        with suppress(sqlite3.Error):
            self.promises.note(self.box.outbox)

    def say(self, count: int) -> None:
        """Wait until the box has said that many more events, and note what is on its disk.

        A box may go on as a new stream meanwhile: its numbers begin again.
        """
        last, said = self.box.seq(), 0

        def enough() -> bool:
            nonlocal last, said
            now = self.box.seq()
            said += max(0, now - last)
            last = now
            return said >= count

        wait_for(enough, "the daemon says no events", ARRIVES_S)
        self.note()

    def prefill(self, count: int, tag: str = "before") -> None:
        """A history in the outbox of a box that does not run."""
        with Outbox(self.box.outbox, self.origin) as outbox:
            outbox.append([visit(tag, number) for number in range(1, count + 1)])
            outbox.flush(60.0)
        self.note()

    def arrived(self) -> None:
        """Wait until the consumer has everything that was promised so far."""
        account = self.promises.settle(self.receive.path, ARRIVES_S)
        assert account.lost == 0, f"{account.lost} of {account.promised} promised events did not arrive"

    def stop_box(self, note: bool = True) -> None:
        """SIGTERM, and note what is on the disk then unless that goes."""
        code = self.box.stop()
        assert code == 0, f"the daemon ended with {code}: {self.last_words()}"
        if note:
            self.note()

    def remove_state(self) -> None:
        """The box's state folder is gone."""
        shutil.rmtree(self.box.state)

    def streams(self) -> int:
        """How many streams of this box the consumer accounts for."""
        return sum((one.site, one.device) == self.origin for one in self.receive.audit())

    def box_says(self, pattern: str, after: int = 0, timeout_s: float = ARRIVES_S) -> str:
        """Wait until the daemon's log matches beyond its first `after` characters; returns what matched."""
        return _said(self.box.said, pattern, after, "daemon", timeout_s)

    def receiver_says(self, pattern: str, timeout_s: float = ARRIVES_S) -> str:
        """Wait until the receiver's words match; returns what matched."""
        return _said(self.receive.said, pattern, 0, "receiver", timeout_s)

    def settle(self, fault: str, times: int, said: str = "", began_s: float | None = None) -> Outcome:
        """Wait until the consumer can account for everything promised, and draw up the row.

        `began_s` (monotonic) is when the fault was over, now unless given. Raises AssertionError where the
        consumer's own account says that something is missing, or the box is not told that all has arrived.
        """
        began_s = time.monotonic() if began_s is None else began_s
        self.note()
        account = self.promises.settle(self.receive.path, ARRIVES_S)
        missing = _missing(self.receive)
        recovery_s = time.monotonic() - began_s
        assert account.lost or not missing, f"the consumer misses numbers: {missing}"
        assert account.lost or self._is_acknowledged(), "the box is never told that its events have arrived"
        return Outcome(fault, times, account, round(recovery_s, 2), said)

    def _is_acknowledged(self) -> bool:
        """Whether a box that runs has noted as delivered what is on its disk now."""
        last_seq = self.box.seq()
        return not self.box.alive() or until(lambda: self.box.delivered() >= last_seq, ARRIVES_S)

    def close(self) -> None:
        """End every part."""
        self.box.close()
        self.receive.close()


def make_talkative(store: dict[str, Any]) -> None:
    """Some forty events a second: an entrance says its count every second."""
    gate = store["entrances"][0]
    store["entrances"] += [{**gate, "name": f"gate {number}"} for number in range(GATES)]


def is_traced(pid: int) -> bool:
    """Whether strace is attached to a process."""
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


def _missing(receive: Receive) -> str:
    """What the consumer's own account misses, once it has had time to ask for it; empty if nothing."""
    until(lambda: all(one.complete for one in receive.audit()), ARRIVES_S)
    return "; ".join(f"{one.device}: {one.missing}" for one in receive.audit() if not one.complete)


def _said(says: Callable[[], str], pattern: str, after: int, who: str, timeout_s: float) -> str:
    found: list[str] = []

    def there() -> bool:
        match = re.search(pattern, says()[after:])
        if match is not None:
            found.append(match.group())
        return match is not None

    wait_for(there, f"the {who} never said /{pattern}/", timeout_s)
    return found[0]


@contextmanager
def fresh_trial(change: Change | None = None, **more: Any) -> Iterator[Trial]:
    """A trial whose box is not started yet; `change` and `more` are Plaza's, but for `receive`, which are
    options of the receiver. All is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tagsight-faults-") as name, LocalBroker() as broker:
        trial = Trial(Path(name), broker, change, **more)
        try:
            yield trial
        finally:
            trial.close()
