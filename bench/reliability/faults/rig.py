"""The parts of one row of `tagsight bench faults`: device process, broker, proxy, cloud."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from broker.mosquitto import LocalBroker
from broker.settings import BrokerSettings
from testing.delivery.account import Account, take_account
from testing.delivery.cloud import Cloud
from testing.delivery.device_process import DeviceProcess
from testing.faults.deaf_proxy import DeafProxy
from testing.waiting import LIMIT_S, until


class Outcome(msgspec.Struct, frozen=True):
    """One row: what the fault cost, how long after its end everything was accounted for, what was said."""

    fault: str
    times: int
    account: Account
    recovery_s: float
    said: str = ""
    failed: bool = False
    """The row did not come to its end; `said` is why."""

    @property
    def passed(self) -> bool:
        return self.account.sound and not self.failed


class Rig:
    """Broker, cloud and device of one row."""

    def __init__(
        self, folder: Path, broker: LocalBroker, uplink: BrokerSettings, cloud: BrokerSettings
    ) -> None:
        self.folder = folder
        self.broker = broker
        self.device = DeviceProcess(folder / "outbox.db", uplink)
        self.proxy = DeafProxy(broker.port)
        self.cloud = Cloud(folder / "cloud.db", broker.port, broker=cloud, present=False)

    def settle(self, fault: str, times: int, said: str = "") -> Outcome:
        """Wait until the cloud can account for everything promised, and draw up the row."""
        began_s = time.monotonic()
        until(lambda: self.cloud.has(self.device.promised), LIMIT_S)
        recovery_s = time.monotonic() - began_s
        account = take_account(self.cloud.path, self.device.promised)
        return Outcome(fault, times, account, round(recovery_s, 2), said)

    def close(self) -> None:
        """End every part."""
        self.cloud.leave()
        self.device.close()
        self.proxy.close()


@contextmanager
def fresh_rig(settings: Sequence[str] = ("allow_anonymous true",)) -> Iterator[Rig]:
    """A fresh rig with the cloud present; `settings` are the broker's. Everything is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="tagsight-faults-") as name,
        LocalBroker(settings) as broker,
    ):
        plain = BrokerSettings(host="127.0.0.1", port=broker.port)
        with running(Rig(Path(name), broker, plain, plain)) as rig:
            yield rig


@contextmanager
def running(rig: Rig) -> Iterator[Rig]:
    """A rig with the cloud present until the context ends."""
    try:
        rig.cloud.arrive()
        yield rig
    finally:
        rig.close()
