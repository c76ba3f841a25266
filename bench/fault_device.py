"""A device for `tagsight bench faults`: outbox and sender in a process that can be killed.

    python -m bench.fault_device OUTBOX PORT TRUST_BROKER

Commands come on standard input, a line each: `say N` appends N events, `disk BYTES` lets no file grow
beyond that (0: no limit), `step SECONDS` moves the clock. For every group that is on disk a line "SEQ" goes
to standard output.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

from runtime.config import Uplink
from runtime.store.facts import Visit
from runtime.uplink.delivery import DeliveryLimits
from runtime.uplink.events import Origin
from runtime.uplink.outbox import Outbox, OutboxLimits
from runtime.uplink.sender import Sender

ORIGIN = Origin("plaza", "box-1")
GROUP_DELAY_S = 0.005
ACK_TIMEOUT_S = 2.0
RESEND_AFTER_S = 3.0
HOLD_S = 1.0
FIRST_PAUSE_S = 0.1


class Device:
    """What the commands act on."""

    def __init__(self, outbox: Path, broker: Uplink) -> None:
        self._step_s = 0.0
        self._spoken = 0
        self._name = f"{os.getpid()}-{time.time_ns()}"
        limits = DeliveryLimits(batch_events=50, resend_after_s=RESEND_AFTER_S, hold_s=HOLD_S)
        self._sender = Sender(
            outbox,
            ORIGIN,
            broker,
            clock=self._now,
            limits=limits,
            ack_timeout_s=ACK_TIMEOUT_S,
            first_pause_s=FIRST_PAUSE_S,
        )
        self._outbox = Outbox(
            outbox,
            ORIGIN,
            OutboxLimits(group_delay_s=GROUP_DELAY_S),
            clock=self._now,
            on_commit=self._promise,
        )
        self._sender.start()

    def obey(self, command: str, value: float) -> None:
        """One command of standard input."""
        if command == "say":
            self._say(int(value))
        elif command == "disk":
            limit = resource.RLIM_INFINITY if value == 0 else int(value)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        elif command == "step":
            self._step_s += value
        else:
            raise SystemExit(f"no such command: {command}")

    def close(self) -> None:
        self._outbox.close()
        self._sender.stop()

    def _say(self, count: int) -> None:
        for _ in range(count):
            self._spoken += 1
            key = f"visit/{self._name}/{self._spoken}"
            fact = Visit(key=key, time_s=self._now(), visitor="v", direction="in", entrance="door")
            self._outbox.append([fact])

    def _promise(self, seq: int) -> None:
        print(seq, flush=True)
        self._sender.wake()

    def _now(self) -> float:
        return time.time() + self._step_s


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path, port, trust = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "trust"
    device = Device(path, Uplink(host="127.0.0.1", port=port, trust_broker=trust))
    for line in sys.stdin:
        command, _, value = line.partition(" ")
        threading.Thread(target=device.obey, args=(command, float(value)), daemon=True).start()
    device.close()


if __name__ == "__main__":
    main()
