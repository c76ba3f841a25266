"""Accuracy of the nets that look at single persons, as tables: re-identification and action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.vision import accuracy_action, accuracy_reid, accuracy_reid_sets
from bench.vision.accuracy_action import ActionRating
from bench.vision.accuracy_reid import ReidRating


def measure(
    data: Path, threads: int, embedders: Sequence[str] = (), drawn: Path | None = None
) -> tuple[list[ReidRating], list[ActionRating]]:
    """Both nets on their labelled sets, other `embedders` by name or file beside ours; `drawn` is a folder of
    drawn people. Raises EngineError and TagsightError."""
    click.echo("re-identification: PETS09-S2L1, TUD-Campus", err=True)
    reid = accuracy_reid.rate_all(data, threads, embedders)
    reid += accuracy_reid_sets.rate_all(data, threads, embedders, drawn)
    click.echo("action: crops labelled by eye", err=True)
    return reid, accuracy_action.rate_all(data, threads)


def as_dict(reid: list[ReidRating], action: list[ActionRating]) -> dict[str, Any]:
    """Both lists for JSON."""
    return {"reid": [asdict(each) for each in reid], "action": [asdict(each) for each in action]}


def show(reid: list[ReidRating], action: list[ActionRating]) -> None:
    """Two tables, and what was owed."""
    columns = ("on", "numbers", "queries", "rank-1", "mAP", "likeness of one", "of two")
    table = Table("re-identification", *columns)
    for who in reid:
        spreads = (f"{each.mean:.2f} sd {each.sd:.2f}" for each in (who.same, who.different))
        reached = f"{who.rank1:.3f}", f"{who.mean_ap:.3f}"
        table.add_row(who.name, who.data, str(who.numbers), str(who.queries), *reached, *spreads)
    Console(width=max(100, Console().width)).print(table)
    for line in accuracy_reid.verdicts(reid):
        click.echo(line)
    figures_of = ("precision", "recall", "average precision", "recall at precision 0.8")
    table = Table("handling goods, by eye", "crops", "handling", *figures_of)
    for place in action:
        figures = (place.precision, place.recall, place.average_precision, place.recall_at_owed)
        table.add_row(
            place.place, str(place.crops), str(place.handling), *(f"{figure:.3f}" for figure in figures)
        )
    Console(width=max(100, Console().width)).print(table)
    for line in accuracy_action.verdicts(action):
        click.echo(line)
