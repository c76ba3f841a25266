"""Training of the nets on person crops: what is taught, and that a stopped run goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from engines.errors import TrainingError  # noqa: E402
from engines.models.action import ActionNet  # noqa: E402
from engines.models.reid import EMBEDDING, EmbedderNet  # noqa: E402
from engines.training.crops import reid_losses  # noqa: E402
from engines.training.crops.action_data import KEPT_WH, ActionSet  # noqa: E402
from engines.training.crops.action_pose import handling  # noqa: E402
from engines.training.crops.action_train import (  # noqa: E402
    ActionLearner,
    ActionLesson,
    average_precision,
    best_threshold,
)
from engines.training.crops.augment import Hardships, augmented  # noqa: E402
from engines.training.crops.gather import CROP_WH, CropRecord, CropSet, inner  # noqa: E402
from engines.training.crops.recipe import ActionRecipe, CropRecipe, ReidRecipe, read_crop_recipe  # noqa: E402
from engines.training.crops.reid_fit import fit_last_layer, principal, ridge  # noqa: E402
from engines.training.crops.reid_train import ReidLearner, ReidLesson  # noqa: E402
from engines.training.crops.views import ViewSet, view_set, views_of  # noqa: E402
from engines.training.loop import TrainingRun, read_checkpoint  # noqa: E402
from engines.training.reload import read_imagenet  # noqa: E402

BRANCHES = {"global": slice(0, 192), "halves": slice(192, 320), "thirds": slice(320, 512)}


def unit(rows: Tensor) -> Tensor:
    return nn.functional.normalize(rows, dim=1)


def test_the_student_may_turn_the_teachers_space_but_not_mix_up_people() -> None:
    torch.manual_seed(1)
    teacher = unit(torch.randn(24, 16))
    target = reid_losses.consensus([teacher])
    turned = teacher @ torch.linalg.qr(torch.randn(16, 16))[0]
    mixed = teacher[torch.randperm(24)]
    alike = reid_losses.relation_loss(turned, target)
    assert float(alike) + 0.5 < float(reid_losses.relation_loss(mixed, target))


def test_teachers_with_different_scales_have_equal_say() -> None:
    torch.manual_seed(2)
    same = torch.eye(12) > 0
    wide, narrow = unit(torch.randn(12, 8)), unit(torch.randn(12, 8) * 0.1 + torch.ones(8))
    both = reid_losses.consensus([wide, narrow])[~same]
    for one in (wide, narrow):
        alone = reid_losses.consensus([one])[~same]
        assert float(torch.corrcoef(torch.stack((both, alone)))[0, 1]) > 0.55


def test_an_embedding_has_length_one_and_its_cosine_is_the_weighted_mean_of_the_branches() -> None:
    net = EmbedderNet().eval()
    with torch.no_grad():
        first, second = net(torch.rand(2, 3, 144, 64) * 255)
    assert first.shape == (EMBEDDING,)
    assert float(first.norm()) == pytest.approx(1, abs=1e-5)
    parts = [float(unit(first[None, rows])[0] @ unit(second[None, rows])[0]) for rows in BRANCHES.values()]
    assert float(first @ second) == pytest.approx(0.5 * parts[0] + 0.25 * (parts[1] + parts[2]), abs=1e-4)


def test_the_nets_are_small() -> None:
    sizes = [sum(p.numel() for p in net.parameters()) * 4 for net in (EmbedderNet(), ActionNet())]
    assert max(sizes) < 8_000_000


def test_moving_the_threshold_moves_the_logits() -> None:
    net = ActionNet().eval()
    images = torch.rand(2, 3, 128, 96) * 255
    with torch.no_grad():
        before = net(images)
        net.move_threshold(0.7)
        assert torch.allclose(net(images), before - 0.7, atol=1e-5)


def test_the_threshold_keeps_precision_and_takes_all_the_recall_there_is() -> None:
    logits = np.array([3.0, 2.0, 1.0, 0.0, -1.0, -2.0], np.float32)
    truth = np.array([True, True, False, True, True, False])
    threshold, recall = best_threshold(logits, truth, 0.8)
    assert recall == 1.0
    assert -2.0 < threshold < -1.0
    strict, recall = best_threshold(logits, truth, 0.95)
    assert 1.0 < strict < 2.0
    assert recall == 0.5
    assert average_precision(logits, truth) == pytest.approx(np.mean([1, 1, 3 / 4, 4 / 5]))


STANDING = {0: (0.5, 0.1), 5: (0.6, 0.25), 6: (0.4, 0.25), 7: (0.63, 0.4), 8: (0.37, 0.4), 11: (0.57, 0.55)}
STANDING |= {12: (0.43, 0.55), 9: (0.64, 0.57), 10: (0.36, 0.57)}


def pose(**moved: tuple[float, float]) -> np.ndarray:
    names = {"left_wrist": 9, "right_wrist": 10, "left_elbow": 7}
    points = {**STANDING, **{names[name]: place for name, place in moved.items()}}
    joints = np.zeros((17, 3), np.float32)
    for joint, (x, y) in points.items():
        joints[joint] = (x, y, 0.9)
    return joints


def test_hanging_arms_are_not_at_work() -> None:
    assert handling(pose(), aspect=1.0) < 0.1


def test_a_wrist_far_beside_the_torso_is_a_reach() -> None:
    assert handling(pose(left_wrist=(0.95, 0.35), left_elbow=(0.78, 0.33)), aspect=1.0) > 0.9


def test_a_hand_held_up_before_the_body_is_at_work() -> None:
    assert handling(pose(left_wrist=(0.5, 0.38), left_elbow=(0.63, 0.43)), aspect=1.0) > 0.7


def test_an_unknown_pose_has_no_label() -> None:
    joints = pose()
    joints[[11, 12], 2] = 0.05
    assert np.isnan(handling(joints, aspect=1.0))


def test_a_hard_view_has_the_size_of_the_box_and_depends_on_the_seed_only() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (CROP_WH[1], CROP_WH[0], 3), np.uint8)
    other = np.zeros((192, 96, 3), np.uint8)
    views = [augmented(crop, other, np.random.default_rng(seed), Hardships()) for seed in (4, 4, 5)]
    assert views[0].shape == (192, 96, 3)
    assert (views[0] == views[1]).all()
    assert (views[0] != views[2]).any()


def random_crops(count: int) -> CropSet:
    crops = np.random.default_rng(6).integers(0, 256, (count, CROP_WH[1], CROP_WH[0], 3), np.uint8)
    box = (0.0, 0.0, 96.0, 192.0)
    return CropSet(crops, [CropRecord("street", f"{row}.jpg", box, row % 4 == 0) for row in range(count)])


def test_the_first_view_is_the_crop_as_it_is_and_every_view_comes_again() -> None:
    crops = random_crops(4)
    views, again = views_of(crops, 2, 3, seed=1), views_of(crops, 2, 3, seed=1)
    assert all((one == other).all() for one, other in zip(views, again, strict=True))
    assert (views[0] == inner(crops.crops[2])).all()
    assert all((views[0] != view).any() for view in views[1:])


def test_views_that_an_earlier_run_left_damaged_are_named(tmp_path: Path) -> None:
    for damage in (b"", b"PK\x03\x04 cut off", b"rubbish"):
        (tmp_path / "views-teachers.npz").write_bytes(damage)
        with pytest.raises(TrainingError, match=r"views-teachers\.npz, views\.npy: damaged .* delete both"):
            view_set(random_crops(4), tmp_path, tmp_path, 2, 0, 1)


def random_views(crops: int, each: int) -> ViewSet:
    rng = np.random.default_rng(7)
    told = [unit(torch.from_numpy(rng.normal(size=(crops * each, k)))).float().numpy() for k in (512, 256)]
    pictures = rng.integers(0, 256, (crops * each, 3, 144, 64), np.uint8)
    return ViewSet(pictures, each, told, np.arange(crops) % 4 == 0, ["street", "hall"] * (crops // 2))


def test_a_batch_shows_different_crops_and_none_that_is_held_out(tmp_path: Path) -> None:
    views = random_views(40, 3)
    settings = ReidRecipe(data=tmp_path, pool=tmp_path, run=tmp_path, batch=16)
    lesson = ReidLesson(settings, views)
    for seed in range(5):
        crops = lesson._draw(np.random.default_rng(seed)) // views.each
        assert len(set(crops.tolist())) == 16
        assert not views.held_out[crops].any()
    loss, parts = lesson.loss(ReidLearner(), np.random.default_rng(0))
    assert torch.isfinite(loss)
    assert {"relation_global", "relation_local", "relation_fused", "vector"} == set(parts)


def test_the_last_layer_is_solved_on_views_of_crops_to_train_on() -> None:
    learner = ReidLearner()
    before = [layer.weight.clone() for branch in learner.student.branches for layer in branch.describe]
    found = fit_last_layer(learner.student, random_views(40, 3), 60, seed=0)
    assert set(found) == {"stripes_1", "stripes_2", "stripes_3"}
    after = [layer.weight for branch in learner.student.branches for layer in branch.describe]
    assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))


class Line:
    """Learns to answer 1 to random numbers."""

    judged_by = "answer"

    def loss(self, learner: nn.Module, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        out = learner(torch.from_numpy(rng.random((8, 3), np.float32)))
        loss = (out - 1).square().mean()
        return loss, {"error": float(loss.detach())}

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        return {"answer": float(net(torch.ones(1, 3)))}


def recipe(folder: Path, steps: int) -> CropRecipe:
    return CropRecipe(
        data=folder, pool=folder, run=folder / "run", steps=steps, warmup_steps=0, validate_every_steps=5
    )


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def line() -> nn.Module:
        torch.manual_seed(3)
        return nn.Linear(3, 1)

    whole = TrainingRun(recipe(tmp_path / "a", 10), line(), Line())
    whole.run()
    first = TrainingRun(recipe(tmp_path / "b", 10), line(), Line())
    for _ in range(4):
        first.train_step()
    first.save(first.checkpoint)
    resumed = TrainingRun(recipe(tmp_path / "b", 10), line(), Line())
    assert resumed.progress.step == 4
    resumed.run()
    for mine, theirs in zip(resumed.net.parameters(), whole.net.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert (tmp_path / "a" / "run" / "curves.png").is_file()
    best = read_checkpoint(tmp_path / "a" / "run" / "best.pt")
    assert best["step"] in (5, 10)
    assert best["best"] > -math.inf


def test_a_foreign_file_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(TrainingError, match="not a checkpoint of this training: without 'average'"):
        read_checkpoint(path)
    with pytest.raises(TrainingError, match="not MobileNetV2's weights"):
        read_imagenet(path)
    path.write_text("no weights")
    with pytest.raises(TrainingError, match="not a PyTorch state file"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("text", "said"), [("stepz: 3", "stepz"), ("steps: many", "steps"), ("a: [", "not valid YAML")]
)
def test_a_wrong_recipe_is_refused_by_the_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"data: a\npool: b\nrun: c\n{text}\n")
    with pytest.raises(TrainingError, match=said):
        read_crop_recipe(path, ReidRecipe)


def test_the_last_layer_is_solved_from_features_that_hold_the_answer() -> None:
    torch.manual_seed(4)
    targets = principal([unit(torch.randn(400, 20)).numpy(), unit(torch.randn(400, 10)).numpy()])
    assert targets.shape == (400, 30)
    assert float(targets[:, 0].var()) > float(targets[:, -1].var())
    features = targets @ torch.randn(30, 60) + 5 + 0.001 * torch.randn(400, 60)
    weights, bias, alike = ridge(features, targets[:, :16])
    assert alike > 0.95
    guess = features @ weights.T + bias
    assert float((guess - targets[:, :16]).norm() / targets[:, :16].norm()) < 0.2
    _, _, blind = ridge(torch.randn(400, 60), targets[:, :16])
    assert blind < 0.3


def labelled_crops(handling: list[float]) -> ActionSet:
    count = len(handling)
    rng = np.random.default_rng(4)
    crops = rng.integers(0, 256, (count, KEPT_WH[1], KEPT_WH[0], 3), np.uint8)
    joints = rng.random((count, 8, 3), np.float32)
    held_out = np.arange(count) % 3 == 2
    return ActionSet(crops, np.asarray(handling, np.float32), joints, held_out, ["street"] * count)


def test_half_of_a_batch_is_labelled_by_eye_and_half_handles_goods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ActionRecipe(
        data=tmp_path, pool=tmp_path, run=tmp_path, pose_teacher=tmp_path, eye_labels=tmp_path, batch=8
    )
    by_pose, by_eye = labelled_crops([0.9, 0.1, 0.5, 0.5, 0.1, 0.9]), labelled_crops([1, 0, 1, 0, 1, 0])
    lesson = ActionLesson(settings, by_pose, by_eye)
    drawn: list[np.ndarray] = []
    hard_views = lesson._hard_views

    def noted(groups: list[tuple[ActionSet, np.ndarray]], rng: np.random.Generator) -> object:
        drawn.extend(examples.handling[rows] for examples, rows in groups)
        assert not any(examples.held_out[rows].any() for examples, rows in groups)
        return hard_views(groups, rng)

    monkeypatch.setattr(lesson, "_hard_views", noted)
    loss, parts = lesson.loss(ActionLearner(), np.random.default_rng(2))
    assert np.concatenate(drawn).tolist() == pytest.approx([0.9, 0.9, 0.1, 0.1, 1, 1, 0, 0])
    assert torch.isfinite(loss)
    assert set(parts) == {"handling", "joints"}
    with pytest.raises(TrainingError, match="handling and not handling"):
        ActionLesson(settings, by_pose, labelled_crops([0, 0, 0]))
