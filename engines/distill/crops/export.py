"""Writes the trained nets on person crops as ONNX files (fp16 storage) and into the manifest."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from engines.distill.crops.loop import read_state
from engines.distill.crops.recipe import CropRecipe, ReidRecipe
from engines.distill.export import OPSET, store_as_half
from engines.distill.manifest import digest, update

REID = "person-reid"
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
    """Writes `person-reid.onnx` from the run's checkpoint."""
    from engines.distill.crops.reid_train import ReidLearner
    from engines.models.reid import INPUT_HEIGHT, INPUT_WIDTH

    state = read_state(recipe.run / "checkpoint.pt")
    learner = ReidLearner()
    learner.load_state_dict(state["average"])
    path = folder / f"{REID}.onnx"
    write_crop_net(learner.student, path, (INPUT_WIDTH, INPUT_HEIGHT), "embedding")
    about = "our own, 512 numbers a person; global, halves and thirds over MobileNetV2's first blocks"
    training = {
        "command": f"python -m engines.distill reid --config {recipe_file}",
        "data": list(DATA),
        "teachers": ["osnet_x0_25_msmt17", "person-reidentification-retail-0286"],
    }
    record(folder, path, recipe, state, {"task": "reid", "about": about, "training": training})
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
