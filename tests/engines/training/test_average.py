"""The mean of two checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from engines.training.__main__ import main  # noqa: E402
from engines.training.loop import read_checkpoint  # noqa: E402


def checkpoint(path: Path, weight: list[float], step: int) -> Path:
    state = {"weight": torch.tensor(weight), "seen": torch.tensor(step)}
    torch.save({"average": state, "net": state, "optimiser": {}, "step": step, "trained_s": 1.0}, path)
    return path


def test_a_mean_lies_between_and_counts_the_later_steps(tmp_path: Path) -> None:
    first, second = checkpoint(tmp_path / "a.pt", [0.0, 4.0], 3), checkpoint(tmp_path / "b.pt", [1.0, 0.0], 7)
    out = tmp_path / "mean.pt"
    assert main(["average", str(first), str(second), "--share", "0.25", "--out", str(out)]) == 0
    state = read_checkpoint(out)
    assert state["average"]["weight"].tolist() == [0.25, 3.0]
    assert int(state["average"]["seen"]) == state["step"] == 7
    assert "optimiser" not in state


@pytest.mark.parametrize(
    ("weight", "share", "said"), [([1.0], "0.5", "another shape"), ([1.0, 2.0], "1.5", "--share 1.5")]
)
def test_what_cannot_be_averaged_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], weight: list[float], share: str, said: str
) -> None:
    first, second = checkpoint(tmp_path / "a.pt", [0.0, 4.0], 3), checkpoint(tmp_path / "b.pt", weight, 7)
    out = tmp_path / "mean.pt"
    assert main(["average", str(first), str(second), "--share", share, "--out", str(out)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()
