"""`tagsight engines build` from outside: what it says, and with what it exits, where nothing can be built."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from engines.backends import tensorrt
from engines.build import wanted
from engines.build.cli import ProgressLines, build
from engines.build.key import Options
from engines.build.store import PlanStore
from engines.errors import BackendError, BuildError, EngineError
from runtime.cli import main

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def no_gpu() -> None:
    if tensorrt.device_count():
        pytest.skip("a GPU is here")


def exit_status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["engines", "build", *arguments])
    return int(str(ended.value.code))


def test_a_service_on_a_machine_without_a_gpu_has_nothing_to_build(
    no_gpu: None, capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    assert exit_status("--all") == 0
    said = capsys.readouterr().out
    assert said.startswith("nothing to build: ")
    assert "persons are detected by " in said
    assert exit_status("--all", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["engines"] == []
    assert told["idle"].startswith("nothing to build")
    assert not list(store.glob("**/engine.plan"))


def test_an_engine_that_is_named_but_cannot_be_built_is_a_fault(
    no_gpu: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status("person-detector") == 1
    said = capsys.readouterr().err
    assert said.startswith("tagsight: ")
    assert "TensorRT is not installed" in said or "no NVIDIA driver is here" in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the engines to build, or give --all"),
        (("person-detector", "--all"), "name the engines to build, or give --all"),
        (("--all", "--frames", "x"), "--frames goes with --precision int8"),
        (("--all", "--input", "416"), "write it as 416x320"),
        (("--all", "--target", "86"), "write a compute capability as sm_86"),
        (("--all", "--precision", "fp8"), "Invalid value for '--precision'"),
        (("--all", "--level", "9"), "Invalid value for '--level'"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(*arguments) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_engine_lists_the_known_ones() -> None:
    result = CliRunner().invoke(build, ["nobody"])
    assert isinstance(result.exception, EngineError)
    assert "known: person-detector" in str(result.exception)


@pytest.mark.parametrize("text", ["", "4,2", "0,1", "1,1", "1,65", "a", "1,,2", "-1"])
def test_batches_that_do_not_rise_are_refused(text: str) -> None:
    with pytest.raises(BuildError, match="--batches"):
        wanted.batch_sizes_from(text)


def test_what_no_tensorrt_takes_is_refused_before_it_is_asked() -> None:
    with pytest.raises(BuildError, match="both sides must be 32 to 4096"):
        wanted.EngineWish().options((5000, 320), "fp16")
    with pytest.raises(BuildError, match="one batch size only"):
        wanted.EngineWish(dla_core=0).options((416, 320), "fp16")
    assert wanted.EngineWish(dla_core=0, buckets=(4,)).options((416, 320), "fp16").buckets == (4,)


def test_a_network_of_free_size_is_built_for_4_to_3_and_16_to_9_pictures() -> None:
    from engines import catalogue

    engine = catalogue.find("person-detector")
    source = engine.folder / "person-detector.onnx"
    assert wanted.sizes_of(engine, source, []) == [(416, 320), (416, 256)]
    assert wanted.sizes_of(engine, source, [(640, 384), (640, 384)]) == [(640, 384)]


def test_plain_lines_come_each_tenth_and_at_least_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = ProgressLines("net")
    for took_s, done in [(0.5, 0.05), (1.0, 0.1), (1.5, 0.15), (5.0, 0.15), (11.1, 0.15), (12.0, 0.3)]:
        lines(took_s, done, "working")
    lines(40.0, None, "working")
    assert capsys.readouterr().out.splitlines() == [
        "net: 10%, 1 s, working",
        "net: 15%, 11 s, working",
        "net: 30%, 12 s, working",
        "net: 40 s, working",
    ]


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match="needs onnx and onnxruntime: pip install"):
        tensorrt.check_builder()
    with pytest.raises(BackendError, match="TensorRT is not installed for this Python"):
        tensorrt.find()
    with pytest.raises(BackendError, match="tensorrt_rtx is not installed"):
        tensorrt.find("tensorrt_rtx")


def test_a_library_that_does_not_load_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: cannot open')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(BackendError, match=r"installed but does not load \(libnvinfer\.so\.10"):
        tensorrt.find("tensorrt")


def test_sigterm_ends_a_build_and_leaves_nothing_half_made(store: Path) -> None:
    rtx = os.environ.get("TAGSIGHT_TENSORRT_RTX")
    if not rtx:
        pytest.skip("not run: no TensorRT-RTX (scripts/fetch-tensorrt-rtx)")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(REPO), rtx))}
    command = [sys.executable, "-m", "runtime", "engines", "build", "person-detector", "--target", "sm_86"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        plans = store / ".tensorrt"
        until_s = time.monotonic() + 120.0
        while not list(plans.glob("building-*/engine/build.log")) and time.monotonic() < until_s:
            time.sleep(0.05)
        one.send_signal(signal.SIGTERM)
        told, said = one.communicate(timeout=60)
    assert one.returncode == 1
    assert "stopped by SIGTERM; what was in use stays in use" in said
    assert "416x256" not in told, "the next engine is not begun"
    assert list(plans.glob("building-*")) == []
    assert PlanStore.open(plans).everything() == []


def test_preflight_refuses_where_disk_or_memory_would_run_out(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engines.build import builder
    from engines.build.key import Machine
    from engines.build.site import BuildSite

    machine = Machine(flavour="tensorrt", tensorrt="10.3.0")
    site = BuildSite(None, machine, PlanStore.open(), integrated=True)  # type: ignore[arg-type]
    options = Options(size_wh=(416, 320), workspace_mib=1024)
    monkeypatch.setattr(builder.shutil, "disk_usage", lambda place: _Usage(100))
    with pytest.raises(BuildError, match="100 MiB are free, and 324 are needed"):
        builder.preflight(site, 1 << 20, options)
    monkeypatch.setattr(builder.shutil, "disk_usage", lambda place: _Usage(10_000))
    monkeypatch.setattr(builder, "free_memory_mib", lambda: 1500)
    with pytest.raises(
        BuildError, match=r"1500 MiB of memory are free, and 1924 are needed.*--workspace-mib"
    ):
        builder.preflight(site, 1 << 20, options)
    lower = Options(size_wh=(416, 320), workspace_mib=256)
    builder.preflight(site, 1 << 20, lower)
    (tmp_path / "meminfo").write_text("MemTotal: 1 kB\nMemAvailable:  2048 kB\n")
    monkeypatch.undo()
    assert builder.free_memory_mib(tmp_path / "meminfo") == 2


class _Usage:
    """As shutil.disk_usage answers."""

    def __init__(self, free_mib: int) -> None:
        self.free = free_mib << 20
