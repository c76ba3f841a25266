"""`tagsight fleet guide`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from fleet.errors import FleetError

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--coupons", "coupons_file", type=FILE, required=True, help="CSV: coupon, site, title and more."
)
@click.option("--db", type=FILE, help="A warehouse: heat and conversion of the shops.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="For its key."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8091, show_default=True)
@click.option("--name", "names", multiple=True, help="A name that screens call this machine by; repeatable.")
def guide(
    coupons_file: Path, db: Path | None, folder: Path, host: str, port: int, names: tuple[str, ...]
) -> None:
    """Show the shops' coupons, those first that others redeem most.

    \b
    Example:
      tagsight fleet guide --coupons coupons.csv --db warehouse.db --folder guide
    """
    try:
        from fleet.guide.pages import GuidePages
        from fleet.serving import ScreenServer
    except ImportError as error:
        raise FleetError(f"the guide needs a web server; pip install 'tagsight[mirror]' ({error})") from None
    pages = GuidePages(coupons_file, db, folder)
    app = pages.app(loopback=host in ("127.0.0.1", "::1", "localhost"), names=names)
    click.echo(f"http://{host}:{port}/")
    asyncio.run(ScreenServer(app, host, port).until_told())
