"""A light net that follows the full one in every cell."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra `train`)")

SIZE = (64, 96)
CELLS = sum((SIZE[0] // stride) * (SIZE[1] // stride) for stride in (8, 16, 32))


def rows(seen: int, side_px: float, logit: float) -> Any:
    """Raw rows of one picture in which only the cell `seen` scores."""
    raw = torch.full((1, CELLS, 5), 12.0)
    raw[..., 4] = -8.0
    raw[0, seen] = torch.tensor([side_px] * 4 + [logit])
    return raw


def loss(raw: Any, model: Any) -> float:
    from engines.training.detector.losses import imitation_loss

    return float(imitation_loss(raw, model, *SIZE))


def test_the_same_answer_costs_least_and_another_score_box_or_place_costs_more() -> None:
    model = rows(7, 12.0, 3.0)
    same = loss(model, model)
    assert loss(rows(7, 12.0, 0.0), model) > same + 0.1
    assert loss(rows(7, 6.0, 3.0), model) > same + 0.1
    assert loss(rows(20, 12.0, 3.0), model) > same + 0.1


def test_boxes_of_cells_in_which_the_model_sees_nobody_do_not_count() -> None:
    model, other = rows(7, 12.0, 3.0), rows(7, 12.0, 3.0)
    other[0, 30, :4] = 40.0
    assert loss(other, model) == loss(model, model)


def test_following_goes_downhill() -> None:
    from engines.training.detector.losses import imitation_loss

    model, raw = rows(7, 12.0, 3.0), rows(7, 6.0, 0.0).requires_grad_()
    before = imitation_loss(raw, model, *SIZE)
    before.backward()
    with torch.no_grad():
        after = imitation_loss(raw - 0.5 * raw.grad, model, *SIZE)
    assert float(after) < float(before.detach())
