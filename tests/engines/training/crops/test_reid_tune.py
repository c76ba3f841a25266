"""Going on with the re-identification net on drawn people: what is read, what is asked for, what is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from engines.errors import TrainingError  # noqa: E402
from engines.training.crops.recipe import TuneRecipe, read_crop_recipe  # noqa: E402
from engines.training.crops.tuning import train as reid_tune  # noqa: E402
from engines.training.crops.tuning.drawn import drawn_crops  # noqa: E402
from engines.training.crops.tuning.reload import embedder_from_onnx  # noqa: E402
from engines.training.crops.tuning.shares import ShareFigures, best_share  # noqa: E402
from engines.training.crops.tuning.train import KnownLooks, TuneLearner, TuneLesson, embed, mixed  # noqa: E402
from engines.training.synthetic.identities import DrawnCrop, DrawnPart, DrawnPerson  # noqa: E402

ROOT = Path(__file__).resolve().parents[4]
SHIPPED = ROOT / "engines" / "weights" / "person-reid.onnx"


def unit(*angles_deg: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(angles_deg))
    return torch.stack((angles.cos(), angles.sin()), 1)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 144, 64), dtype=np.uint8)


def people(folder: Path, parts: int) -> None:
    """Drawn people as the renderer leaves them: two a part, four crops each, every ninth part held out."""
    rng = np.random.default_rng(5)
    for part in range(parts):
        listed = []
        for place in range(2):
            colour = rng.integers(0, 256, 3)
            strip = np.clip(colour + rng.normal(0, 20, (176, 80 * 4, 3)), 0, 255).astype(np.uint8)
            data = cv2.imencode(".jpg", strip)[1].tobytes()
            name = f"{part:04d}-{place:02d}"
            (folder / f"{name}.jpg").write_bytes(data)
            crops = [DrawnCrop(f"{part}-0-{camera}", 5.0, 90, 1.0) for camera in range(4)]
            sums = hashlib.sha256(data).hexdigest()
            listed.append(
                DrawnPerson(name, f"{name}.jpg", sums, part % 9 == 8, 1, False, 30.0, 1.7, "", crops)
            )
        (folder / f"part-{part:04d}.json").write_bytes(msgspec.json.encode(DrawnPart(part, 1, "x", listed)))


def lesson(folder: Path, net: reid_tune.EmbedderNet) -> tuple[TuneRecipe, TuneLesson]:
    recipe = msgspec.structs.replace(
        read_crop_recipe(ROOT / "engines/training/recipes/reid-tune.yaml", TuneRecipe),
        batch=12,
        persons_a_batch=2,
        crops_a_person=2,
    )
    real = pictures(20, 3)
    replay = KnownLooks(real, embed(net, real), np.arange(20) >= 16)
    return recipe, TuneLesson(recipe, drawn_crops(folder, False), drawn_crops(folder, True), replay)


def test_the_shipped_net_comes_back_as_it_is() -> None:
    images = pictures(3)
    said = ort.InferenceSession(str(SHIPPED)).run(None, {"images": images.astype(np.float32)})[0]
    assert np.abs(embed(embedder_from_onnx(SHIPPED), images) - said).max() < 1e-4


def test_another_net_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is not an export of our re-identification net"):
        embedder_from_onnx(SHIPPED.with_name("person-action.onnx"))
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"no.onnx"):
        embedder_from_onnx(tmp_path / "no.onnx")


def test_drawn_people_are_read_with_who_and_where(tmp_path: Path) -> None:
    people(tmp_path, 10)
    trained, kept = drawn_crops(tmp_path, False), drawn_crops(tmp_path, True)
    assert len(set(trained.persons.tolist())) == 18
    assert set(kept.parts.tolist()) == {8}
    assert kept.persons.tolist() == [0] * 4 + [1] * 4
    assert kept.cameras[:2] == ["8-0-0", "8-0-1"]
    assert kept.plain([0])[0].shape == (144, 64, 3)
    assert set(drawn_crops(tmp_path, False, 2).parts.tolist()) == {0, 1}
    with pytest.raises(TrainingError, match="nobody drawn there is held out"):
        drawn_crops(tmp_path, True, 2)


def test_losses_fall_where_people_part_and_likenesses_stay() -> None:
    who = torch.tensor([0, 0, 1, 1])
    apart, mingled = unit(0, 5, 90, 95), unit(0, 90, 5, 95)
    assert float(reid_tune.hardest_loss(apart, who)) + 1 < float(reid_tune.hardest_loss(mingled, who))
    three = torch.tensor([0, 0, 0, 1, 1])
    far = float(reid_tune.hardest_loss(unit(0, 2, 90, 60, 62), three))
    assert far > 3, "the crop that is least like the other two counts for all three"
    classes = 0.003 * unit(2, 92)
    right, wrong = (float(reid_tune.identity_loss(each, classes, who)) for each in (apart, mingled))
    assert right + 1 < wrong
    turned = unit(30, 35, 120, 125)
    assert float(reid_tune.kept_loss(turned, apart)) == pytest.approx(0, abs=1e-9), "all turned alike"
    assert float(reid_tune.kept_loss(mingled, apart)) > 0.1


def test_a_few_steps_part_drawn_people_and_leave_statistics_and_first_blocks_alone(tmp_path: Path) -> None:
    people(tmp_path, 10)
    net = embedder_from_onnx(SHIPPED)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    _, taught = lesson(tmp_path, net)
    torch.manual_seed(1)
    learner = TuneLearner(net, 18)
    optimiser = torch.optim.AdamW([one for one in learner.parameters() if one.requires_grad], lr=1e-3)
    losses = []
    for step in range(6):
        learner.train()
        loss, parts = taught.loss(learner, np.random.default_rng(step % 2))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(parts["identity"] + parts["triplet"])
    assert np.mean(losses[-2:]) < np.mean(losses[:2])
    after = net.state_dict()
    still = [
        name
        for name in before
        if name.endswith(("running_mean", "running_var")) or name.startswith("trunk.2.")
    ]
    assert all(torch.equal(before[name], after[name]) for name in still)
    assert not torch.equal(before["branches.0.describe.0.weight"], after["branches.0.describe.0.weight"])
    found = taught.validate(learner)
    assert 0 <= found["drawn_map"] <= 1
    assert found["real_vector"] < 1.0, "something moved"


def test_weights_are_mixed_by_share() -> None:
    average = {
        f"student.{name}": value + 1 for name, value in embedder_from_onnx(SHIPPED).state_dict().items()
    }
    name = "branches.0.describe.0.weight"
    began = embedder_from_onnx(SHIPPED).state_dict()[name].clone()
    net = mixed(embedder_from_onnx(SHIPPED), average, 0.25)
    assert torch.allclose(net.state_dict()[name], began + 0.25, atol=1e-6)


def test_the_largest_share_is_taken_that_still_sees_what_the_teachers_see() -> None:
    figures = [
        ShareFigures(share, 0.7, 0.6, 1.0, teachers)
        for share, teachers in ((0.0, 0.80), (0.25, 0.81), (0.5, 0.795), (0.75, 0.785), (1.0, 0.76))
    ]
    assert best_share(figures) == 0.5
