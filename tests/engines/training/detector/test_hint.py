"""The hint between features, the teacher in every cell, the ablation; needs torch (extra `train`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engines.errors import TrainingError  # noqa: E402
from engines.training.config import DetectorRecipe, read_recipe  # noqa: E402
from engines.training.detector import ablation, losses  # noqa: E402
from engines.training.detector.assign import Assigned  # noqa: E402
from engines.training.detector.hint import distribution_loss, plain_l2_loss, response_curve, shares  # noqa: E402
from engines.training.detector.soft import STEMS, CellTeacher  # noqa: E402


def features(*channels: float) -> torch.Tensor:
    return torch.tensor([[list(channels)]])


def test_shares_of_a_cell_sum_to_one_and_a_silent_cell_has_even_ones() -> None:
    assert shares(features(3.0, -5.0, 1.0)).flatten().tolist() == pytest.approx([0.75, 0.0, 0.25])
    assert shares(features(0.0, -1.0)).flatten().tolist() == [0.5, 0.5]


def test_the_hint_does_not_ask_in_which_order_the_channels_stand_and_plain_l2_does() -> None:
    teacher = features(4.0, 1.0, 2.0, 1.0)
    shuffled = features(1.0, 2.0, 1.0, 4.0)
    assert float(distribution_loss(shuffled, teacher)) == pytest.approx(0.0, abs=1e-6)
    assert float(plain_l2_loss(shuffled, teacher)) > 1.0


def test_the_hint_does_not_ask_how_strong_the_responses_are() -> None:
    teacher = features(4.0, 1.0, 2.0, 1.0)
    assert float(distribution_loss(teacher * 7, teacher)) == pytest.approx(0.0, abs=1e-6)


def test_the_hint_is_two_between_one_loud_channel_and_very_many_even_ones() -> None:
    loud, even = torch.zeros(1, 1, 1000), torch.ones(1, 1, 1000)
    loud[..., 17] = 3.0
    assert float(distribution_loss(loud, even)) == pytest.approx(2.0, abs=0.01)


def test_teachers_with_more_channels_are_compared_along_the_curve() -> None:
    curve = response_curve(torch.rand(2, 5, 128), 64)
    assert curve.shape == (2, 5, 64)
    assert curve.sum(-1).flatten().tolist() == pytest.approx([1.0] * 10, abs=1e-5)
    assert (curve.diff(dim=-1) <= 1e-7).all()


def test_the_hint_pulls_features_towards_the_teachers_distribution() -> None:
    torch.manual_seed(1)
    teacher = torch.rand(1, 20, 16) ** 4
    student = torch.rand(1, 20, 16, requires_grad=True)
    optimiser = torch.optim.Adam([student], 0.02)
    before = float(distribution_loss(student, teacher).detach())
    for _ in range(100):
        optimiser.zero_grad()
        distribution_loss(student, teacher).backward()
        optimiser.step()
    assert float(distribution_loss(student, teacher).detach()) < 0.3 * before


def test_plain_l2_refuses_another_number_of_channels() -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        plain_l2_loss(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4))


def assigned(target: list[float]) -> Assigned:
    wanted = torch.tensor([target])
    nobody = torch.zeros(wanted.shape, dtype=torch.long)
    return Assigned(wanted, nobody, wanted > 0, torch.ones(wanted.shape, dtype=torch.bool))


def test_a_students_score_is_pulled_to_the_teachers_and_rests_there() -> None:
    teacher = torch.tensor([[0.7, 0.02, 0.3]])
    agreeing = torch.logit(teacher)
    none = assigned([0.0, 0.0, 0.0])
    assert float(losses.soft_score_loss(agreeing, teacher, none)) == pytest.approx(0.0, abs=1e-6)
    logits = torch.logit(torch.tensor([[0.1, 0.4, 0.3]])).requires_grad_()
    losses.soft_score_loss(logits, teacher, none).backward()
    assert logits.grad is not None
    up, down, still = logits.grad[0].tolist()
    assert up < 0 < down
    assert still == pytest.approx(0.0, abs=1e-6)


def test_where_labels_ask_for_more_than_the_teacher_sees_the_teacher_is_not_heard() -> None:
    teacher = torch.tensor([[0.2, 0.2]])
    logits = torch.logit(torch.tensor([[0.8, 0.8]])).requires_grad_()
    losses.soft_score_loss(logits, teacher, assigned([0.9, 0.0])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] == 0
    assert logits.grad[0, 1] > 0


def test_the_teacher_scores_every_cell_and_shows_its_features(shared_data: Path) -> None:
    teacher = CellTeacher(shared_data / "det-yolox-nano" / "yolox_nano.onnx", 1, features=True)
    said = teacher.look(np.full((2, 3, 96, 128), 114, np.uint8))
    cells = 16 * 12 + 8 * 6 + 4 * 3
    assert said.scores.shape == (2, cells)
    assert 0 <= said.scores.min() <= said.scores.max() < 0.3
    assert said.features is not None
    assert said.features.shape == (2, cells, 64)
    assert len(STEMS) == 3


def test_a_recipe_with_an_unknown_hint_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: .\nrun: .\nhint: l3\n")
    with pytest.raises(TrainingError, match="'l3' is not one of none, plain_l2, distribution"):
        read_recipe(recipe)


def test_the_ablations_rows_differ_from_the_first_in_one_thing_each() -> None:
    rows = list(ablation.ROWS.values())
    for row in rows[1:4]:
        assert sum(row[key] != rows[0][key] for key in row) == 1
    assert {row["hint"] for row in rows} == {"none", "plain_l2", "distribution"}


def test_the_ablations_table_names_size_steps_and_figures(tmp_path: Path) -> None:
    recipe = DetectorRecipe(tmp_path, tmp_path, steps=600, sizes=[(256, 192)], validation_size=(256, 192))
    rows = [ablation.AblationRow(name, 600, 5.0, 0.5, 0.1, 0.6) for name in ablation.ROWS]
    text = ablation.table(rows, recipe)
    assert "from random weights, 600 steps of 16 pictures at 256 x 192, seed 20" in text
    assert "| labels + hint | 0.500 | 0.100 | 0.600 | 0.400 | 5.0 |" in text
    ablation.draw(rows, tmp_path / "ablation.png")
    assert (tmp_path / "ablation.png").stat().st_size > 1000
