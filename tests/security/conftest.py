"""One run of the whole daemon with secrets, people and tags, and everything that could be seen of it."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.mosquitto import LocalBroker, find_mosquitto, free_port
from broker.settings import BrokerSettings
from rfid_reader.simulator.llrp.server import SimulatedReader
from runtime.demo.plaza import SCENARIO, STORE, find_clip
from tagsight.errors import TagsightError
from testing.delivery.cloud import Cloud
from tests.frames.clips import make_clip
from tests.security.processes import Listening, descendants, listening_sockets, written_files

WITHIN_S = 180.0
ENOUGH_EVENTS = 40
WATCHED_S = 4.0


@dataclass
class Seen:
    """What the run left and showed. Secrets by whose they are, processes by pid."""

    folder: Path
    secrets: dict[str, str]
    has_people: bool
    log: str = ""
    events: list[str] = field(default_factory=list)
    command_lines: dict[int, str] = field(default_factory=dict)
    environments: dict[int, str] = field(default_factory=dict)
    listening: set[Listening] = field(default_factory=set)
    helpers_listening: set[Listening] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def state_files(self) -> dict[str, bytes]:
        """Everything in the state folder after the run."""
        state = self.folder / "state"
        files = [path for path in state.rglob("*") if path.is_file()]
        return {str(path.relative_to(state)): path.read_bytes() for path in files}


def mosquitto_password(password: str) -> str:
    """A password as Mosquitto keeps it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return "$7$101$" + "$".join(base64.b64encode(part).decode() for part in (salt, key))


def secret_file(path: Path, secret: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(secret + "\n")
    return path


def describe_store(folder: Path, clip: Path, broker_port: int, reader_port: int) -> Path:
    """The plaza with a login at the broker, and a second camera whose login is refused by nobody there."""
    store: dict[str, Any] = yaml.safe_load(STORE.read_text())
    store["cameras"][0] |= {"uri": f"file:{clip}?loop=1&pace=real", "analysis_fps": 5}
    away = {"name": "away", "uri": f"rtsp://127.0.0.1:{free_port()}/shop", "username": "ann"}
    store["cameras"].append({**away, "password_file": str(folder / "camera.password")})
    store["readers"][0]["port"] = reader_port
    store["uplink"] = {
        "host": "127.0.0.1",
        "port": broker_port,
        "username": "box-1",
        "password_file": str(folder / "broker.password"),
    }
    store["intervals"] = {"footfall_s": 2, "heatmap_s": 2, "flow_s": 2, "health_s": 1}
    store["state_dir"] = str(folder / "state")
    path = folder / "store.yaml"
    path.write_text(yaml.safe_dump(store, sort_keys=False))
    return path


def watch(daemon: subprocess.Popen[bytes], seen: Seen, cloud: Cloud, others: list[int]) -> None:
    """Look at everything while the daemon runs, until enough has been told."""
    deadline_s = time.monotonic() + WITHIN_S
    enough_s = None
    while time.monotonic() < deadline_s and (enough_s is None or time.monotonic() < enough_s):
        assert daemon.poll() is None, "the daemon ended by itself"
        pids = [daemon.pid, *descendants(daemon.pid)]
        for pid in pids:
            proc = Path(f"/proc/{pid}")
            try:
                seen.command_lines[pid] = (proc / "cmdline").read_bytes().decode(errors="replace")
                seen.environments[pid] = (proc / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
        seen.listening |= listening_sockets(pids)
        seen.helpers_listening |= listening_sockets(others)
        seen.written |= written_files(pids)
        if enough_s is None and any(audit.events >= ENOUGH_EVENTS for audit in cloud.audit()):
            enough_s = time.monotonic() + WATCHED_S
        time.sleep(0.3)


@pytest.fixture(scope="session")
def seen() -> Iterator[Seen]:
    """The daemon on the plaza for a few seconds, at debug level, and stopped."""
    try:
        find_mosquitto()
    except TagsightError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="tagsight-security-") as name:
        folder = Path(name)
        try:
            clip, has_people = find_clip(), True
        except TagsightError:
            clip, has_people = make_clip(folder / "clip.mp4", 40, 10.0, (768, 576)), False
        passwords = {who: f"hush-{who}-{secrets.token_hex(8)}" for who in ("broker", "camera")}
        for who, password in passwords.items():
            secret_file(folder / f"{who}.password", password)
        users = secret_file(folder / "users", f"box-1:{mosquitto_password(passwords['broker'])}")
        found = Seen(folder, passwords, has_people)
        with (
            LocalBroker(["allow_anonymous false", f"password_file {users}"]) as broker,
            SimulatedReader(SCENARIO) as reader,
        ):
            login = BrokerSettings(
                host="127.0.0.1",
                port=broker.port,
                username="box-1",
                password_file=folder / "broker.password",
            )
            cloud = Cloud(folder / "cloud.db", broker.port, broker=login)
            config = describe_store(folder, clip, broker.port, reader.port)
            environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
            with (folder / "daemon.log").open("wb") as log:
                command = [sys.executable, "-m", "runtime", "run", "--verbose", "--config", str(config)]
                daemon = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            try:
                watch(daemon, found, cloud, [os.getpid(), broker.pid])
                daemon.send_signal(signal.SIGTERM)
                assert daemon.wait(15) == 0
            finally:
                daemon.kill()
                cloud.leave()
        found.log = (folder / "daemon.log").read_text(errors="replace")
        found.events = bodies(folder / "cloud.db")
        yield found


def bodies(cloud: Path) -> list[str]:
    """The events as they came."""
    import sqlite3

    db = sqlite3.connect(cloud)
    rows = [body for (body,) in db.execute("SELECT body FROM events ORDER BY seq")]
    db.close()
    return rows


PICTURES = re.compile(
    rb"\xff\xd8\xff[\xe0-\xef\xdb]|\x89PNG\r\n|RIFF....(AVI|WEBP)|\x00\x00\x00.ftyp"
    rb"|\x93NUMPY|\x1aE\xdf\xa3",
    re.DOTALL,
)
"""How JPEG, PNG, AVI, WebP, MP4, numpy and Matroska files begin."""
