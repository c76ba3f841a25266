"""Metrics of a daemon: a file for node-exporter, a port for Prometheus; and whether the box is well."""

from __future__ import annotations

import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.mosquitto import free_port
from runtime import messages
from runtime.clock import HostClock
from runtime.config import StoreConfig
from runtime.messages import FloorNow, HealthState, OnFloor, WatchRequest
from runtime.processes.neighbours import metrics
from tests.commands.health import healthcheck
from tests.neighbours.written import a_store, footfall, health, write
from tests.processes.in_a_thread import WITHIN_S, InAThread
from tests.supervisor.bare_daemon import STORE, BareDaemon


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WITHIN_S) as answer:
        return samples(answer.read().decode())


class Box(InAThread):
    """A running metrics process."""

    def __init__(self, config: StoreConfig) -> None:
        super().__init__(metrics.main, metrics.spec_of(config, "metrics", HostClock().state))


@pytest.fixture
def stopped() -> Iterator[list[Box]]:
    """Boxes that are stopped after the test."""
    boxes: list[Box] = []
    yield boxes
    for box in boxes:
        box.close()


def test_people_are_asked_for_and_told_at_the_port(stopped: list[Box], tmp_path: Path) -> None:
    port = free_port()
    config = a_store(tmp_path, f"metrics: {{port: {port}}}\n")
    config.outbox_path().parent.mkdir(exist_ok=True)
    now_s = time.time()
    write(config.outbox_path(), (footfall(now_s - 1, 4, 1), health("vision", now_s + 60, fps=9.0)), now_s)
    box = Box(config)
    stopped.append(box)
    assert messages.receive(box.store)[0] == WatchRequest(True)
    messages.send(box.store, FloorNow(now_s + 60, (OnFloor("a1", (1.0, 1.0)),)))
    box.health(HealthState.LIVE)
    deadline_s = time.monotonic() + WITHIN_S
    while ("tagsight_zone_persons", "racks") not in (found := scraped(port)):
        assert time.monotonic() < deadline_s, found
        time.sleep(0.1)
    assert found["tagsight_zone_persons", "racks"] == 1
    assert found["tagsight_entered_persons_total", "door"] == 4
    box.stop()
    with pytest.raises(OSError):
        scraped(port)


def test_a_port_that_is_taken_is_said(stopped: list[Box], tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        box = Box(a_store(tmp_path, f"metrics: {{port: {port}}}\n"))
        stopped.append(box)
        detail = box.health(HealthState.UNUSABLE).detail
        while "metrics.port" not in detail:
            detail = box.health(HealthState.UNUSABLE).detail
        assert f"127.0.0.1:{port} cannot be listened on: address already in use" in detail


def test_a_folder_that_is_not_there_is_said_and_written_to_once_it_is(
    stopped: list[Box], tmp_path: Path
) -> None:
    file = tmp_path / "node" / "tagsight.prom"
    config = a_store(tmp_path)
    box_config = type(config)(
        **{name: getattr(config, name) for name in config.__struct_fields__ if name != "metrics"},
        metrics=type(config.metrics)(textfile=file, every_s=1.0),
    )
    box = Box(box_config)
    stopped.append(box)
    assert "cannot be written: no such file or directory" in box.health(HealthState.UNUSABLE).detail
    file.parent.mkdir()
    deadline_s = time.monotonic() + WITHIN_S
    while not file.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[BareDaemon]:
    running = BareDaemon(tmp_path, start=False)
    yield running
    running.end()


def test_a_daemon_writes_the_file_and_says_that_it_is_well(
    daemon: BareDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, file = tmp_path / "store.yaml", tmp_path / "tagsight.prom"
    assert healthcheck(store, capsys)[0] == 1, "nothing has run here yet"
    store.write_text(STORE + "metrics: {textfile: tagsight.prom, every_s: 1}\n")
    daemon.start()
    daemon.wait_for(lambda: file.exists() and "tagsight_processes 3.0" in file.read_text())
    assert file.stat().st_mode & 0o777 == 0o644, "node-exporter is another user"

    def health_of_both() -> tuple[float | None, float | None]:
        found = samples(file.read_text())
        return tuple(found.get(("tagsight_process_healthy", name)) for name in ("uplink", "metrics"))  # type: ignore[return-value]

    daemon.wait_for(lambda: health_of_both() == (0, 1))  # there is no broker at port 9
    wrong = "Something is wrong: the way to the cloud is not connected"
    said: list[str] = []

    def is_said() -> bool:
        code, words = healthcheck(store, capsys)
        said.append(words)
        return code == 1 and words.startswith(wrong)

    daemon.wait_for(is_said)
    assert said[-1].count("\n") == 1
    assert daemon.stop() == 0
    assert not file.exists(), "what is not kept up to date is not left for the present"


def test_a_box_without_metrics_does_not_load_the_client_library() -> None:
    import subprocess

    code = "import sys, runtime.processes.kinds; print('prometheus_client' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
