"""An installed product has no rigs: what needs them says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cli import main


@pytest.mark.parametrize(
    ("name", "options"),
    [("faults", ["--help"]), ("soak", ["--help"]), ("kernels", []), ("density", ["--stand-in"])],
)
def test_a_benchmark_whose_rigs_are_not_installed_says_where_to_run_it(
    name: str, options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [one for one in sys.modules if one.partition(".")[0] in ("bench", "testing")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "testing", None)
    with pytest.raises(SystemExit) as ended:
        main(["bench", name, *options])
    assert ended.value.code == 1
    assert f"tagsight bench {name} needs the folder testing/ of the source tree" in capsys.readouterr().err


def test_where_training_is_not_installed_a_benchmark_that_trains_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [one for one in sys.modules if one.startswith(("bench", "rfid_reader.training"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "rfid_reader.training", None)
    with pytest.raises(SystemExit) as ended:
        main(["bench", "flips", "--worlds"])
    assert ended.value.code == 1
    assert "tagsight bench flips needs the folder rfid_reader/training/" in capsys.readouterr().err


def test_in_a_checkout_the_command_itself_finds_the_rigs() -> None:
    command = Path(sys.executable).with_name("tagsight")
    if not command.exists():
        pytest.skip("the tagsight command is not installed beside this Python: pip install -e .")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for name in ("faults", "soak"):
        help_of = [str(command), "bench", name, "--help"]
        done = subprocess.run(help_of, cwd="/", env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
