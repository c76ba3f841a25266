"""The table of `tagsight bench flips --worlds`, for people or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from bench.flips.worlds import WorldRow, weights_of, world_rows
from rfid_reader.expected_flips import RATES_HZ, STRONG_DBM
from rfid_reader.training.worlds import TESTED_ONLY, WORLDS


def print_worlds(
    stores: int, seconds: float, as_json: bool, weights: Path | None = None, held_out: str = ""
) -> None:
    """Run every world, or with the weights of a file those held out of its training alone; prints as rows
    are ready."""
    without = [name for name in held_out.split(",") if name]
    if unknown := [name for name in without if name not in WORLDS]:
        raise click.BadParameter(f"--held-out {unknown[0]}: one of {', '.join(WORLDS)} would be right")
    used = weights_of(weights, without) if weights is not None or without else None
    only = without or [*WORLDS, *TESTED_ONLY]
    if as_json:
        rows, missing = world_rows(stores, seconds, weights=used, only=only)
        click.echo(json.dumps({"worlds": [asdict(row) for row in rows], "not_run": missing}))
        return
    click.echo(
        "world                              in training stores flips    F1  precision recall  worst store "
        "false/tag-hour  F1, all tags"
    )
    rows, missing = world_rows(stores, seconds, _print_row, used, only)
    for why in missing:
        click.echo(why)
    click.echo(
        "of tags read 3 times a second or more; seen: other stores of that world have trained the detector; "
        "held out: by another network, which stores of that world have not trained"
    )
    heads = "".join(f"  from {rate:g}/s: weak strong" for rate in RATES_HZ)
    click.echo(f"F1 of all tags, by reads a second, below and from {STRONG_DBM:g} dBm\n{'world':<34}{heads}")
    for row in rows:
        cells = "".join(f"{_f1(weak):>19}{_f1(strong):>7}" for weak, strong in row.f1_by_band)
        click.echo(f"{row.world:<34}{cells}")


def _f1(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _print_row(row: WorldRow) -> None:
    by = "seen" if row.seen else "never seen"
    click.echo(
        f"{row.world:<34} {by:<11} {row.stores:>6} {row.flips:>5} {row.f1:>5.2f} {row.precision:>10.2f} "
        f"{row.recall:>6.2f} {row.worst_store_f1:>12.2f} {row.false_per_tag_hour:>14.2f} "
        f"{row.f1_of_all_tags:>13.2f}"
    )
