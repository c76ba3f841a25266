"""The uplink process as the supervisor sees it: told by sockets, heard by health."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.mosquitto import LocalBroker, free_port
from broker.settings import BrokerSettings, TlsFiles
from contract.envelope import Origin
from contract.facts import Visit
from runtime import messages
from runtime.messages import Attach, Committed, Health, Stop
from runtime.processes import uplink as uplink_process
from runtime.processes.uplink import UplinkSpec, main
from runtime.uplink.outbox.writer import Outbox
from testing.faults.authority import Authority

WaitUntil = Callable[[Callable[[], object], float], None]


class Supervised:
    """The process's `main` in a thread, and our end of its control socket."""

    def __init__(
        self, folder: Path, port: int, *, tls: TlsFiles | bool = False, trust_broker: bool = True
    ) -> None:
        self.path = folder / "outbox.db"
        self.control, theirs = messages.pair()
        self.control.settimeout(5.0)
        clock = (time.time(), time.monotonic())
        broker = BrokerSettings(host="127.0.0.1", port=port, tls=tls, trust_broker=trust_broker)
        spec = UplinkSpec(self.path, "plaza", "box-1", broker, clock=clock)
        self.thread = threading.Thread(target=main, args=(theirs, spec), daemon=True)
        self.thread.start()

    def health(self) -> Health:
        message, _ = messages.receive(self.control)
        assert isinstance(message, Health)
        return message

    def attach_store(self) -> socket.socket:
        ours, theirs = messages.pair()
        messages.send(self.control, Attach("records", "store"), (theirs.fileno(),))
        theirs.close()
        return ours

    def next_health(self, state: str) -> Health:
        for _ in range(10):
            health = self.health()
            if health.state == state:
                return health
        raise AssertionError(f"never {state}")


def visit() -> Visit:
    return Visit(key="visit/1", time_s=time.time(), visitor="v", direction="in", entrance="door")


def test_what_the_store_commits_is_delivered_and_health_says_so(broker: LocalBroker, tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, broker.port)
    store = supervised.attach_store()
    with Outbox(supervised.path, Origin("plaza", "box-1")) as outbox:
        outbox.append([visit()] * 10)
        messages.send(store, Committed(outbox.flush()))
        health = supervised.next_health("ok")
        while health.values["delivered_seq"] < 10:
            health = supervised.health()
    assert health.values["backlog"] == 0 and health.process == "uplink"
    began_s = time.monotonic()
    messages.send(supervised.control, Stop())
    supervised.thread.join(5.0)
    assert not supervised.thread.is_alive()
    assert time.monotonic() - began_s < 1.0


def test_it_delivers_what_is_in_the_outbox_though_the_store_never_speaks(
    broker: LocalBroker, tmp_path: Path
) -> None:
    with Outbox(tmp_path / "outbox.db", Origin("plaza", "box-1")) as outbox:
        outbox.append([visit()] * 5)
    supervised = Supervised(tmp_path, broker.port)
    while supervised.health().values["delivered_seq"] < 5:
        pass
    supervised.control.close()
    supervised.thread.join(5.0)
    assert not supervised.thread.is_alive()


def test_without_a_broker_it_keeps_answering_and_says_what_is_missing(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", Origin("plaza", "box-1")):
        pass
    supervised = Supervised(tmp_path, free_port())
    supervised.health()
    health = supervised.health()
    assert health.state == "disconnected"
    assert "nothing listens there" in health.detail
    messages.send(supervised.control, Stop())
    supervised.thread.join(2.0)
    assert not supervised.thread.is_alive()


@pytest.mark.parametrize(
    ("days", "words"), [(-2, "expired 2 days ago"), (3, "expires in 3 days"), (90, "")], ids=str
)
def test_health_says_when_the_certificate_expires(tmp_path: Path, days: int, words: str) -> None:
    supervised = Supervised(tmp_path, free_port(), tls=Authority(tmp_path).issue("plaza/box-1", days=days))
    supervised.health()
    health = supervised.health()
    assert health.values["certificate_days"] == pytest.approx(days, abs=0.1)
    assert health.state == "disconnected"
    assert words in health.detail
    assert ("certificate expire" in health.detail) == bool(words)
    messages.send(supervised.control, Stop())
    supervised.thread.join(2.0)


def test_a_cloud_that_never_acknowledges_is_said(
    broker: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink_process, "UNANSWERED_WARNING_S", 0.5)
    with Outbox(tmp_path / "outbox.db", Origin("plaza", "box-1")) as outbox:
        outbox.append([visit()] * 5)
    supervised = Supervised(tmp_path, broker.port, trust_broker=False)
    health = supervised.next_health("unacknowledged")
    assert health.values["delivered_seq"] == 0
    assert "uplink.trust_broker" in health.detail
    messages.send(supervised.control, Stop())
    supervised.thread.join(2.0)
