"""Assignment, losses, scenes, a run that resumes, and the export; needs torch (extra `train`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engines.errors import TrainingError  # noqa: E402
from engines.evaluation.accuracy import decode, matches, summarise  # noqa: E402
from engines.evaluation.pool import LabelledImage, Labels, save_image, write_index  # noqa: E402
from engines.evaluation.teachers import TeacherBoxes, overlap  # noqa: E402
from engines.models.detector import DetectorNet, DetectorWidth  # noqa: E402
from engines.training import loop, manifest  # noqa: E402
from engines.training.config import DetectorRecipe, read_recipe  # noqa: E402
from engines.training.detector import export, losses, scenes  # noqa: E402
from engines.training.detector.assign import assign, cell_centres, iou_by_row, pad  # noqa: E402
from engines.training.detector.augment import clipped, stretched  # noqa: E402
from engines.training.detector.cutouts import Cutout, save_cutouts  # noqa: E402
from engines.training.detector.train import detector_training  # noqa: E402

torch.set_num_threads(1)
SMALL = DetectorWidth((8, 8, 16, 16, 16), (8, 8, 8, 8), (1, 1, 1, 1), 16, 16)


def person(left: float, top: float, right: float, bottom: float, trust: float = 1.0) -> Labels:
    return Labels(
        np.array([[left, top, right, bottom]], np.float32),
        np.array([trust], np.float32),
        np.zeros(1, np.float32),
    )


@pytest.fixture()
def pool_folder(tmp_path: Path) -> Path:
    """Dark upright blocks on light ground: persons for a net that has to learn something in seconds."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "pool"
    folder.mkdir()
    entries = []
    for number in range(12):
        image = (190 + rng.normal(0, 6, (96, 128, 3))).clip(0, 255).astype(np.uint8)
        left, top = int(rng.integers(4, 90)), int(rng.integers(4, 30))
        image[top : top + 60, left : left + 26] = 30
        labels = person(left, top, left + 26, top + 60)
        picture = LabelledImage(str(number), "street", number % 4 == 0, image, labels, complete=True)
        entries.append(save_image(folder, picture))
    write_index(folder, entries)
    return folder


def recipe(run: Path, **changes: object) -> DetectorRecipe:
    settings: dict[str, object] = {
        "data": run,
        "run": run,
        "steps": 4,
        "batch": 4,
        "threads": 1,
        "workers": 0,
        "sizes": [(128, 96)],
        "validation_size": (128, 96),
        "checkpoint_every_steps": 2,
        "validate_every_steps": 4,
        "warmup_steps": 1,
    }
    return DetectorRecipe(**{**settings, **changes})  # type: ignore[arg-type]


def test_the_net_answers_for_every_cell_of_any_size() -> None:
    net = DetectorNet(SMALL).eval()
    with torch.no_grad():
        for height, width in ((96, 128), (64, 160)):
            rows = net(torch.zeros(2, 3, height, width))
            cells = sum((height // stride) * (width // stride) for stride in (8, 16, 32))
            assert rows.shape == (2, cells, 5)
            assert (rows[..., :4] >= 0).all()
            assert ((rows[..., 4] > 0) & (rows[..., 4] < 1)).all()


def test_the_backbone_stays_within_512_channels_and_the_net_within_four_megabytes_as_shipped() -> None:
    net = DetectorNet()
    assert max(net.width.backbone) <= 512
    assert sum(value.numel() for value in net.parameters()) * 2 <= 4_000_000


def test_cells_come_in_rows_from_the_finest_level() -> None:
    centres, strides = cell_centres(64, 96)
    assert centres[:2].tolist() == [[4, 4], [12, 4]]
    assert centres[12].tolist() == [4, 12]
    assert strides.tolist() == [8] * 96 + [16] * 24 + [32] * 6


def test_cells_inside_a_person_answer_for_it_and_places_to_look_away_from_count_for_nothing() -> None:
    centres, _ = cell_centres(64, 64)
    labels = pad([Labels.joined([person(0, 0, 32, 32), person(32, 32, 64, 64, trust=0)])])
    boxes = labels.boxes[:, :1].expand(1, len(centres), 4)
    found = assign(torch.full((1, len(centres)), 0.5), boxes, centres, labels)
    inside = (centres < 32).all(-1)
    assert found.positive[0].any()
    assert not found.positive[0][~inside].any()
    assert found.target[0].max() == pytest.approx(1.0, abs=1e-4)
    away = (centres > 32).all(-1)
    assert not found.counted[0][away].any()
    assert found.counted[0][~away].all()


def test_a_cell_between_two_people_answers_for_the_one_it_fits() -> None:
    centres, _ = cell_centres(64, 64)
    labels = pad([Labels.joined([person(0, 0, 40, 64), person(8, 0, 48, 64)])])
    boxes = labels.boxes[:, 1:2].expand(1, len(centres), 4)
    found = assign(torch.full((1, len(centres)), 0.5), boxes, centres, labels)
    shared = found.positive[0] & (centres[:, 0] > 8) & (centres[:, 0] < 40)
    assert shared.any()
    assert (found.person[0][shared] == 1).float().mean() > 0.4


def test_overlap_of_known_boxes() -> None:
    first = torch.tensor([[0.0, 0.0, 10.0, 10.0]] * 3)
    second = torch.tensor([[0.0, 0.0, 10.0, 10.0], [5.0, 0.0, 15.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
    assert iou_by_row(first, second).tolist() == pytest.approx([1, 1 / 3, 0])
    iou, giou = losses.generalised_iou(first[:1], second[2:])
    assert float(iou[0]) == 0
    assert float(giou[0]) == pytest.approx(-(900 - 200) / 900)


def test_a_student_behind_its_teacher_pays_more_for_the_same_box() -> None:
    centres, _ = cell_centres(64, 64)
    raw = torch.full((1, len(centres), 5), 14.0)
    raw[..., 4] = 0.0
    labels = person(8, 8, 56, 56)
    free = losses.detector_loss(raw, 64, 64, pad([labels]), 0.05, 1.0)
    labels.teacher_iou[:] = 0.95
    bound = losses.detector_loss(raw, 64, 64, pad([labels]), 0.05, 1.0)
    assert free.behind_teacher == 0
    assert bound.behind_teacher == 1
    assert bound.box == pytest.approx(2 * free.box, rel=1e-5)


def test_the_loss_teaches_the_net_a_single_picture() -> None:
    torch.manual_seed(4)
    net = DetectorNet(SMALL).train()
    image = torch.full((2, 3, 96, 96), 190.0)
    image[:, :, 20:80, 30:60] = 20
    labels = pad([person(30, 20, 60, 80)] * 2)
    optimiser = torch.optim.AdamW(net.parameters(), lr=5e-3)
    values = []
    for _ in range(40):
        loss = losses.detector_loss(net.raw(image), 96, 96, labels, 0.05, 1.0)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        values.append(loss.box)
    assert values[-1] < 0.5 * values[0]


def test_a_crowd_has_people_who_hide_each_other(pool_folder: Path) -> None:
    standing = Cutout(np.full((60, 24, 3), 10, np.uint8), np.ones((60, 24), np.float32))
    save_cutouts(pool_folder / "cutouts", [standing])
    only = {"plain": 0.0, "mosaic": 0.0, "pasted": 0.0, "close": 0.0, "crowd": 1.0}
    maker = scenes.SceneMaker(pool_folder, 5, kinds=only)
    trusts, closest = [], []
    for _ in range(30):
        image, labels = maker.example((128, 96))
        assert image.shape == (96, 128, 3)
        trusts.append(labels.trust)
        if len(labels.boxes) > 1:
            others = overlap(labels.boxes, labels.boxes) - np.eye(len(labels.boxes))
            closest.append(others.max())
    assert np.median(closest) > 0.2
    found = np.concatenate(trusts)
    assert (found == 1).any() and (found == 0).any() and ((found > 0.5) & (found < 1)).any()


def test_a_close_up_has_a_person_about_as_tall_as_the_picture(pool_folder: Path) -> None:
    only = {"plain": 0.0, "mosaic": 0.0, "pasted": 0.0, "close": 1.0}
    maker = scenes.SceneMaker(pool_folder, 5, kinds=only)
    shares = []
    for _ in range(40):
        image, labels = maker.example((128, 96))
        assert image.shape == (96, 128, 3)
        sure = labels.boxes[labels.trust > 0]
        shares.append(float((sure[:, 3] - sure[:, 1]).max(initial=0.0)) / 96)
    assert np.median(shares) > 0.6
    assert max(shares) > 0.99


def test_a_person_cut_off_counts_only_while_enough_of_it_or_of_the_picture_is_seen() -> None:
    seen = person(0, -60, 20, 40), person(0, -70, 20, 30), person(0, -400, 100, 60)
    cut = clipped(Labels.joined(list(seen)), (0, 0, 200, 100))
    assert cut.trust.tolist() == [1.0, 0.0, 1.0]
    assert cut.boxes[2].tolist() == [0, 0, 100, 60]


def test_a_stretched_pictures_boxes_are_stretched_with_it() -> None:
    image, labels = stretched(np.zeros((50, 100, 3), np.uint8), person(10, 5, 30, 45), 1.5)
    assert image.shape == (50, 150, 3)
    assert labels.boxes[0].tolist() == [15, 5, 45, 45]


def test_an_unknown_kind_of_scene_is_refused(pool_folder: Path) -> None:
    with pytest.raises(TrainingError, match="unknown kind of scene 'upside-down'"):
        scenes.SceneMaker(pool_folder, 5, kinds={"upside-down": 1.0})


def test_the_rate_falls_with_the_minutes_where_they_end_before_the_steps() -> None:
    settings = DetectorRecipe(Path(), Path(), steps=1000, minutes=10, warmup_steps=1, learning_rate=1.0)
    assert loop.learning_rate(settings, 10, 0.0) > 0.99
    assert loop.learning_rate(settings, 10, 300.0) == pytest.approx(0.51, abs=0.01)
    assert loop.learning_rate(settings, 10, 600.0) == pytest.approx(0.02)


def test_scenes_depend_on_the_seed_only_and_leave_held_out_pictures_alone(pool_folder: Path) -> None:
    first = scenes.SceneMaker(pool_folder, 7).example((128, 96))
    second = scenes.SceneMaker(pool_folder, 7).example((128, 96))
    assert (first[0] == second[0]).all()
    assert first[0].shape == (96, 128, 3)
    maker = scenes.SceneMaker(pool_folder, 8)
    assert maker._by_source
    assert not any(entry.held_out for entries in maker._by_source.values() for entry in entries)


def test_a_run_stops_where_told_and_goes_on_from_its_checkpoint(pool_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    detector_training(recipe(run, steps=2), pool_folder).run()
    resumed = detector_training(recipe(run, steps=4), pool_folder)
    assert resumed.progress.step == 2
    resumed.run()
    assert resumed.progress.step == 4
    assert (run / "validation.csv").read_text().count("\n") >= 2


def test_a_run_told_to_stop_leaves_a_checkpoint_of_its_last_step(
    pool_folder: Path, tmp_path: Path, repo: Path
) -> None:
    settings = {
        "data": str(tmp_path),
        "run": str(tmp_path / "run"),
        "steps": 100_000,
        "batch": 2,
        "threads": 1,
        "sizes": [[64, 64]],
        "checkpoint_every_steps": 100_000,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings))
    command = [
        sys.executable,
        "-m",
        "engines.training",
        "detector",
        "--config",
        str(tmp_path / "recipe.yaml"),
    ]
    process = subprocess.Popen(command, cwd=repo, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "loss" in process.stdout.readline()
    process.terminate()
    assert process.wait(60) == 0
    assert loop.read_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"] >= 20


def test_the_export_gives_what_the_net_gives_at_any_size(tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(5)
    net = DetectorNet().eval()
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    export.write_onnx(net, full)
    export.store_as_half(full, half)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    session = onnxruntime.InferenceSession(str(half), providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 96, 128), (2, 3, 64, 64)):
        images = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
        with torch.no_grad():
            wanted = net(torch.from_numpy(images)).numpy()
        assert np.abs(session.run(None, {"images": images})[0] - wanted).max() < 0.2


def test_the_8_bit_export_keeps_the_predictions_exact_and_takes_any_size(tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(6)
    net = DetectorNet(SMALL).eval()
    full, quantised = tmp_path / "full.onnx", tmp_path / "int8.onnx"
    export.write_onnx(net, full, (128, 96))
    rng = np.random.default_rng(7)
    pictures = [rng.integers(0, 255, (96, 128, 3)).astype(np.uint8) for _ in range(4)]
    export.write_int8(full, quantised, pictures, [(128, 96)])
    graph = onnx.load(str(quantised)).graph
    predictions = {node.output[0] for node in graph.node if node.name.endswith("/predict/Conv")}
    assert len(predictions) == 3
    assert not any(node.op_type == "QuantizeLinear" and node.input[0] in predictions for node in graph.node)
    assert sum(node.op_type == "QuantizeLinear" for node in graph.node) > 20
    entrance = next(node for node in graph.node if node.input[0] == "images")
    step = next(tensor for tensor in graph.initializer if tensor.name == entrance.input[1])
    assert onnx.numpy_helper.to_array(step) == np.float32(export.PIXEL_STEP)
    session = onnxruntime.InferenceSession(str(quantised), providers=["CPUExecutionProvider"])
    images = rng.uniform(0, 255, (1, 3, 64, 160)).astype(np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(images)).numpy()
    rows = session.run(None, {"images": images})[0]
    assert np.abs(np.log(rows[..., :4]) - np.log(wanted[..., :4])).max() < 0.1


def test_an_export_updates_its_own_entry_of_the_manifest_only(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(
        "engines:\n- {name: other, decoder: yolox}\n- {name: mine, score: 0.1, measured: {a: 1}}\n"
    )
    manifest.update(tmp_path, "mine", {"measured": {"b": 2}, "score": 0.2})
    manifest.update(tmp_path, "new", {"score": 0.3})
    found = yaml.safe_load((tmp_path / "manifest.yaml").read_text())["engines"]
    assert found == [
        {"name": "other", "decoder": "yolox"},
        {"name": "mine", "score": 0.2, "measured": {"a": 1, "b": 2}},
        {"name": "new", "score": 0.3},
    ]
    (tmp_path / "manifest.yaml").write_text("nets: []\n")
    with pytest.raises(TrainingError, match="not a manifest"):
        manifest.update(tmp_path, "mine", {})


def test_average_precision_of_known_answers() -> None:
    labels = Labels.joined(
        [person(0, 0, 40, 100), person(100, 0, 140, 100), person(300, 0, 340, 100, trust=0)]
    )
    boxes = np.array([[0, 0, 40, 100], [200, 0, 240, 100], [100, 0, 140, 90], [300, 0, 340, 90]], np.float32)
    rows = matches(TeacherBoxes(boxes, np.array([0.9, 0.8, 0.7, 0.95], np.float32)), labels)
    assert [score for score, _ in rows] == pytest.approx([0.9, 0.8, 0.7])
    found = summarise(rows, 2)
    assert found.ap50 == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert found.recall == 1


def test_predictions_become_boxes_of_the_picture() -> None:
    rows = np.zeros((96 + 24 + 6, 5), np.float32)
    rows[13] = [4, 4, 12, 20, 0.8]
    seen = decode(rows, (96, 64), 0.5)
    assert seen.boxes.tolist() == [[(12 - 4) * 2, (12 - 4) * 2, (12 + 12) * 2, (12 + 20) * 2]]


def test_a_recipe_with_an_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("data: d\nrun: r\nepocks: 3\n")
    with pytest.raises(TrainingError, match="epocks"):
        read_recipe(file)
    file.write_text("data: d\n")
    with pytest.raises(TrainingError, match="'run' is missing"):
        read_recipe(file)
