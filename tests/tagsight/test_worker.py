"""A module run in a process of its own: asked, answering, and gone with all that it started."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tagsight.worker import Worker

ASKED = """
import os, subprocess, sys
request = sys.stdin.read()
print("said aloud", flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open(int(sys.argv[1]), "w") as answers:
    answers.write(f"{request} {child.pid} {os.getcwd()} {os.environ.get('MALLOC_ARENA_MAX')}")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that is only there on this process's own path, given relative to its folder."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "asked_worker.py").write_text(ASKED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["lib", *sys.path])
    return "asked_worker"


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_is_asked_answers_and_leaves_nothing_running(tmp_path: Path, module: str) -> None:
    with (
        (tmp_path / "said").open("wb") as said,
        Worker(module, b"ping", said, {"MALLOC_ARENA_MAX": "2"}) as one,
    ):
        assert one.process.wait(30) == 0
        one.end()
        request, child, folder, arenas = one.answers.read().decode().split()
    assert (request, folder, arenas) == ("ping", "/", "2")
    assert (tmp_path / "said").read_text() == "said aloud\n"
    deadline_s = time.monotonic() + 5
    while is_running(int(child)) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not is_running(int(child))


def test_it_is_ended_where_its_user_fails(tmp_path: Path, module: str) -> None:
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with (
        pytest.raises(RuntimeError, match="enough"),
        (tmp_path / "said").open("wb") as said,
        Worker(module, b"", said) as one,
    ):
        raise RuntimeError("enough")
    assert one.process.returncode is not None
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_a_module_that_is_not_there_says_so(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as said, Worker("no_such_module", b"x" * 2**20, said) as one:
        assert one.process.wait(30) == 1
        assert one.answers.read() == b""
    assert "no_such_module" in (tmp_path / "said").read_text()
