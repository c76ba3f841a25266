"""`tagsight bench stock`: what stock events are right on simulated stores."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from bench.stock.scoring import StockScore, score
from bench.stock.shops import simulate
from rfid_reader.inventory.places import PlaceRules

SHOWN = (("arrived", "delivered"), ("moved", "moved to another place"), ("departed", "taken out of the shop"))


@click.command()
@click.option("--stores", type=click.IntRange(1, 500), default=12, show_default=True, help="Stores to judge.")
@click.option("--first", type=click.IntRange(0), default=101, show_default=True, help="Seed of the first.")
@click.option("--seconds", type=click.FloatRange(500), default=1200.0, show_default=True, help="Of each.")
@click.option("--hold", type=float, help="inventory.hold_s of store.yaml, if another is to be tried.")
@click.option("--margin", type=float, help="inventory.margin_db of store.yaml, likewise.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def stock(
    stores: int, first: int, seconds: float, hold: float | None, margin: float | None, as_json: bool
) -> None:
    """Judge arrived, moved and departed where people walk, stand by racks and carry garments about.

    The rules were chosen on seeds 1 to 8.

    \b
    Example:
      tagsight bench stock
      tagsight bench stock --stores 8 --first 1 --hold 60
    """
    usual = PlaceRules()
    rules = PlaceRules(
        margin_db=usual.margin_db if margin is None else margin,
        change_db=usual.change_db,
        hold_s=usual.hold_s if hold is None else hold,
        gone_s=usual.gone_s,
    )
    total = StockScore()
    for seed in range(first, first + stores):
        total.add(score(simulate(seed, seconds), rules))
        click.echo(f"store {seed} judged", err=True)
    if as_json:
        click.echo(json.dumps(asdict(total)))
        return
    click.echo(f"{total.tags - total.deaf_tags} tags in {stores} stores, {total.tag_hours:.0f} tag-hours")
    click.echo(f"{total.deaf_tags} more are read in less than half of the time and left out")
    click.echo(f"at the beginning {total.misplaced} of {total.placed} tags were placed wrongly")
    for change, what in SHOWN:
        wrong = total.false[change]
        click.echo(
            f"{change:<9} {total.right[change]:>4} of {total.happened[change]:>4} that were {what}; "
            f"{wrong} false, {wrong / total.tag_hours:.4f} a tag-hour"
        )
