"""The compiler's process: watched, bounded, its end explained. Modules stand in for a library gone wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engines.build.compiling import supervised
from engines.build.compiling.job import CompileJob
from engines.build.compiling.progress import BuildProgress
from engines.build.key import Options
from engines.errors import BuildError

HANGING = """
import subprocess, sys, time
print("compiling", flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
import os
open(os.environ["CHILD_FILE"], "w").write(str(child.pid))
time.sleep(600)
"""


@pytest.fixture
def misbehaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A job for a library of which importing does what the text says."""

    def make(text: str) -> CompileJob:
        (tmp_path / "odd_library.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("CHILD_FILE", str(tmp_path / "child"))
        return CompileJob(
            library="odd_library",
            onnx=str(tmp_path / "network.onnx"),
            plan=str(tmp_path / "engine.plan"),
            options=Options(size_wh=(64, 64)),
            typed=True,
            flags=(),
            input_name="images",
            batch=None,
            nodes=(),
        )

    return make


def test_a_compiler_that_hangs_is_ended_with_all_it_started(misbehaving, tmp_path: Path) -> None:
    told: list[tuple[float, float | None, str]] = []
    began_s = time.monotonic()
    with pytest.raises(BuildError, match=r"not done after 0\.1 minutes, while starting: given up"):
        supervised.run(misbehaving(HANGING), tmp_path / "log", 6.0, lambda *news: told.append(news))
    assert time.monotonic() - began_s < 30.0
    assert told, "progress moves although the compiler says nothing"
    assert all(done is None for _, done, _ in told)
    assert (tmp_path / "log").read_text() == "compiling\n"
    child = int((tmp_path / "child").read_text())
    until_s = time.monotonic() + 5.0
    while Path(f"/proc/{child}").exists() and time.monotonic() < until_s and not _is_zombie(child):
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists() or _is_zombie(child)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(SIGSEGV\); its log is .*log"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "for want of memory"),
        (
            "raise ImportError('libnvinfer.so.10 is not here')",
            "ended without an answer: .*libnvinfer.so.10 is not",
        ),
    ],
    ids=["crash", "killed", "import"],
)
def test_the_end_of_a_compiler_is_explained(misbehaving, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        supervised.run(misbehaving(text), tmp_path / "log", 60.0, lambda *news: None)


def test_progress_adds_up_over_nested_phases_and_never_goes_back() -> None:
    steps = BuildProgress()
    steps.begin("all", None, 4)
    told = [steps.complete("all", 0)]
    steps.begin("inner", "all", 2)
    told += [steps.complete("inner", 0), steps.complete("inner", 1)]
    steps.begin("late", "inner", 1)
    told += [steps.complete("inner", 0)]
    steps.finish("inner")
    told += [steps.complete("all", 1), steps.complete("all", 3), steps.complete("unknown", 3)]
    assert told == [0.25, 0.375, 0.5, None, None, 1.0, None]
