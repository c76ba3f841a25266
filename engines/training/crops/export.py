"""Writes the trained nets on person crops as ONNX files (fp16 storage) and into the manifest."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from engines.training.crops.recipe import ActionRecipe, CropRecipe, ReidRecipe, TuneRecipe
from engines.training.detector.export import OPSET, store_as_half
from engines.training.loop import read_checkpoint
from engines.training.manifest import digest, update

REID, ACTION = "person-reid", "person-action"
DATA = (
    "img-street-people",
    "img-cafe-people",
    "img-coco256",
    "img-inria-person-crops",
    "video-retail-nvidia",
    "video-intel-people",
)
Facts = dict[str, Any]


def write_crop_net(net: nn.Module, path: Path, size_wh: tuple[int, int], output: str) -> None:
    """Writes a net of a fixed input size and a free number of crops, weights stored as fp16."""
    width, height = size_wh
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "full.onnx"
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 3, height, width),),
            str(full),
            input_names=["images"],
            output_names=[output],
            dynamic_axes={"images": {0: "n"}, output: {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        onnx.checker.check_model(str(full), full_check=True)
        store_as_half(full, path)


def export_reid(recipe: ReidRecipe, recipe_file: Path, folder: Path) -> Path:
    """Writes `person-reid.onnx` from the run's checkpoint, its last layer solved exactly."""
    from engines.models.reid import INPUT_HEIGHT, INPUT_WIDTH
    from engines.training.crops.reid_fit import fit_last_layer
    from engines.training.crops.reid_train import ReidLearner, gathered

    state = read_checkpoint(recipe.run / "checkpoint.pt")
    learner = ReidLearner()
    learner.load_state_dict(state["average"])
    views = gathered(recipe)
    torch.set_num_threads(recipe.threads)
    fit = fit_last_layer(learner.student, views, recipe.fitted_views, recipe.seed)
    print("last layer: " + ", ".join(f"{name} {value:.3f}" for name, value in fit.items()), flush=True)
    path = folder / f"{REID}.onnx"
    write_crop_net(learner.student, path, (INPUT_WIDTH, INPUT_HEIGHT), "embedding")
    about = "our own, 512 numbers a person; global, halves and thirds over MobileNetV2's first blocks"
    training = {
        "command": f"python -m engines.training reid --config {recipe_file}",
        "data": list(DATA),
        "teachers": ["osnet_x0_25_msmt17", "person-reidentification-retail-0286"],
        "crops": len(views.sources),
        "views_a_crop": views.each,
        "last_layer": f"ridge regression on {recipe.fitted_views} views",
    }
    record(folder, path, recipe, state, {"task": "reid", "about": about, "training": training})
    return path


def export_reid_tune(recipe: TuneRecipe, recipe_file: Path, folder: Path) -> Path:
    """Writes `person-reid.onnx` from the run's averaged weights, mixed with those it began from by the
    recipe's share, and into the manifest what it began from and how it went on."""
    from engines.models.reid import INPUT_HEIGHT, INPUT_WIDTH
    from engines.training.crops.tuning.drawn import drawn_crops
    from engines.training.crops.tuning.reload import embedder_from_onnx
    from engines.training.crops.tuning.train import mixed

    state = read_checkpoint(recipe.run / "checkpoint.pt")
    began = embedder_from_onnx(recipe.start)
    net = mixed(began, state["average"], recipe.share)
    drawn = drawn_crops(recipe.drawn, held_out=False, parts=recipe.parts)
    path = folder / f"{REID}.onnx"
    tuned = {
        "command": f"python -m engines.training reid-tune --config {recipe_file}",
        "began_from_sha256": digest(recipe.start),
        "drawn_people": len(set(drawn.persons.tolist())),
        "drawn_crops": len(drawn.persons),
        "seed": recipe.seed,
        "steps": state["step"],
        "batch": recipe.batch,
        "drawn_a_batch": recipe.persons_a_batch * recipe.crops_a_person,
        "minutes": round(state["trained_s"] / 60),
    }
    write_crop_net(net, path, (INPUT_WIDTH, INPUT_HEIGHT), "embedding")
    files = [{"file": path.name, "precision": "f32", "sha256": digest(path), "bf16": True}]
    update(folder, path.stem, {"files": files, "training": {"tuned": tuned}})
    print(f"{path}: {path.stat().st_size:,} bytes, sha256 {digest(path)}")
    return path


def export_action(recipe: ActionRecipe, recipe_file: Path, folder: Path) -> Path:
    """Writes `person-action.onnx` from the run's checkpoint, its zero moved to the best threshold.

    Its last layer is solved on the crops labelled by eye for training. The threshold is the lowest that keeps
    the recipe's precision on those of them held out; the crops it is tested on have no part in either.
    """
    from engines.models.action import INPUT_HEIGHT, INPUT_WIDTH
    from engines.training.crops.action_fit import fit_last_layer
    from engines.training.crops.action_pose import GROWN_WH
    from engines.training.crops.action_train import AT_WORK, ActionLearner, best_threshold, by_eye, by_pose

    state = read_checkpoint(recipe.run / "checkpoint.pt")
    learner = ActionLearner()
    learner.load_state_dict(state["average"])
    examples = by_eye(recipe)
    torch.set_num_threads(recipe.threads)
    logits = fit_last_layer(learner.student, examples, recipe.seed)
    truth = examples.handling[examples.held_out] >= AT_WORK
    threshold, recall = best_threshold(logits, truth, recipe.precision)
    learner.student.move_threshold(threshold)
    path = folder / f"{ACTION}.onnx"
    write_crop_net(learner.student, path, (INPUT_WIDTH, INPUT_HEIGHT), "handling")
    about = "our own, is a person handling goods; MobileNetV2's first blocks"
    training = {
        "command": f"python -m engines.training action --config {recipe_file}",
        "data": [*DATA, "without the aisle clip and the last 45 % of video-retail-nvidia"],
        "teachers": ["MoveNet lightning (pseudo-labels of reaching or holding)"],
        "crops": len(by_pose(recipe).handling),
        "crops_labelled_by_eye": len(examples.handling),
        "threshold": {
            "precision_kept": recipe.precision,
            "recall_on_held_out": round(recall, 3),
            "held_out_crops": len(truth),
        },
    }
    facts = {"task": "action", "grown": list(GROWN_WH), "about": about, "training": training}
    record(folder, path, recipe, state, facts)
    return path


def record(
    folder: Path, path: Path, recipe: CropRecipe, state: dict[str, Any], facts: dict[str, Any]
) -> None:
    """The manifest entry of an exported net."""
    training = {
        **facts["training"],
        "start": "MobileNetV2, ImageNet" if recipe.imagenet is not None else "random weights",
        "seed": recipe.seed,
        "steps": state["step"],
        "batch": recipe.batch,
        "minutes": round(state["trained_s"] / 60),
    }
    files = [{"file": path.name, "precision": "f32", "sha256": digest(path), "bf16": True}]
    entry = {**facts, "licence": "Apache-2.0", "files": files, "training": training}
    update(folder, path.stem, entry)
    print(f"{path}: {path.stat().st_size:,} bytes, sha256 {digest(path)}")
