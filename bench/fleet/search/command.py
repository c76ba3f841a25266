"""`tagsight bench search`."""

from __future__ import annotations

from typing import Any

import click
import msgspec
import numpy as np

from bench.fleet.search.garments import garments
from fleet.errors import FleetError
from fleet.search.asking import Asking
from fleet.search.words import vocabulary as our_vocabulary

TIMED = 200


@click.command()
@click.option("--splits", type=click.IntRange(1, 20), default=5, show_default=True, help="How many.")
@click.option("--quick", is_flag=True, help="One split, a few steps: that it runs, not what it can.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def search(splits: int, quick: bool, as_json: bool) -> None:
    """Words to real product pictures: two towers, one stream, their sum, against BM25 and the kind alone.

    \b
    Example:
      TAGSIGHT_FASHION_MNIST=$(scripts/fetch-fashion-mnist) tagsight bench search
    """
    try:
        import torch

        from bench.fleet.search import parts
    except ImportError as error:
        raise FleetError(
            f"not run: the towers are trained with torch: pip install 'tagsight[train]' ({error})"
        ) from None
    torch.set_num_threads(1)
    vocabulary = our_vocabulary()
    real = garments(vocabulary)
    size = parts.QUICK if quick else parts.WHOLE
    splits = 1 if quick else splits
    found: dict[str, Any] = {"pictures": len(real.pictures), "splits": splits, "lists": size.lists}

    def told(part: str, result: Any) -> None:
        found[part] = result
        if not as_json:
            click.echo(f"{part:14} {msgspec.json.encode(result).decode()}")

    runs = []
    for number in range(splits):
        run = parts.split(real, vocabulary, number, size)
        runs.append(run)
        told(f"split {number}", {**{name: _mean(each) for name, each in run.by_name.items()}, **run.told})
    told(
        "NDCG@5",
        {
            name: {
                "mean": _mean([score for run in runs for score in run.by_name[name]]),
                "by split": [_mean(run.by_name[name]) for run in runs],
            }
            for name in runs[0].by_name
        },
    )
    for name, one, other in (
        ("fusion gain", "fusion", "two towers"),
        ("stream gain", "one stream", "two towers"),
    ):
        gains = np.concatenate([np.subtract(run.by_name[one], run.by_name[other]) for run in runs])
        half = 1.96 * float(gains.std()) / len(gains) ** 0.5
        told(
            name,
            {
                "mean": round(float(gains.mean()), 4),
                "95 %": [round(float(gains.mean()) + side, 4) for side in (-half, half)],
            },
        )
    told("ablation", parts.ablation(real, vocabulary, size, 0))
    drawn = np.random.default_rng(0)
    asking = Asking(vocabulary)
    texts = [asking.said(asking.wanted(real.described[row], drawn), drawn) for row in range(TIMED)]
    told("a search", parts.timed(runs[0].towers, real, vocabulary, texts, 30_000 if quick else 100_000))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4)
