from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime.supervisor.systemd.notify import Notifier, watchdog_interval_s


def test_lines_reach_the_notify_socket(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    assert Notifier(str(tmp_path / "notify")).send("READY=1", "STATUS=all run")
    assert listener.recv(100) == b"READY=1\nSTATUS=all run"


def test_an_abstract_socket_is_found_by_its_at_sign() -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = f"tagsight-test-{os.getpid()}"
    listener.bind("\0" + name)
    assert Notifier("@" + name).send("WATCHDOG=1")
    assert listener.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nothing_is_sent() -> None:
    assert not Notifier("").send("READY=1")


def test_a_vanished_socket_does_not_stop_the_daemon(tmp_path: Path) -> None:
    assert not Notifier(str(tmp_path / "gone")).send("READY=1")


def test_the_watchdog_is_fed_at_half_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_interval_s() == 10.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval_s() is None
    monkeypatch.delenv("WATCHDOG_USEC")
    assert watchdog_interval_s() is None
