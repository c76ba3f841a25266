"""Teaches the re-identification net what two teachers say of unlabelled crops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.distill.crops import reid_losses
from engines.distill.crops.augment import Hardships, as_batch, augmented, coarse
from engines.distill.crops.gather import CropSet, gather, inner
from engines.distill.crops.recipe import ReidRecipe
from engines.distill.crops.reid_teachers import Embeddings, taught
from engines.distill.loop import TrainingRun
from engines.distill.reload import read_imagenet
from engines.models.reid import (
    EMBEDDING,
    GLOBAL_FEATURES,
    INPUT_HEIGHT,
    INPUT_WIDTH,
    PersonEmbedder,
    fused,
    local,
)

FROZEN_BLOCKS = 7
"""Edges, colours and textures of ImageNet (up to stride 8) stay as they are: a third of a step's time."""

INPUT_WH = (INPUT_WIDTH, INPUT_HEIGHT)
VIEWS = 2
VALIDATED = 300
VECTOR_SIZES = (512, 256)
HARDSHIPS = Hardships()


class ReidLearner(nn.Module):
    """The student with its maps into the teachers' spaces, which only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.student = PersonEmbedder()
        sizes = {"global": GLOBAL_FEATURES, "local": EMBEDDING - GLOBAL_FEATURES}
        self.maps = nn.ModuleDict(
            {
                f"{view}-{place}": nn.Linear(size, target)
                for view, size in sizes.items()
                for place, target in enumerate(VECTOR_SIZES)
            }
        )
        for block in self.student.trunk[:FROZEN_BLOCKS]:
            block.requires_grad_(False)

    def train(self, mode: bool = True) -> ReidLearner:
        super().train(mode)
        self.student.trunk[:FROZEN_BLOCKS].eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.student.views(images)


class ReidLesson:
    """Batches of hard views of unlabelled crops, and how well the student sees what the teachers see."""

    judged_by = "fused_far"

    def __init__(self, recipe: ReidRecipe, crops: CropSet, teachers: list[Embeddings]) -> None:
        self._recipe, self._crops = recipe, crops
        self._teachers = [torch.from_numpy(vectors) for vectors in teachers]
        self._trained = crops.rows(held_out=False)
        by_source: dict[str, list[int]] = {}
        for row in self._trained.tolist():
            by_source.setdefault(crops.records[row].source, []).append(row)
        self._sources = [np.asarray(rows) for rows in by_source.values()]
        self._shares = np.sqrt([len(rows) for rows in self._sources])
        self._shares = self._shares / self._shares.sum()

    def loss(self, learner: ReidLearner, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = self._draw(rng)
        pictures = self._hard_views(rows, rng)
        images = torch.from_numpy(as_batch(pictures, INPUT_WH)).to(memory_format=torch.channels_last).float()
        with torch.autocast("cpu", torch.bfloat16):
            views = [view.float() for view in learner(images)]
        twice = torch.from_numpy(np.tile(rows, VIEWS))
        same = twice[:, None] == twice[None, :]
        aims = [vectors[twice] for vectors in self._teachers]
        target = reid_losses.consensus(aims, same)
        seen = {"global": views[0], "local": local(views), "fused": fused(views)}
        related = {name: reid_losses.relation_loss(view, target, same) for name, view in seen.items()}
        vectors = [
            reid_losses.vector_loss(learner.maps[f"{view}-{place}"](seen[view]), aim)
            for view in ("global", "local")
            for place, aim in enumerate(aims)
        ]
        vector = torch.stack(vectors).mean()
        total = torch.stack(list(related.values())).mean() + self._recipe.vector_weight * vector
        parts = {f"relation_{name}": float(loss.detach()) for name, loss in related.items()}
        return total, {**parts, "vector": float(vector.detach())}

    def validate(self, net: ReidLearner) -> Mapping[str, float]:
        """Correlation of likenesses with the teachers' on held-out crops, as they are and from far away."""
        rows = self._crops.rows(held_out=True)
        rows = rows[:: max(1, len(rows) // VALIDATED)]
        target = reid_losses.consensus(
            [vectors[torch.from_numpy(rows)] for vectors in self._teachers], torch.eye(len(rows)) > 0
        )
        rng = np.random.default_rng(self._recipe.seed)
        pictures = [inner(self._crops.crops[row]) for row in rows]
        far = [coarse(picture, rng, HARDSHIPS.least_height_px) for picture in pictures]
        found: dict[str, float] = {}
        for name, shown in (("", pictures), ("_far", far)):
            views = _views_of(net, shown)
            found[f"global{name}"] = agreement(views[0], target)
            found[f"local{name}"] = agreement(local(views), target)
            found[f"fused{name}"] = agreement(fused(views), target)
        return found

    def _draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Half a batch from one source (people who look alike, one background), half from everywhere."""
        count = self._recipe.batch // VIEWS
        one = self._sources[rng.choice(len(self._sources), p=self._shares)]
        near = rng.choice(one, min(len(one), count // 2), replace=False)
        rest = rng.choice(self._trained, count, replace=False)
        rows = np.concatenate((near, rest[~np.isin(rest, near)]))[:count]
        return np.asarray(rows, np.intp)

    def _hard_views(self, rows: NDArray[np.intp], rng: np.random.Generator) -> list[NDArray[np.uint8]]:
        crops = [np.asarray(self._crops.crops[row]) for row in rows]
        return [
            augmented(crop, inner(crops[int(rng.integers(len(crops)))]), rng, HARDSHIPS)
            for _ in range(VIEWS)
            for crop in crops
        ]


def _views_of(net: nn.Module, pictures: list[NDArray[np.uint8]]) -> list[Tensor]:
    parts = []
    for first in range(0, len(pictures), 64):
        batch = as_batch(pictures[first : first + 64], INPUT_WH)
        with torch.autocast("cpu", torch.bfloat16):
            parts.append([view.float() for view in net(torch.from_numpy(batch).float())])
    return [torch.cat(list(branch)) for branch in zip(*parts, strict=True)]


def agreement(vectors: Tensor, target: Tensor) -> float:
    """Correlation between the likenesses of all pairs and the teachers'."""
    pairs = torch.triu_indices(len(vectors), len(vectors), 1)
    mine = reid_losses.likeness(vectors)[pairs[0], pairs[1]]
    theirs = target[pairs[0], pairs[1]]
    return float(torch.corrcoef(torch.stack((mine, theirs)))[0, 1])


def reid_training(recipe: ReidRecipe) -> TrainingRun[ReidLearner]:
    """Gathers crops, asks the teachers, and makes the run ready to go (on)."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    crops = gather(recipe.data, recipe.pool, recipe.run, recipe.crops_a_source, recipe.seed)
    teachers = taught(crops.crops, recipe.data, recipe.run, recipe.threads)
    learner = ReidLearner()
    if recipe.imagenet is not None:
        learner.student.start_from_imagenet(read_imagenet(recipe.imagenet))
    learner.to(memory_format=torch.channels_last)
    return TrainingRun(recipe, learner, ReidLesson(recipe, crops, teachers))
