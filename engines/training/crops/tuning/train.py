"""Teaches a trained re-identification net from drawn people who is who, while real likenesses stay.

Of each batch most crops are real: nobody knows who they are, and all pairs are to look as alike as the net
found them before. The rest are drawn, some crops of each of some people: identity as a class (softmax over
cosines with a margin: Wang et al. 2018, CosFace) and the hardest of the batch (Hermans et al. 2017).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engines.evaluation.retrieval import Retrieval, retrieve
from engines.models.reid import EMBEDDING, INPUT_HEIGHT, INPUT_WIDTH, EmbedderNet, fused, local
from engines.training.crops.augment import Hardships, as_batch, augmented
from engines.training.crops.gather import CropSet, inner
from engines.training.crops.recipe import TuneRecipe
from engines.training.crops.reid_train import FROZEN_BLOCKS, agreement
from engines.training.crops.tuning.drawn import DrawnCrops, drawn_crops
from engines.training.crops.tuning.published import published_crops
from engines.training.crops.tuning.reload import embedder_from_onnx
from engines.training.crops.views import views_of
from engines.training.loop import TrainingRun
from engines.training.reload import freeze

SCALE, MARGIN = 18.0, 0.15
"""Of the softmax over cosines."""
SMOOTHING = 0.1
BEGINNING = 0.003
"""Spread of the classes' vectors at first: so short they turn quickly at the net's own learning rate."""
APART, SHARPNESS = 0.2, 8.0
"""The triplet's margin in cosine, and how sharply it bends."""
DRAWN_HARDSHIPS = Hardships(covered=0.3, few_pixels=0.5, least_height_px=40, compressed=0.15, tint=0.06)
"""Drawn crops have a camera's faults already."""
FROM_ONE_SHOP = 0.5
"""So often the people of a batch are from few parts of the drawing: before the same walls."""
AT_ONCE = 64
VALIDATED_PERSONS, VALIDATED_REAL = 120, 300


class TuneLearner(nn.Module):
    """The net, and a direction for every drawn person, which only training needs."""

    def __init__(self, net: EmbedderNet, persons: int) -> None:
        super().__init__()
        self.student = net
        self.classes = nn.Parameter(torch.randn(persons, EMBEDDING) * BEGINNING)
        for block in net.trunk[:FROZEN_BLOCKS]:
            block.requires_grad_(False)

    def train(self, mode: bool = True) -> TuneLearner:
        super().train(mode)
        freeze(self)
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.student.views(images)


@dataclass(frozen=True)
class KnownLooks:
    """Views (n, 3, INPUT_HEIGHT, INPUT_WIDTH) uint8 of real crops, what the net said of each before (n,
    EMBEDDING), and which are held out (n,)."""

    pictures: NDArray[np.uint8]
    said: NDArray[np.float32]
    held_out: NDArray[np.bool_]


class TuneLesson:
    """Batches of drawn and real crops, and how well drawn people are known again who are held out."""

    judged_by = "drawn_map"

    def __init__(
        self, recipe: TuneRecipe, drawn: DrawnCrops, held_out: DrawnCrops, replay: KnownLooks
    ) -> None:
        self._recipe, self._drawn, self._judged, self._replay = recipe, drawn, held_out, replay
        self._of = [np.flatnonzero(drawn.persons == person) for person in range(drawn.persons.max() + 1)]
        self._part = np.array([drawn.parts[rows[0]] for rows in self._of])
        self._real = np.flatnonzero(~replay.held_out)

    def loss(self, learner: TuneLearner, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Identity and hardest pairs of the drawn crops; likenesses and vectors of the real ones."""
        recipe = self._recipe
        pictures, persons = self._draw(rng)
        count = len(persons)
        rows = rng.choice(self._real, recipe.batch - count, replace=False)
        images = torch.from_numpy(np.concatenate((pictures, self._replay.pictures[rows])))
        with torch.autocast("cpu", torch.bfloat16):
            shown = learner(images.to(memory_format=torch.channels_last).float())
        views = [view.float() for view in shown]
        whole = fused(views)
        names = torch.from_numpy(persons)
        kinds = ((1.0, whole), (0.5, views[0]), (0.5, local(views)))
        parts = {
            "identity": identity_loss(whole[:count], learner.classes, names),
            "triplet": torch.stack([w * hardest_loss(v[:count], names) for w, v in kinds]).sum(),
            "relation": kept_loss(whole[count:], said := torch.from_numpy(self._replay.said[rows])),
            "vector": 1 - (whole[count:] * said).sum(1).mean(),
        }
        weights = {
            "identity": recipe.identity_weight,
            "triplet": recipe.triplet_weight,
            "relation": recipe.relation_weight,
            "vector": recipe.vector_weight,
        }
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def validate(self, net: TuneLearner) -> Mapping[str, float]:
        """Retrieval of held-out drawn people across cameras; how far held-out real likenesses moved."""
        persons = np.unique(self._judged.persons)[:VALIDATED_PERSONS]
        rows = np.flatnonzero(np.isin(self._judged.persons, persons))
        vectors = embed(net.student, as_batch(self._judged.plain(rows.tolist()), (INPUT_WIDTH, INPUT_HEIGHT)))
        cameras = [self._judged.cameras[row] for row in rows]
        found = across_cameras(vectors, self._judged.persons[rows], cameras)
        real = np.flatnonzero(self._replay.held_out)
        real = real[:: max(1, len(real) // VALIDATED_REAL)]
        now = torch.from_numpy(embed(net.student, self._replay.pictures[real]))
        said = torch.from_numpy(self._replay.said[real])
        return {
            "drawn_rank1": found.rank1,
            "drawn_map": found.mean_ap,
            "real_agreement": agreement(now, said @ said.T),
            "real_vector": float((now * said).sum(1).mean()),
        }

    def _draw(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Hard views of some crops each of some people, (m, 3, height, width), and who they are (m,)."""
        recipe = self._recipe
        people = np.arange(len(self._of))
        if rng.random() < FROM_ONE_SHOP:
            parts = rng.choice(np.unique(self._part), 2, replace=False)
            people = np.flatnonzero(np.isin(self._part, parts))
        chosen = rng.choice(people, min(len(people), recipe.persons_a_batch), replace=False)
        each = recipe.crops_a_person
        rows = np.concatenate(
            [rng.choice(self._of[one], each, replace=len(self._of[one]) < each) for one in chosen]
        )
        others = rng.choice(len(self._drawn.persons), len(rows))
        views = [
            augmented(
                np.asarray(self._drawn.crops[row]),
                inner(np.asarray(self._drawn.crops[other])),
                rng,
                DRAWN_HARDSHIPS,
            )
            for row, other in zip(rows.tolist(), others.tolist(), strict=True)
        ]
        return as_batch(views, (INPUT_WIDTH, INPUT_HEIGHT)), self._drawn.persons[rows]


def across_cameras(
    vectors: NDArray[np.float32], persons: NDArray[np.int64], cameras: Sequence[str]
) -> Retrieval:
    """How well unit vectors (n, k) find persons (n,) again before another camera."""
    places = np.unique(cameras, return_inverse=True)[1]
    before_it = (persons[:, None] == persons) & (places[:, None] == places)
    return retrieve(vectors, persons, vectors, persons, before_it)


def identity_loss(vectors: Tensor, classes: Tensor, persons: Tensor) -> Tensor:
    """Cross entropy over the cosines of unit vectors (n, k) with all classes (c, k), the right one's less a
    margin."""
    cosines = vectors @ functional.normalize(classes, dim=1).T
    right = functional.one_hot(persons, len(classes)).float()
    return functional.cross_entropy(SCALE * (cosines - MARGIN * right), persons, label_smoothing=SMOOTHING)


def hardest_loss(vectors: Tensor, persons: Tensor) -> Tensor:
    """The least alike crop of the same person against the most alike of another, of unit vectors (n, k)."""
    alike = vectors @ vectors.T
    same = persons[:, None] == persons[None]
    own = alike.masked_fill(~same, 9.0).min(1).values
    other = alike.masked_fill(same, -9.0).max(1).values
    return functional.softplus((other - own + APART) * SHARPNESS).mean()


def kept_loss(vectors: Tensor, said: Tensor) -> Tensor:
    """Mean squared change of the likenesses of all pairs, of unit vectors (n, k)."""
    return ((vectors @ vectors.T - said @ said.T) ** 2).mean()


@torch.no_grad()
def mixed(began: EmbedderNet, average: Mapping[str, Tensor], share: float) -> EmbedderNet:
    """`began`, its weights moved by `share` towards those of a run's average (Wortsman et al. 2022)."""
    for name, mine in began.state_dict().items():
        if mine.dtype.is_floating_point:
            mine.lerp_(average[f"student.{name}"], share)
    return began


@torch.inference_mode()
def embed(net: EmbedderNet, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings (n, EMBEDDING) of pictures (n, 3, INPUT_HEIGHT, INPUT_WIDTH)."""
    net.eval()
    found = []
    for first in range(0, len(pictures), AT_ONCE):
        images = torch.from_numpy(np.asarray(pictures[first : first + AT_ONCE]))
        found.append(net(images.to(memory_format=torch.channels_last).float()).numpy())
    return np.asarray(np.concatenate(found), np.float32)


def known_looks(recipe: TuneRecipe, net: EmbedderNet) -> KnownLooks:
    """Views of real crops and what `net` says of them, or what an earlier call left in the run's folder."""
    crops = published_crops(recipe.data, recipe.run, recipe.crops_a_source, recipe.seed)
    mark = hashlib.sha256(recipe.start.read_bytes()).hexdigest()[:12]
    stored = recipe.run / f"replay-{mark}.npz"
    if not stored.exists():
        _write_replay(recipe, net, crops, stored)
    with np.load(stored) as found:
        return KnownLooks(found["pictures"], found["said"], found["held_out"])


def _write_replay(recipe: TuneRecipe, net: EmbedderNet, crops: CropSet, stored: Path) -> None:
    each, size = recipe.views_a_crop, (INPUT_WIDTH, INPUT_HEIGHT)
    pictures = np.concatenate(
        [as_batch(views_of(crops, row, each, recipe.seed), size) for row in range(len(crops.records))]
    )
    held_out = np.repeat([record.held_out for record in crops.records], each)
    partial = stored.with_suffix(".part.npz")
    np.savez(partial, pictures=pictures, said=embed(net, pictures), held_out=held_out)
    partial.replace(stored)


def tuning(recipe: TuneRecipe) -> TrainingRun[TuneLearner]:
    """Gathers real and drawn crops and makes the run ready to go (on). Raises TrainingError."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    net = embedder_from_onnx(recipe.start).to(memory_format=torch.channels_last)
    drawn, judged = (drawn_crops(recipe.drawn, held_out, recipe.parts) for held_out in (False, True))
    lesson = TuneLesson(recipe, drawn, judged, known_looks(recipe, net))
    learner = TuneLearner(net, int(drawn.persons.max()) + 1)
    return TrainingRun(recipe, learner, lesson)
