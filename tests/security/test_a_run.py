"""What can be seen of a running box from outside it and in what it leaves: no door, no secret, no picture."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.security.conftest import PICTURES, Seen
from tests.security.processes import Listening, listening_sockets, written_files

LONGEST_LIST_OF_NUMBERS = 16
"""Embeddings have 128 numbers or more; what we tell has points, sizes and ranges."""
ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
STATE_FILES = re.compile(
    r"outbox\.db(-wal|-shm|\.lock|\.seq)?|format\.json|flip-days\.(json|new)|stock\.(json|new)|crash/[\w-]+\.\d+\.trace"
)
PICTURE_WORDS = {"image", "picture", "frame", "crop", "pixels", "embedding", "feature", "features", "face"}


def test_the_daemon_listens_nowhere_and_its_helpers_on_loopback_only(seen: Seen) -> None:
    assert seen.listening == set()
    assert {one.address for one in seen.helpers_listening} == {"127.0.0.1"}
    assert len(seen.helpers_listening) >= 2, "the broker and the simulated reader listen"


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_a_socket_open_to_all_would_be_found(family: int, address: str) -> None:
    import os

    with socket.socket(family) as door:
        try:
            door.bind((address, 0))
        except OSError as error:
            pytest.skip(f"{address} cannot be used here: {error}")
        door.listen()
        protocol = "tcp" if family == socket.AF_INET else "tcp6"
        assert Listening(protocol, address, door.getsockname()[1]) in listening_sockets([os.getpid()])


def test_the_secrets_were_used(seen: Seen) -> None:
    assert len(seen.events) > 10, "the broker let the box in by its password"
    assert "away: connecting" in seen.log, "the camera with a password was tried"


def test_no_secret_is_in_the_log_the_process_list_the_environment_or_the_events(seen: Seen) -> None:
    places = {
        "log": seen.log,
        "command lines": "\n".join(seen.command_lines.values()),
        "environments": "\n".join(seen.environments.values()),
        "events": "\n".join(seen.events),
    }
    assert "--config" in places["command lines"] and "PATH=" in places["environments"]
    found = [
        (whose, where)
        for whose, secret in seen.secrets.items()
        for where in places
        if secret in places[where]
    ]
    assert found == []


def test_no_secret_is_in_what_the_run_leaves_on_disk(seen: Seen) -> None:
    files = seen.state_files()
    assert any(name.startswith("outbox.db") for name in files)
    found = [
        (whose, name)
        for whose, secret in seen.secrets.items()
        for name, data in files.items()
        if secret.encode() in data
    ]
    assert found == []


def test_the_state_folder_holds_what_we_know_and_no_picture(seen: Seen) -> None:
    files = seen.state_files()
    assert [name for name in files if not STATE_FILES.fullmatch(name)] == []
    assert [name for name, data in files.items() if PICTURES.search(data)] == []
    assert (seen.folder / "state").stat().st_mode & 0o007 == 0, "others can look into the state folder"


def test_nothing_is_written_outside_the_state_folder(seen: Seen) -> None:
    allowed = (str(seen.folder / "state"), str(seen.folder / "daemon.log"))
    assert any(path.startswith(allowed[0]) for path in seen.written), "the outbox is open for writing"
    assert [path for path in seen.written if not path.startswith(allowed)] == []


def test_a_file_written_elsewhere_would_be_found(tmp_path: Path) -> None:
    import os

    with (tmp_path / "elsewhere").open("wb"):
        assert str(tmp_path / "elsewhere") in written_files([os.getpid()])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_picture_would_be_found(suffix: str) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (40, 30, 3), np.uint8)
    assert PICTURES.search(b"before" + cv2.imencode(suffix, picture)[1].tobytes())


def values_of(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Every value in a JSON document with the key it stands under."""
    below: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        for name, one in value.items():
            below += values_of(one, name)
    elif isinstance(value, list):
        for one in value:
            below += values_of(one, key)
    return [(key, value), *below]


def test_no_event_carries_an_image_an_embedding_or_anything_encoded(seen: Seen) -> None:
    kinds = set()
    for body in seen.events:
        event = json.loads(body)
        kinds.add(event["kind"])
        for key, value in values_of(event):
            if not isinstance(value, (int, float)):
                assert not PICTURE_WORDS & set(re.split(r"[_\W]", key)), f"{event['kind']}.{key}"
            if isinstance(value, list):
                numbers = sum(isinstance(one, (int, float)) for one in value)
                assert numbers <= LONGEST_LIST_OF_NUMBERS, f"{event['kind']}.{key}: {numbers} numbers"
            if isinstance(value, str):
                assert not ENCODED.search(value), f"{event['kind']}.{key}: {value[:80]}"
    assert {"health", "footfall", "heatmap"} <= kinds
    if seen.has_people:
        assert {"visit", "dwell", "heatmap"} & kinds, "people were seen"


def test_the_log_carries_no_image_and_no_embedding(seen: Seen) -> None:
    assert not PICTURES.search(seen.log.encode())
    assert not ENCODED.search(seen.log)
    assert not re.search(r"(-?\d+\.\d+[, ]+){16}", seen.log)
