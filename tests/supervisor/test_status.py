"""When systemd is told what."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime.messages import Health
from runtime.supervisor.systemd.notify import Notifier
from runtime.supervisor.systemd.status import READY_WITHIN_S, SILENT_S, StatusNotifier


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.setblocking(False)
    return listener


@pytest.fixture
def herald(tmp_path: Path, systemd: socket.socket) -> StatusNotifier:
    return StatusNotifier(Notifier(str(tmp_path / "notify")), began_s=100.0)


def heard(systemd: socket.socket) -> list[str]:
    told = []
    while True:
        try:
            told.append(systemd.recv(1000).decode())
        except BlockingIOError:
            return told


def said(state: str) -> Health:
    return Health("uplink", state, 1.0, 1.0)


def test_ready_is_told_once_and_only_when_the_brokers_absence_is_known(
    herald: StatusNotifier, systemd: socket.socket
) -> None:
    herald.update({"uplink": said("connecting")}, 101.0)
    assert heard(systemd) == []
    herald.update({"uplink": said("disconnected")}, 102.0)
    assert heard(systemd) == ["READY=1\nSTATUS=all processes run; absent: uplink (disconnected)"]
    herald.update({"uplink": said("disconnected")}, 103.0)
    assert heard(systemd) == []
    herald.update({"uplink": said("ok")}, 104.0)
    assert heard(systemd) == ["STATUS=all processes run"]


def test_ready_is_said_again_where_nobody_took_it(herald: StatusNotifier, systemd: socket.socket) -> None:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            sender.sendto(b"X=1", systemd.getsockname())
    herald.update({"uplink": said("ok")}, 101.0)
    assert not any("READY" in each for each in heard(systemd))
    herald.update({"uplink": said("ok")}, 102.0)
    assert heard(systemd) == ["READY=1\nSTATUS=all processes run"]


def test_ready_does_not_wait_for_ever(herald: StatusNotifier, systemd: socket.socket) -> None:
    herald.update({"vision": None}, 100.0 + READY_WITHIN_S + 0.1)
    assert heard(systemd) == ["READY=1\nSTATUS=not there yet: vision"]


NOT_KEPT = Health("store", "disk", 1.0, 1.0, "outbox.db: disk is full")
KEPT = Health("store", "live", 1.0, 1.0)


@pytest.mark.parametrize(
    ("store", "fault"), [(NOT_KEPT, ""), (KEPT, "state_dir is read-only"), (None, ""), (None, "newer format")]
)
def test_a_box_that_keeps_nothing_is_not_ready_and_asks_for_time(
    herald: StatusNotifier, systemd: socket.socket, store: Health | None, fault: str
) -> None:
    for second in range(400):
        herald.update({"store": store, "uplink": said("ok")}, 101.0 + second, fault)
        for told in heard(systemd):
            assert "READY" not in told
            assert told.startswith(("STATUS=degraded: ", "EXTEND_TIMEOUT_USEC=60000000"))
            last_s = 101.0 + second
        assert second < 10 or 101.0 + second - last_s < 60, "it would have been ended"
    herald.reloading()
    herald.reloaded()
    assert heard(systemd) == []
    herald.update({"store": KEPT, "uplink": said("ok")}, 502.0)
    assert "READY=1\nSTATUS=all processes run" in heard(systemd)


def test_a_disk_that_fills_later_is_told_in_the_status_and_in_the_log(
    herald: StatusNotifier, systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    herald.update({"store": KEPT}, 101.0)
    heard(systemd)
    herald.update({"store": NOT_KEPT}, 102.0)
    assert heard(systemd) == [
        "STATUS=degraded: outbox.db: disk is full; all processes run; absent: store (disk)"
    ]
    assert herald.degraded
    assert [record.levelname for record in caplog.records].count("ERROR") == 1
    herald.update({"store": KEPT}, 103.0)
    assert heard(systemd) == ["STATUS=all processes run"]


def test_the_watchdog_is_fed_while_anybody_is_heard(
    herald: StatusNotifier, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    herald.feed_watchdog(101.0, last_message_s=100.5)
    herald.feed_watchdog(102.0, last_message_s=101.5)
    assert heard(systemd) == ["WATCHDOG=1"], "half the interval has not passed"
    herald.feed_watchdog(107.0, last_message_s=106.0)
    assert heard(systemd) == ["WATCHDOG=1"]
    herald.feed_watchdog(107.0 + SILENT_S, last_message_s=106.0)
    assert heard(systemd) == [], "nobody makes progress: systemd is to start the box anew"
    herald.feed_watchdog(108.0 + SILENT_S, last_message_s=107.5 + SILENT_S)
    assert heard(systemd) == ["WATCHDOG=1"]
