"""The fork server as a real process: it refuses, dies and hangs, and the children and the caller do not."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.messages import pair
from runtime.supervisor.forkserver import client
from runtime.supervisor.forkserver.client import (
    Answer,
    Exited,
    ForkServerClient,
    ForkServerError,
    NotStarted,
    Started,
)

REFUSES_ONCE = """
import errno, os
fork = os.fork
def refuse():
    os.fork = fork
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
os.fork = refuse
"""


def wait_for_the_end(control: socket.socket, code: int) -> None:
    """A job: say something, wait until the other end is closed, and end with a code."""
    control.send(b"here")
    control.recv(1)
    raise SystemExit(code)


@pytest.fixture
def server() -> Iterator[ForkServerClient]:
    one = ForkServerClient(())
    yield one
    one.close()


def receive(server: ForkServerClient, count: int = 1, limit_s: float = 20.0) -> list[Answer]:
    """Its next answers."""
    said: list[Answer] = []
    deadline_s = time.monotonic() + limit_s
    while len(said) < count:
        said += server.receive(time.monotonic())
        assert time.monotonic() < deadline_s, said
        time.sleep(0.02)
    return said


def ask(server: ForkServerClient, code: int = 0) -> tuple[int, socket.socket]:
    ours, theirs = pair()
    with theirs:
        return server.ask("one", wait_for_the_end, theirs, (code,), time.monotonic()), ours


def started_child(server: ForkServerClient, code: int = 0) -> tuple[Started, socket.socket]:
    ticket, ours = ask(server, code)
    (said,) = receive(server)
    assert isinstance(said, Started) and said.ticket == ticket
    ours.settimeout(20.0)
    assert ours.recv(10) == b"here"
    return said, ours


def has_ended(started: Started, limit_s: float = 0.0) -> bool:
    assert started.pidfd is not None
    return bool(select.select([started.pidfd], [], [], limit_s)[0])


@pytest.mark.parametrize("code", [0, 7])
def test_a_child_runs_and_its_end_is_told(server: ForkServerClient, code: int) -> None:
    started, control = started_child(server, code)
    assert not has_ended(started)
    control.close()
    assert receive(server) == [Exited(started.pid, code)]
    assert has_ended(started)


def test_a_signal_is_told_as_a_negative_code(server: ForkServerClient) -> None:
    started, _control = started_child(server)
    os.kill(started.pid, signal.SIGKILL)
    assert receive(server) == [Exited(started.pid, -signal.SIGKILL)]


def test_a_fork_that_the_kernel_refuses_is_told_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "refuses_once.py").write_text(REFUSES_ONCE)
    monkeypatch.syspath_prepend(tmp_path)
    server = ForkServerClient(["refuses_once"])
    ticket, _ = ask(server)
    (said,) = receive(server)
    assert isinstance(said, NotStarted) and said.ticket == ticket
    assert said.why.startswith("Resource temporarily unavailable (too many processes")
    pid = server.pid
    started_child(server)
    assert server.pid == pid, "the server has lived through it"
    server.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_server_without_free_descriptors_refuses(server: ForkServerClient) -> None:
    _born, _control = started_child(server)
    assert server.pid is not None
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, 3))
    ask(server)
    (said,) = receive(server)
    assert isinstance(said, NotStarted) and "too many open files" in said.why


def test_children_of_a_server_that_was_killed_run_on_and_the_next_gets_a_new_one(
    server: ForkServerClient,
) -> None:
    started, control = started_child(server)
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid is not None:
        assert server.receive(time.monotonic()) == []
    second, _ = started_child(server)
    assert server.pid != pid
    assert not has_ended(started)
    control.close()
    assert has_ended(started, 20.0)
    assert not has_ended(second)


def test_a_server_that_dies_with_a_request_in_hand_has_refused_it(server: ForkServerClient) -> None:
    _born, _control = started_child(server)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    ticket, _ = ask(server)
    os.kill(server.pid, signal.SIGKILL)
    assert receive(server) == [NotStarted(ticket, "the fork server has ended")]


def test_a_server_that_hangs_is_replaced_and_nobody_waits_for_it(
    server: ForkServerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN_S", 0.5)
    started, _control = started_child(server)
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    ticket, _ = ask(server)
    assert time.monotonic() - began_s < 0.4
    server.check(began_s + 0.4)
    assert server.pid == pid
    server.check(began_s + 5.0)
    assert receive(server) == [NotStarted(ticket, "the fork server has not answered for 0 s")]
    started_child(server)
    assert server.pid != pid and not has_ended(started)


def test_no_process_for_the_server_itself_is_one_sentence(
    server: ForkServerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ForkServerError, match="No such file or directory"):
        ask(server)
    monkeypatch.undo()
    started_child(server)


def test_a_job_larger_than_a_socket_takes_arrives(server: ForkServerClient) -> None:
    ours, theirs = pair()
    server.ask("big", _tell_length, theirs, ("x" * 3_000_000,), time.monotonic())
    ours.settimeout(20.0)
    assert ours.recv(100) == b"3000000"


def _tell_length(control: socket.socket, text: str) -> None:
    control.send(str(len(text)).encode())
