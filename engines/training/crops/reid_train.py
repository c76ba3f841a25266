"""Teaches the re-identification net what two teachers say of unlabelled crops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.models.reid import EMBEDDING, GLOBAL_FEATURES, EmbedderNet, fused, local
from engines.training.crops import reid_losses
from engines.training.crops.gather import gather
from engines.training.crops.recipe import ReidRecipe
from engines.training.crops.views import ViewSet, view_set
from engines.training.loop import TrainingRun
from engines.training.reload import read_imagenet

FROZEN_BLOCKS = 7
"""Edges, colours and textures of ImageNet (up to stride 8) stay as they are: a third of a step's time."""

VALIDATED = 300
VECTOR_SIZES = (512, 256)
AT_ONCE = 64


class ReidLearner(nn.Module):
    """The student with its maps into the teachers' spaces, which only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.student = EmbedderNet()
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
    """Batches of views of unlabelled crops, and how well the student sees what the teachers see in them."""

    judged_by = "fused_hard"

    def __init__(self, recipe: ReidRecipe, views: ViewSet) -> None:
        self._recipe, self._views = recipe, views
        self._teachers = [torch.from_numpy(vectors) for vectors in views.teachers]
        self._trained = np.flatnonzero(~views.held_out)
        by_source: dict[str, list[int]] = {}
        for crop in self._trained.tolist():
            by_source.setdefault(views.sources[crop], []).append(crop)
        self._sources = [np.asarray(crops) for crops in by_source.values()]
        shares = np.sqrt([len(crops) for crops in self._sources])
        self._shares = shares / shares.sum()

    def loss(self, learner: ReidLearner, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Likeness of all pairs in a batch of different crops, then the teachers' vectors."""
        rows = self._draw(rng)
        with torch.autocast("cpu", torch.bfloat16):
            views = [view.float() for view in learner(self._images(rows))]
        aims = [vectors[torch.from_numpy(rows)] for vectors in self._teachers]
        target = reid_losses.consensus(aims)
        seen = {"global": views[0], "local": local(views), "fused": fused(views)}
        related = {name: reid_losses.relation_loss(view, target) for name, view in seen.items()}
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
        """Correlation of likenesses with the teachers' on held-out crops, as they are and hard to see."""
        crops = np.flatnonzero(self._views.held_out)
        crops = crops[:: max(1, len(crops) // VALIDATED)]
        found: dict[str, float] = {}
        for name, view in (("", 0), ("_hard", 1)):
            rows = self._views.rows(crops, view)
            target = reid_losses.consensus([vectors[torch.from_numpy(rows)] for vectors in self._teachers])
            parts = []
            for first in range(0, len(rows), AT_ONCE):
                with torch.autocast("cpu", torch.bfloat16):
                    shown = net(self._images(rows[first : first + AT_ONCE]))
                parts.append([each.float() for each in shown])
            views = [torch.cat(list(branch)) for branch in zip(*parts, strict=True)]
            found[f"global{name}"] = agreement(views[0], target)
            found[f"local{name}"] = agreement(local(views), target)
            found[f"fused{name}"] = agreement(fused(views), target)
        return found

    def _draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """A view each of as many crops: half from one source (one background), half from everywhere."""
        count = self._recipe.batch
        one = self._sources[rng.choice(len(self._sources), p=self._shares)]
        near = rng.choice(one, min(len(one), count // 2), replace=False)
        rest = rng.choice(self._trained, min(len(self._trained), count), replace=False)
        crops = np.concatenate((near, rest[~np.isin(rest, near)]))[:count]
        return self._views.rows(crops, rng.integers(self._views.each, size=len(crops)))

    def _images(self, rows: NDArray[np.intp]) -> Tensor:
        pictures = torch.from_numpy(np.stack([self._views.pictures[row] for row in rows]))
        return pictures.to(memory_format=torch.channels_last).float()


def agreement(vectors: Tensor, target: Tensor) -> float:
    """Correlation between the likenesses of all pairs and the teachers'."""
    pairs = torch.triu_indices(len(vectors), len(vectors), 1)
    mine = reid_losses.likeness(vectors)[pairs[0], pairs[1]]
    theirs = target[pairs[0], pairs[1]]
    return float(torch.corrcoef(torch.stack((mine, theirs)))[0, 1])


def gathered(recipe: ReidRecipe) -> ViewSet:
    """The crops of a recipe with their views and what the teachers say of them, from its run's folder."""
    crops = gather(recipe.data, recipe.pool, recipe.run, recipe.crops_a_source, recipe.seed)
    return view_set(crops, recipe.data, recipe.run, recipe.views_a_crop, recipe.seed, recipe.threads)


def reid_training(recipe: ReidRecipe) -> TrainingRun[ReidLearner]:
    """Gathers crops, asks the teachers, and makes the run ready to go (on)."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    views = gathered(recipe)
    learner = ReidLearner()
    if recipe.imagenet is not None:
        learner.student.start_from_imagenet(read_imagenet(recipe.imagenet))
    learner.to(memory_format=torch.channels_last)
    return TrainingRun(recipe, learner, ReidLesson(recipe, views))
