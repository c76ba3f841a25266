"""What every process does, in one that does nothing else."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from runtime import messages
from runtime.messages import Attach, Committed, Configure, Detach, Health, HealthState, Message, Stop
from runtime.processes.service import Input, Service
from runtime.processes.spec import Spec, send_spec

LIMIT_S = 20.0


class EchoSpec(Spec, frozen=True):
    LIVE = frozenset({"text"})

    text: str = ""


class Echo(Service):
    """Keeps what its peers say, and sends one record for each."""

    def __init__(self, control: socket.socket, spec: EchoSpec) -> None:
        super().__init__(control, "echo", spec)
        self.text = spec.text
        self.peers: dict[str, int] = {}
        self.said: list[bytes] = []
        self.ticks = 0
        self.steps: list[str] = []
        self.others: list[Message] = []
        self.records = self.send_records()
        self.accept("words", 1, self._attach, self._detach)
        self.configured_by(EchoSpec, self._apply)
        self.every(0.02, self._tick)

    def begin(self) -> None:
        self.steps.append("begin")

    def inputs(self) -> list[Input]:
        return [(fd, lambda fd=fd: self._read(fd)) for fd in self.peers.values()]  # type: ignore[misc]

    def on_wake(self) -> None:
        self.steps.append("woken")

    def on_message(self, message: Message) -> None:
        self.others.append(message)

    def finish(self) -> None:
        self.steps.append("finish")
        super().finish()

    def health(self) -> Health:
        now_s = self.clock.now()
        return Health(self.name, HealthState.OK, now_s, now_s, self.text)

    def _attach(self, name: str, fd: int) -> None:
        self.peers[name] = fd

    def _detach(self, name: str) -> None:
        os.close(self.peers.pop(name))

    def _read(self, fd: int) -> None:
        self.said.append(os.read(fd, 100))
        self.records.put(Committed(len(self.said)))

    def _apply(self, spec: EchoSpec) -> None:
        self.text = spec.text

    def _tick(self) -> None:
        self.ticks += 1


class Running:
    """An `Echo` in a thread, and the supervisor's end of its line."""

    def __init__(self) -> None:
        self.control, theirs = messages.pair()
        self.control.settimeout(LIMIT_S)
        self.echo = Echo(theirs, EchoSpec(clock=(time.time(), time.monotonic())))
        self.thread = threading.Thread(target=self.echo.run, daemon=True)
        self.thread.start()

    def attach(self, role: str, name: str, *fds: int) -> None:
        messages.send(self.control, Attach(role, name), fds)

    def health(self) -> Health:
        message, _ = messages.receive(self.control)
        assert isinstance(message, Health)
        return message

    def stop(self) -> None:
        if self.thread.is_alive():
            messages.send(self.control, Stop())
            self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running()
    yield made
    made.stop()


def until(done: object) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not done():  # type: ignore[operator]
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def test_it_reports_at_once_and_acts_on_its_timers(running: Running) -> None:
    assert (running.health().process, running.health().state) == ("echo", "ok")
    until(lambda: running.echo.ticks > 5)


def test_a_peer_is_read_and_its_records_reach_whoever_takes_them(running: Running) -> None:
    ours, theirs = os.pipe()
    running.attach("words", "one", ours)
    os.close(ours)
    os.write(theirs, b"hello")
    until(lambda: running.echo.said == [b"hello"])
    taker, end = messages.pair()
    running.attach("records", "store", end.fileno())
    end.close()
    taker.settimeout(LIMIT_S)
    assert messages.receive(taker)[0] == Committed(1), "what nobody took has waited"
    messages.send(running.control, Detach("words", "one"))
    until(lambda: running.echo.peers == {})
    os.close(theirs)


def test_descriptors_of_a_role_that_it_does_not_know_are_closed(running: Running) -> None:
    reader, writer = os.pipe()
    running.attach("nonsense", "x", writer)
    os.close(writer)
    assert select.select([reader], [], [], LIMIT_S)[0], "nobody has the other end any more"
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_another_spec_is_taken_up_while_it_runs(running: Running) -> None:
    fd = send_spec(EchoSpec("changed", clock=(0.0, 0.0)))
    messages.send(running.control, Configure(logging.getLogger().level), (fd,))
    os.close(fd)
    until(lambda: running.echo.text == "changed")


def test_another_thread_wakes_it_and_messages_of_no_role_are_passed_on(running: Running) -> None:
    running.echo.wake()
    until(lambda: "woken" in running.echo.steps)
    other = Health("vision", HealthState.LIVE, 1.0, 1.0)
    messages.send(running.control, other)
    until(lambda: running.echo.others == [other])


def test_it_ends_in_order_and_reports_a_last_time(running: Running) -> None:
    running.health()
    running.echo.text = "last"
    running.stop()
    assert (running.echo.steps[0], running.echo.steps[-1]) == ("begin", "finish")
    last = running.health()
    while last.detail != "last":
        last = running.health()


def test_without_its_supervisor_it_ends() -> None:
    running = Running()
    running.control.close()
    running.thread.join(LIMIT_S)
    assert not running.thread.is_alive()
    assert running.echo.steps[-1] == "finish"
