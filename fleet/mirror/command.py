"""`tagsight fleet catalogue`, `tagsight fleet embeddings` and `tagsight fleet mirror`."""

from __future__ import annotations

import random
from pathlib import Path

import click

from fleet.errors import FleetError

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--garments", type=FILE, required=True, help="CSV: sku, title, price, sizes, picture and more.")
@click.option("--db", type=FILE, help="A warehouse: what was tried on, handled and bought together.")
@click.option("--items", type=FILE, help="CSV: epc, sku, for tags that events have no article for.")
@click.option("--embeddings", type=FILE, help=".npz with sku and embedding, of pictures.")
@click.option("--out", type=FILE, required=True, help="The catalogue's file.")
def catalogue(
    garments: Path, db: Path | None, items: Path | None, embeddings: Path | None, out: Path
) -> None:
    """Make the one file that mirrors need; copy it onto a box, which reads the new one by itself.

    \b
    Example:
      tagsight fleet catalogue --garments garments.csv --db warehouse.db --out catalogue.db
    """
    from fleet.mirror.building import build

    built = build(out, garments, warehouse=db, items=items, embeddings=embeddings)
    click.echo(
        f"{out}: {built.garments} garments, {built.pictures} pictures; {built.baskets} baskets say what goes"
        f" with {built.with_company} of them"
    )


@click.command()
@click.option("--garments", type=FILE, required=True, help="The same CSV, with pictures.")
@click.option("--out", type=FILE, required=True, help="The .npz for tagsight fleet catalogue.")
@click.option("--words", type=FILE, help="Write the tower of words there, for searching by text.")
@click.option("--steps", type=click.IntRange(10), default=300, show_default=True, help="Of training.")
def embeddings(garments: Path, out: Path, words: Path | None, steps: int) -> None:
    """Learn what looks alike from a retailer's own pictures and titles (torch, minutes).

    \b
    Example:
      tagsight fleet embeddings --garments garments.csv --out embeddings.npz
    """
    from fleet.mirror.embedding import learn

    count, told = learn(garments, out, words, steps)
    click.echo(f"{out}: {count} pictures, learnt from {told} whose title names a kind of garment")


@click.command()
@click.option("--catalogue", "catalogue_file", type=FILE, required=True, help="The catalogue's file.")
@click.option("--events", type=FILE, required=True, help="A box's outbox, or a consumer's store.")
@click.option("--site", help="Of a consumer's store: this shop's events only.")
@click.option("--room", "rooms", multiple=True, required=True, help="A fitting room, as in store.yaml.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="For its key."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8090, show_default=True)
@click.option("--name", "names", multiple=True, help="A name that screens call this machine by; repeatable.")
@click.option("--log", "log_file", type=FILE, help="Note what was shown and tapped, without visit or tag.")
@click.option("--compare", is_flag=True, help="Interleave what goes with it and what is popular.")
def mirror(
    catalogue_file: Path,
    events: Path,
    site: str | None,
    rooms: tuple[str, ...],
    folder: Path,
    host: str,
    port: int,
    names: tuple[str, ...],
    log_file: Path | None,
    compare: bool,
) -> None:
    """Show in each fitting room what is tried on there; prints each screen's address. Needs no uplink.

    \b
    Example:
      tagsight fleet mirror --catalogue catalogue.db --events outbox.db --room "room 1" --folder mirror
    """
    try:
        from fleet.mirror.pages import STAFF, MirrorPages
        from fleet.mirror.server import serve
    except ImportError as error:
        raise FleetError(f"the mirror needs a web server; pip install 'tagsight[mirror]' ({error})") from None
    from fleet.mirror.catalogue import Catalogue
    from fleet.mirror.shown_log import ShownLog

    if STAFF in rooms:
        raise FleetError(f"--room {STAFF}: the staff's screen is called so; give the room another name")
    drawn = random.Random() if compare else None
    pages = MirrorPages(Catalogue(catalogue_file), folder, ShownLog(log_file), drawn)
    at = f"[{host}]" if ":" in host else host
    for room in (*rooms, STAFF):
        click.echo(f"{room}: http://{at}:{port}{pages.address(room)}")
    serve(pages, events, site, host, port, names)
