"""From a try-on in a box's outbox to the screen of its fitting room, over HTTP, the command as a process."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from contract.envelope import Origin
from contract.facts import TryOn
from fleet.errors import FleetError
from fleet.mirror.catalogue import CatalogueGarment, write
from runtime.uplink.outbox.writer import Outbox

ROOM = "room 1"
ANSWERS_S = 60.0


def latency(events: int) -> dict[str, Any]:
    """Seconds from the event being on disk until the screen's new content has come, picture and all."""
    with tempfile.TemporaryDirectory(prefix="tagsight-mirror-") as name:
        folder = Path(name)
        outbox = Outbox(folder / "outbox.db", Origin("bench", "box"))
        garment = CatalogueGarment(
            sku="COAT", title="Black coat", price=90.0, currency="EUR", sizes=("S", "M")
        )
        picture = b"\xff\xd8" + bytes(60_000)
        write(folder / "catalogue.db", [garment], pictures={"COAT": picture}, taken={}, beside=[], items={})
        try:
            with _mirror(folder) as address:
                seconds = [_seen(outbox, address, number, len(picture)) for number in range(events)]
        finally:
            outbox.close(5.0)
    return {
        "events": events,
        "p50 s": round(float(np.median(seconds)), 3),
        "p95 s": round(float(np.quantile(seconds, 0.95)), 3),
        "most s": round(max(seconds), 3),
    }


@contextmanager
def _mirror(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "runtime", "fleet", "mirror", "--port", str(port), "--room", ROOM]
    files = {"catalogue": "catalogue.db", "events": "outbox.db", "folder": "mirror"}
    for option, name in files.items():
        command += [f"--{option}", str(folder / name)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise FleetError("the mirror did not start; its own message says why")
        deadline_s = time.monotonic() + ANSWERS_S
        while not _answers(found[0]):
            if time.monotonic() > deadline_s or process.poll() is not None:
                raise FleetError("the mirror does not answer")
            time.sleep(0.1)
        yield found[0]
    finally:
        process.terminate()
        process.wait(15)


def _answers(address: str) -> bool:
    try:
        _get(address, "")
    except OSError:
        return False
    return True


def _get(address: str, path: str) -> bytes:
    at = urlsplit(address)
    connection = http.client.HTTPConnection(at.netloc, timeout=ANSWERS_S)
    try:
        connection.request("GET", at.path + path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _seen(outbox: Outbox, address: str, number: int, picture_bytes: int) -> float:
    at = urlsplit(address)
    stream = http.client.HTTPConnection(at.netloc, timeout=ANSWERS_S)
    stream.request("GET", f"{at.path}/stream")
    lines = stream.getresponse()
    lines.readline()
    _told(outbox, number, True)
    begun = time.monotonic()
    while b"event: room" not in lines.readline():
        pass
    if b"Black coat" not in _get(address, "/now") or len(_get(address, "/pictures/COAT")) != picture_bytes:
        raise FleetError("the screen was told of the garment and does not show it")
    seconds = time.monotonic() - begun
    _told(outbox, number, False)
    while b"event: room" not in lines.readline():
        pass
    stream.close()
    return seconds


def _told(outbox: Outbox, number: int, is_open: bool) -> None:
    now_s = time.time()
    fact = TryOn(
        key=f"tryon/{number}",
        time_s=now_s,
        rev=0 if is_open else 1,
        epc=f"3034257bf400b780000{number:05x}",
        sku="COAT",
        room=ROOM,
        start_s=now_s,
        end_s=now_s,
        reads=5,
        visitor=None,
        open=is_open,
    )
    outbox.append([fact])
    if not outbox.flush(10.0):
        raise FleetError("the outbox did not take the event")
