"""Both ends of the uplink: a box's outbox and sender, and a cloud's receiver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.settings import BrokerSettings
from contract.envelope import Origin
from contract.facts import ProcessHealth, Visit
from fleet.ingest.consumer.audit import Audit
from fleet.ingest.consumer.receiver import Receiver
from fleet.ingest.consumer.store import CloudStore
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.writer import Outbox

ORIGIN = Origin("plaza", "box-1")
WaitUntil = Callable[[Callable[[], object], float], None]


def visit(number: int) -> Visit:
    return Visit(
        key=f"visit/{number}", time_s=1_700_000_000.0, visitor=f"v{number}", direction="in", entrance="door"
    )


def health(number: int) -> ProcessHealth:
    return ProcessHealth(
        key=f"health/{number}", time_s=1_700_000_000.0, process="vision", state="ok", progress_s=0.0
    )


class Device:
    """Outbox and sender of one box, as the store and uplink processes hold them."""

    def __init__(
        self,
        folder: Path,
        broker: BrokerSettings,
        limits: DeliveryLimits | None = None,
        ack_timeout_s: float = 2.0,
    ) -> None:
        path = folder / "outbox.db"
        self.outbox = Outbox(
            path, ORIGIN, OutboxLimits(group_delay_s=0.005), on_commit=lambda seq: self.sender.wake()
        )
        self.sender = Sender(
            path, ORIGIN, broker, limits=limits, ack_timeout_s=ack_timeout_s, first_pause_s=0.1
        )
        self.sender.start()

    def say(self, first: int, last: int) -> None:
        self.outbox.append([visit(number) for number in range(first, last + 1)])

    def close(self) -> None:
        self.sender.stop()
        self.outbox.close()


@contextmanager
def device_of(
    folder: Path, port: int, *, trust_broker: bool = False, protocol: int = 5, **more: object
) -> Iterator[Device]:
    broker = BrokerSettings(
        host="127.0.0.1", port=port, trust_broker=trust_broker, protocol=5 if protocol == 5 else 311
    )
    device = Device(folder, broker, **more)  # type: ignore[arg-type]
    try:
        yield device
    finally:
        device.close()


class Cloud:
    """A receiver in the background."""

    def __init__(self, path: Path, port: int, protocol: int = 5) -> None:
        self.path = path
        broker = BrokerSettings(host="127.0.0.1", port=port, protocol=5 if protocol == 5 else 311)
        self._ready: CloudStore | None = None
        self.receiver: Receiver | None = None
        started = threading.Event()

        def serve() -> None:
            store = CloudStore(path)
            self.receiver = Receiver(broker, store)
            started.set()
            self.receiver.run()
            store.close()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        started.wait()

    def audit(self) -> Audit | None:
        store = CloudStore(self.path)
        audits = store.audit()
        store.close()
        return audits[0] if audits else None

    def has(self, last_seq: int) -> bool:
        audit = self.audit()
        return audit is not None and audit.complete and audit.last_seq >= last_seq

    def connect(self, timeout_s: float = 10.0) -> None:
        assert self.receiver is not None
        assert self.receiver.connected.wait(timeout_s)

    def close(self) -> None:
        assert self.receiver is not None
        self.receiver.stopping.set()
        self._thread.join(10.0)


@contextmanager
def cloud_of(path: Path, port: int, protocol: int = 5) -> Iterator[Cloud]:
    cloud = Cloud(path, port, protocol)
    try:
        cloud.connect()
        yield cloud
    finally:
        cloud.close()
