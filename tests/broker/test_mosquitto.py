"""The private broker of the demo and the tests cleans up after itself, however it or its owner ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.errors import BrokerError
from broker.mosquitto import LocalBroker

WaitUntil = Callable[[Callable[[], object], float], None]

OWNER = """
import time
from broker.mosquitto import LocalBroker
broker = LocalBroker()
broker.start()
print(broker.pid, flush=True)
time.sleep(60)
"""


def runs(pid: int) -> bool:
    """Whether the process is there and not only waiting to be buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_a_broker_that_does_not_start_leaves_no_folder(
    mosquitto: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(BrokerError, match="Mosquitto does not start"), LocalBroker(["no_such_setting 1"]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_broker_is_gone_with_its_folder_after_the_context(broker: LocalBroker) -> None:
    with LocalBroker() as other:
        pid = other.pid
        assert runs(pid)
    assert not runs(pid)
    assert not other.folder.exists()


def test_a_broker_does_not_outlive_an_owner_that_was_killed(mosquitto: None, wait_until: WaitUntil) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert runs(pid)
    owner.kill()
    owner.wait()
    wait_until(lambda: not runs(pid), 5.0)
