"""What each part of the distillation is worth: the same recipe, seed and steps, one switch at a time.

The first row learns from the pool's boxes alone, every one taken for certain. (The clips have no other boxes
than the teachers', so even that row owes them something there.) Every further row adds one thing:

- plain L2: the squared difference between the features the heads stand on and YOLOX-nano's, channel i to i;
- hint: the distance between the distributions of the same features over the channels, in any order;
- bounded regression: a box counts twice where the student is behind the teacher by more than a margin.

`all` is hint, bounded regression, and soft targets: the teachers' doubts, YOLOX-nano's score in every cell.
The row `start` is the net that all rows start from, where they start from one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.errors import TrainingError
from engines.evaluation import accuracy as evaluate
from engines.models.detector import DetectorNet
from engines.training.config import DetectorRecipe
from engines.training.detector.train import detector_training
from engines.training.loop import TrainingRun

PLAIN: dict[str, Any] = {"hard_labels": True, "bound_gain": 0.0, "soft_gain": 0.0, "hint": "none"}
ROWS: dict[str, dict[str, Any]] = {
    "labels": PLAIN,
    "labels + plain L2": {**PLAIN, "hint": "plain_l2"},
    "labels + hint": {**PLAIN, "hint": "distribution"},
    "labels + bounded regression": {**PLAIN, "bound_gain": 1.0},
    "all": {"hard_labels": False, "bound_gain": 1.0, "soft_gain": 1.0, "hint": "distribution"},
}
SETS = ("street", "coco", "clips")


@dataclass(frozen=True)
class AblationRow:
    """One row of the table: average precision at IoU 0.5 on the held-out part of the pool."""

    name: str
    steps: int
    minutes: float
    street: float
    coco: float
    clips: float

    @property
    def mean(self) -> float:
        return (self.street + self.coco + self.clips) / 3


def ablate(recipe: DetectorRecipe, pool: Path) -> list[AblationRow]:
    """Trains every row in a folder of its own under the recipe's run; rows already done are kept.

    Writes `ablation.md` and `ablation.png` there and gives the rows. Goes on after a stop.
    """
    rows = [] if recipe.start_from is None else [_start(recipe, pool)]
    for name, switches in ROWS.items():
        folder = recipe.run / name.replace(" + ", "-").replace(" ", "-")
        done = folder / "row.json"
        if not done.exists():
            print(f"ablation: {name}", flush=True)
            training = detector_training(replace(recipe, run=folder, **switches), pool)
            training.run(validate_at_end=False)
            if training.stopped:
                raise TrainingError(f"stopped in the row {name!r}; the same command goes on there")
            done.write_text(json.dumps(asdict(measured(name, training, recipe, pool))))
        rows.append(AblationRow(**json.loads(done.read_text())))
        print(line(rows[-1]), flush=True)
    (recipe.run / "ablation.md").write_text(table(rows, recipe))
    draw(rows, recipe.run / "ablation.png")
    return rows


def _start(recipe: DetectorRecipe, pool: Path) -> AblationRow:
    """The net that every row starts from, untrained by any."""
    done = recipe.run / "start.json"
    if not done.exists():
        training = detector_training(replace(recipe, run=recipe.run / "start"), pool)
        done.write_text(json.dumps(asdict(measured("start", training, recipe, pool))))
    row = AblationRow(**json.loads(done.read_text()))
    print(line(row), flush=True)
    return row


def measured(
    name: str, training: TrainingRun[DetectorNet], recipe: DetectorRecipe, pool: Path
) -> AblationRow:
    """The averaged net of a finished run on the held-out pictures: photos by their published boxes."""
    net, progress = training.average.eval(), training.progress

    def predict(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return np.asarray(_channels_last(net, batch).float())

    sets = {
        "street": evaluate.held_out_truth(pool, recipe.data, "street", heads=True),
        "coco": evaluate.held_out_truth(pool, recipe.data, "coco"),
        "clips": evaluate.held_out(pool, ("retail", "hall", "table")),
    }
    found = {key: evaluate.measure(predict, sets[key], recipe.validation_size).ap50 for key in SETS}
    return AblationRow(name, progress.step, progress.trained_s / 60, **found)


def _channels_last(net: DetectorNet, batch: np.ndarray) -> torch.Tensor:
    return net(torch.from_numpy(batch).to(memory_format=torch.channels_last))


def line(row: AblationRow) -> str:
    """A row of the Markdown table."""
    figures = (row.street, row.coco, row.clips, row.mean)
    return f"| {row.name} | " + " | ".join(f"{value:.3f}" for value in figures) + f" | {row.minutes:.1f} |"


def table(rows: Sequence[AblationRow], recipe: DetectorRecipe) -> str:
    """The Markdown table, headed by what was trained for how long."""
    sizes = ", ".join(f"{width} x {height}" for width, height in recipe.sizes)
    start = f"from {recipe.start_from.name}" if recipe.start_from else "from random weights"
    head = (
        f"Each row {start}, {recipe.steps} steps of {recipe.batch} pictures at {sizes}, seed {recipe.seed}; "
        f"measured at {recipe.validation_size[0]} x {recipe.validation_size[1]}.\n\n"
        "| trained with | street, held out | COCO, held out | clips, held out | mean | minutes |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(line(row) for row in rows) + "\n"


def draw(rows: Sequence[AblationRow], path: Path) -> None:
    """The table as bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(rows))
    for shift, key in enumerate((*SETS, "mean")):
        values = [getattr(row, key) for row in rows]
        axes.barh(places + 0.2 * shift, values, height=0.2, label=key)
    axes.set_yticks(places + 0.3, [row.name for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("AP at IoU 0.5")
    axes.legend()
    axes.grid(alpha=0.3, axis="x")
    figure.savefig(path, dpi=110)
