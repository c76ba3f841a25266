"""The console process on real sockets: its server, its supervisor, the store process."""

from __future__ import annotations

import http.client
import json
import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from broker.mosquitto import free_port
from runtime import messages
from runtime.clock import HostClock
from runtime.config import Console, StoreConfig, load
from runtime.console.link import sign_in_link
from runtime.console.shown import Setup
from runtime.messages import Committed, FloorNow, HealthState, OnFloor, WatchRequest
from runtime.processes import console
from tests.processes.in_a_thread import WITHIN_S, InAThread
from web.security.certificates import fingerprint


class Box(InAThread):
    """A running console process, seen from a browser too."""

    def __init__(self, config: StoreConfig) -> None:
        self.config = config
        self.setup = Setup.of(config)
        super().__init__(console.main, console.spec_of(config, "console", HostClock().state))

    def request(
        self, path: str, method: str = "GET", body: str = "", **headers: str
    ) -> http.client.HTTPResponse:
        """One request; beyond this machine by TLS."""
        connection: http.client.HTTPConnection
        if self.setup.has_tls:
            context = ssl.create_default_context(cafile=str(self.setup.folder / "self-signed.pem"))
            connection = http.client.HTTPSConnection(
                "localhost", self.setup.port, context=context, timeout=WITHIN_S
            )
        else:
            connection = http.client.HTTPConnection("localhost", self.setup.port, timeout=WITHIN_S)
        connection.request(method, path, body, headers)
        return connection.getresponse()

    def cookie(self) -> str:
        """Of a technician, who signs in by the terminal's link."""
        path = "/" + sign_in_link(self.setup).partition("://")[2].partition("/")[2]
        asked = self.request(path)
        first = (asked.headers["set-cookie"] or "").partition(";")[0]
        token = re.search(r'name="token" value="(\w+)"', asked.read().decode())
        assert token is not None
        answer = self.request(
            path,
            "POST",
            f"token={token[1]}",
            Cookie=first,
            Origin=self.setup.url().rstrip("/"),
            Host=self.setup.url().partition("://")[2].rstrip("/"),
            **{"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == 303, answer.read()
        return (answer.headers["set-cookie"] or "").partition(";")[0]


@pytest.fixture
def start(repo: Path, tmp_path: Path) -> Iterator[Callable[..., Box]]:
    boxes: list[Box] = []
    plaza = load(repo / "runtime" / "demo" / "plaza.yaml", clips_needed=False)

    def starting(port: int | None = None, **keys: object) -> Box:
        section = Console(enabled=True, port=port or free_port(), **keys)  # type: ignore[arg-type]
        boxes.append(Box(msgspec.structs.replace(plaza, state_dir=tmp_path, console=section)))
        return boxes[-1]

    yield starting
    for box in boxes:
        box.close()


def test_the_first_run_code_and_the_address_are_in_the_log(
    start: Callable[..., Box], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    box = start()
    box.health(HealthState.LIVE)
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert f"the pages are at http://localhost:{box.setup.port}/" in told
    assert re.search(r"first-run code is [A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}", told)


def test_only_this_machine_is_listened_to_unless_told(start: Callable[..., Box]) -> None:
    box = start()
    box.health(HealthState.LIVE)
    assert box.request("/sign-in").status == 200
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError):
        socket.create_connection((own, box.setup.port), timeout=2.0)


def test_every_network_is_served_by_tls_only_with_its_fingerprint_in_the_log(
    start: Callable[..., Box], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    box = start(host="0.0.0.0", names=["localhost"])
    box.health(HealthState.LIVE)
    assert box.request("/sign-in").headers["set-cookie"].startswith("__Host-")
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert fingerprint(box.setup.folder / "self-signed.pem") in told
    plain = http.client.HTTPConnection("127.0.0.1", box.setup.port, timeout=WITHIN_S)
    with pytest.raises((http.client.HTTPException, OSError)):
        plain.request("GET", "/sign-in")
        plain.getresponse()


def test_a_port_that_is_taken_is_said_and_tried_again(start: Callable[..., Box]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        box = start(port=other.getsockname()[1])
        fault = box.health(HealthState.UNUSABLE).detail
        assert f"127.0.0.1:{box.setup.port} cannot be listened on" in fault and "console.port" in fault
    box.health(HealthState.LIVE)
    assert box.request("/sign-in").status == 200


def test_a_certificate_that_is_none_is_said(start: Callable[..., Box], tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    box = start(cert=tmp_path / "c.pem", key=tmp_path / "c.pem")
    assert "certificate cannot be used" in box.health(HealthState.UNUSABLE).detail


def test_the_store_process_is_asked_for_people_only_while_somebody_looks(start: Callable[..., Box]) -> None:
    box = start()
    box.health(HealthState.LIVE)
    stream = box.request("/live/stream", Cookie=box.cookie())
    assert stream.status == 200
    assert messages.receive(box.store)[0] == WatchRequest(True)
    people = (OnFloor("2f1c8b7e9a04", (-7.0, 3.0)),)
    for _ in range(3):
        messages.send(box.store, FloorNow(HostClock().now(), people))
    lines = iter(stream.readline, b"")
    told = next(line for line in lines if line.startswith(b"event: people"))
    assert told and json.loads(next(lines)[6:])["people"] == [], "vision was never heard of: not known"
    stream.close()
    assert messages.receive(box.store)[0] == WatchRequest(False)


def test_it_ends_in_time_though_somebody_looks(start: Callable[..., Box]) -> None:
    """The quickest of three: a busy machine is late at times."""
    took_s: list[float] = []
    while len(took_s) < 3 and not (took_s and took_s[-1] < 3.0):
        box = start()
        box.health(HealthState.LIVE)
        box.request("/live/stream", Cookie=box.cookie())
        took_s.append(box.stop())
    assert took_s[-1] < 3.0, took_s


def test_a_store_process_that_comes_anew_is_asked_anew_and_rubbish_from_it_is_passed_over(
    start: Callable[..., Box], caplog: pytest.LogCaptureFixture
) -> None:
    box = start()
    box.health(HealthState.LIVE)
    stream = box.request("/live/stream", Cookie=box.cookie())
    assert messages.receive(box.store)[0] == WatchRequest(True)
    box.store.close()
    box.attach_store()
    assert messages.receive(box.store)[0] == WatchRequest(True)
    for rubbish in (b"\xff", b"{}", b"\x93\xa8FloorNow\x01", bytes(40_000)):
        box.store.send(rubbish)
    messages.send(box.store, Committed(1))
    messages.send(box.store, FloorNow(HostClock().now(), (OnFloor("2f1c8b7e9a04", (1.0, 1.0)),)))
    assert any(line.startswith(b"event: people") for line in iter(stream.readline, b""))
    stream.close()
    assert messages.receive(box.store)[0] == WatchRequest(False)
    assert sum("is no record" in record.getMessage() for record in caplog.records) == 4
