"""A detector fitted to a store's own frames; what trains needs torch (extra `train`)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from engines.catalogue import SHIPPED, adapt_cli
from engines.errors import EngineError

HAS_TORCH = importlib.util.find_spec("torch") is not None
trains = pytest.mark.skipif(not HAS_TORCH, reason="needs torch (extra `train`)")


def test_without_torch_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt_cli, "NEEDED", ("torch_that_is_not_here",))
    result = CliRunner().invoke(adapt_cli.adapt, ["--frames", str(tmp_path)])
    assert isinstance(result.exception, EngineError)
    assert str(result.exception) == (
        "adapting trains a network, which needs torch_that_is_not_here: pip install 'tagsight[train]'"
    )


def test_where_training_is_not_installed_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt_cli, "NEEDED", ())
    monkeypatch.setitem(sys.modules, "engines.training", None)
    result = CliRunner().invoke(adapt_cli.adapt, ["--frames", str(tmp_path)])
    assert isinstance(result.exception, EngineError)
    assert "adapting needs the folder engines/training/ of the source tree" in str(result.exception)


def fill(folder: Path, pictures: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(pictures):
        picture = rng.integers(0, 255, (96, 128, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), picture)


@trains
def test_the_shipped_file_becomes_a_net_that_answers_as_it_does() -> None:
    import torch

    from engines.evaluation.accuracy import onnx_predictor
    from engines.training.reload import net_from_onnx

    path = SHIPPED / "person-detector.onnx"
    net = net_from_onnx(path)
    batch = np.random.default_rng(1).uniform(0, 255, (1, 3, 96, 128)).astype(np.float32)
    with torch.no_grad():
        mine = net(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(mine, onnx_predictor(path, 1)(batch), rtol=2e-3, atol=2e-3)


@trains
def test_an_8_bit_file_or_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    from engines.errors import TrainingError
    from engines.training.reload import net_from_onnx

    with pytest.raises(TrainingError, match="not an export of our detector"):
        net_from_onnx(SHIPPED / "person-detector-int8.onnx")
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"\x00junk")
    with pytest.raises(TrainingError, match=r"junk\.onnx"):
        net_from_onnx(junk)


@trains
def test_frames_of_many_pictures_are_an_even_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engines.training.detector import adapt

    fill(tmp_path / "frames", 25)
    monkeypatch.setattr(adapt, "MAX_FRAMES", 10)
    names = [name for name, _ in adapt.frames_of(tmp_path / "frames")]
    assert names == [f"{number:05d}" for number in range(0, 25, 3)]


@trains
def test_a_folder_without_frames_or_without_people_is_refused(tmp_path: Path, shared_data: Path) -> None:
    from engines.errors import TrainingError
    from engines.training.detector import adapt

    (tmp_path / "none").mkdir()
    with pytest.raises(TrainingError, match="no pictures"):
        list(adapt.frames_of(tmp_path / "none"))
    fill(tmp_path / "noise", 21)
    wish = adapt.AdaptationSettings(
        tmp_path / "noise", "here", shared_data, threads=1, store=tmp_path / "store"
    )
    with pytest.raises(TrainingError, match="the teachers see 0 persons"):
        adapt.adapt(wish, print)
    assert not (tmp_path / "store" / "here").exists()


@trains
def test_a_missing_teacher_is_named(tmp_path: Path) -> None:
    from engines.errors import TrainingError
    from engines.training.detector import adapt

    fill(tmp_path / "frames", 3)
    wish = adapt.AdaptationSettings(tmp_path / "frames", "here", tmp_path, store=tmp_path / "store")
    with pytest.raises(TrainingError, match=r"yolox_nano\.onnx: this teacher is not there"):
        adapt.adapt(wish, print)
