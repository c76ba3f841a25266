"""An installed product has no rigs: what needs them says so."""

from __future__ import annotations

import sys

import pytest

from runtime.cli import main


@pytest.mark.parametrize("name", ["faults", "soak"])
def test_a_benchmark_whose_rigs_are_not_installed_says_where_to_run_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [one for one in sys.modules if one.partition(".")[0] in ("bench", "testing")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "testing", None)
    with pytest.raises(SystemExit) as ended:
        main(["bench", name, "--help"])
    assert ended.value.code == 1
    assert f"tagsight bench {name} needs the folder testing/ of the source tree" in capsys.readouterr().err
