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
from runtime.supervisor.forkserver.client import Answer, Birth, End, Nursery, NurseryError, Refusal

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
def server() -> Iterator[Nursery]:
    one = Nursery(())
    yield one
    one.close()


def hear(server: Nursery, count: int = 1, limit_s: float = 20.0) -> list[Answer]:
    """Its next answers."""
    said: list[Answer] = []
    deadline_s = time.monotonic() + limit_s
    while len(said) < count:
        said += server.hear(time.monotonic())
        assert time.monotonic() < deadline_s, said
        time.sleep(0.02)
    return said


def ask(server: Nursery, code: int = 0) -> tuple[int, socket.socket]:
    ours, theirs = pair()
    with theirs:
        return server.ask("one", wait_for_the_end, theirs, (code,), time.monotonic()), ours


def birth(server: Nursery, code: int = 0) -> tuple[Birth, socket.socket]:
    ticket, ours = ask(server, code)
    (said,) = hear(server)
    assert isinstance(said, Birth) and said.ticket == ticket
    ours.settimeout(20.0)
    assert ours.recv(10) == b"here"
    return said, ours


def has_ended(born: Birth, limit_s: float = 0.0) -> bool:
    assert born.pidfd is not None
    return bool(select.select([born.pidfd], [], [], limit_s)[0])


@pytest.mark.parametrize("code", [0, 7])
def test_a_child_runs_and_its_end_is_told(server: Nursery, code: int) -> None:
    born, control = birth(server, code)
    assert not has_ended(born)
    control.close()
    assert hear(server) == [End(born.pid, code)]
    assert has_ended(born)


def test_a_signal_is_told_as_a_negative_code(server: Nursery) -> None:
    born, _control = birth(server)
    os.kill(born.pid, signal.SIGKILL)
    assert hear(server) == [End(born.pid, -signal.SIGKILL)]


def test_a_fork_that_the_kernel_refuses_is_told_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "refuses_once.py").write_text(REFUSES_ONCE)
    monkeypatch.syspath_prepend(tmp_path)
    server = Nursery(["refuses_once"])
    ticket, _ = ask(server)
    (said,) = hear(server)
    assert isinstance(said, Refusal) and said.ticket == ticket
    assert said.why.startswith("Resource temporarily unavailable (too many processes")
    pid = server.pid
    birth(server)
    assert server.pid == pid, "the server has lived through it"
    server.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_server_without_free_descriptors_refuses(server: Nursery) -> None:
    _born, _control = birth(server)
    assert server.pid is not None
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, 3))
    ask(server)
    (said,) = hear(server)
    assert isinstance(said, Refusal) and "too many open files" in said.why


def test_children_of_a_server_that_was_killed_run_on_and_the_next_gets_a_new_one(server: Nursery) -> None:
    born, control = birth(server)
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid is not None:
        assert server.hear(time.monotonic()) == []
    second, _ = birth(server)
    assert server.pid != pid
    assert not has_ended(born)
    control.close()
    assert has_ended(born, 20.0)
    assert not has_ended(second)


def test_a_server_that_dies_with_a_request_in_hand_has_refused_it(server: Nursery) -> None:
    _born, _control = birth(server)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    ticket, _ = ask(server)
    os.kill(server.pid, signal.SIGKILL)
    assert hear(server) == [Refusal(ticket, "the fork server has ended")]


def test_a_server_that_hangs_is_replaced_and_nobody_waits_for_it(
    server: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN_S", 0.5)
    born, _control = birth(server)
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    ticket, _ = ask(server)
    assert time.monotonic() - began_s < 0.4
    server.check(began_s + 0.4)
    assert server.pid == pid
    server.check(began_s + 5.0)
    assert hear(server) == [Refusal(ticket, "the fork server has not answered for 0 s")]
    birth(server)
    assert server.pid != pid and not has_ended(born)


def test_no_process_for_the_server_itself_is_one_sentence(
    server: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(NurseryError, match="No such file or directory"):
        ask(server)
    monkeypatch.undo()
    birth(server)


def test_a_job_larger_than_a_socket_takes_arrives(server: Nursery) -> None:
    ours, theirs = pair()
    server.ask("big", _tell_length, theirs, ("x" * 3_000_000,), time.monotonic())
    ours.settimeout(20.0)
    assert ours.recv(100) == b"3000000"


def _tell_length(control: socket.socket, text: str) -> None:
    control.send(str(len(text)).encode())
