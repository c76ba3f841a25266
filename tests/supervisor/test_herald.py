"""When systemd is told what."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime.messages import Health
from runtime.supervisor.herald import NOBODY_HEARD_S, READY_WITHIN_S, Herald
from runtime.supervisor.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.setblocking(False)
    return listener


@pytest.fixture
def herald(tmp_path: Path, systemd: socket.socket) -> Herald:
    return Herald(Notifier(str(tmp_path / "notify")), began_s=100.0)


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
    herald: Herald, systemd: socket.socket
) -> None:
    herald.announce({"uplink": said("connecting")}, 101.0)
    assert heard(systemd) == []
    herald.announce({"uplink": said("disconnected")}, 102.0)
    assert heard(systemd) == ["READY=1\nSTATUS=all processes run; absent: uplink (disconnected)"]
    herald.announce({"uplink": said("disconnected")}, 103.0)
    assert heard(systemd) == []
    herald.announce({"uplink": said("ok")}, 104.0)
    assert heard(systemd) == ["STATUS=all processes run"]


def test_ready_is_said_again_where_nobody_took_it(herald: Herald, systemd: socket.socket) -> None:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            sender.sendto(b"X=1", systemd.getsockname())
    herald.announce({"uplink": said("ok")}, 101.0)
    assert not any("READY" in each for each in heard(systemd))
    herald.announce({"uplink": said("ok")}, 102.0)
    assert heard(systemd) == ["READY=1\nSTATUS=all processes run"]


def test_ready_does_not_wait_for_ever(herald: Herald, systemd: socket.socket) -> None:
    herald.announce({"vision": None}, 100.0 + READY_WITHIN_S + 0.1)
    assert heard(systemd) == ["READY=1\nSTATUS=not there yet: vision"]


def test_the_watchdog_is_fed_while_anybody_is_heard(
    herald: Herald, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    herald.feed(101.0, heard_s=100.5)
    herald.feed(102.0, heard_s=101.5)
    assert heard(systemd) == ["WATCHDOG=1"], "half the interval has not passed"
    herald.feed(107.0, heard_s=106.0)
    assert heard(systemd) == ["WATCHDOG=1"]
    herald.feed(107.0 + NOBODY_HEARD_S, heard_s=106.0)
    assert heard(systemd) == [], "nobody makes progress: systemd is to start the box anew"
    herald.feed(108.0 + NOBODY_HEARD_S, heard_s=107.5 + NOBODY_HEARD_S)
    assert heard(systemd) == ["WATCHDOG=1"]
