"""How much of what was learnt from drawn people to take: what each share of it is worth on what is held out.

Weights between those a run began with and those it ended with often do better than either (Wortsman et al.
2022). Looked at are drawn people and real crops that are held out of training; nothing that nets are measured
on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from engines.backends import cpu
from engines.evaluation.reid_teachers import teachers
from engines.models.reid import INPUT_HEIGHT, INPUT_WIDTH
from engines.training.crops.augment import as_batch
from engines.training.crops.recipe import TuneRecipe
from engines.training.crops.reid_losses import consensus
from engines.training.crops.reid_train import agreement
from engines.training.crops.tuning.drawn import drawn_crops
from engines.training.crops.tuning.reload import embedder_from_onnx
from engines.training.crops.tuning.train import across_cameras, embed, known_looks, mixed
from engines.training.loop import read_checkpoint

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
REAL = 600
"""Views of real crops that are held out; clean and hard ones."""
WITHIN = 0.01
"""So much less than the net it began from may agree with the teachers."""


@dataclass(frozen=True)
class ShareFigures:
    """What a share is worth: retrieval of drawn people across cameras, and the correlation of real
    likenesses with those of the net it began from and with the teachers'."""

    share: float
    rank1: float
    mean_ap: float
    as_before: float
    teachers: float


def judge_shares(recipe: TuneRecipe) -> Iterator[ShareFigures]:
    """Figures for each of `SHARES`. Raises TrainingError."""
    torch.set_num_threads(recipe.threads)
    average = read_checkpoint(recipe.run / "checkpoint.pt")["average"]
    known = known_looks(recipe, embedder_from_onnx(recipe.start))
    rows = np.flatnonzero(known.held_out)
    rows = rows[:: max(1, len(rows) // REAL)]
    real, said = known.pictures[rows], torch.from_numpy(known.said[rows])
    views = [np.ascontiguousarray(picture.transpose(1, 2, 0)) for picture in real]
    asked = teachers(recipe.data, recipe.threads, "bf16" if cpu.has_bf16() else "f32")
    taught = consensus([torch.from_numpy(teacher.embed(views)) for teacher in asked.values()])
    judged = drawn_crops(recipe.drawn, held_out=True)
    crops = as_batch(judged.plain(range(len(judged.persons))), (INPUT_WIDTH, INPUT_HEIGHT))
    for share in SHARES:
        net = mixed(embedder_from_onnx(recipe.start), average, share)
        found = across_cameras(embed(net, crops), judged.persons, judged.cameras)
        now = torch.from_numpy(embed(net, real))
        yield ShareFigures(
            share, found.rank1, found.mean_ap, agreement(now, said @ said.T), agreement(now, taught)
        )


def best_share(figures: list[ShareFigures]) -> float:
    """The largest share whose likenesses of real crops agree with the teachers' as before, less `WITHIN`."""
    before = next(each.teachers for each in figures if each.share == 0)
    return max(each.share for each in figures if each.teachers >= before - WITHIN)
