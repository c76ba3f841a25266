"""`tagsight calibrate floor`: from measured places to a camera's floor map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy.typing as npt

from calibration.errors import CalibrationError

MINUTES = 30.0


@click.command()
@click.argument("picture", required=False)
@click.option("--config", type=click.Path(path_type=Path), help="store.yaml that has the camera.")
@click.option("--camera", help="Name of the camera in --config, instead of PICTURE.")
@click.option("--points", type=click.Path(path_type=Path), help="CSV (u,v,x,y) or YAML file of point pairs.")
@click.option("--point", "typed", multiple=True, metavar="U,V=X,Y", help="One pair: pixels = metres. Repeat.")
@click.option("--click", "by_mouse", is_flag=True, help="Mark points on a page of this machine's loopback.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port of that page; 0: a free one.")
@click.option("--minutes", type=click.FloatRange(0.01, 600), default=MINUTES, help="How long the page waits.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the lines for store.yaml here.")
@click.option(
    "--save-points", type=click.Path(path_type=Path), help="Write the pairs here (CSV or YAML), for --points."
)
@click.option(
    "--drawing", type=click.Path(path_type=Path), help="Write the floor's grid over the picture here."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def floor(
    picture: str | None,
    config: Path | None,
    camera: str | None,
    points: Path | None,
    typed: tuple[str, ...],
    by_mouse: bool,
    port: int,
    minutes: float,
    out: Path | None,
    save_points: Path | None,
    drawing: Path | None,
    as_json: bool,
) -> None:
    """Fit a camera's map from picture to floor to measured places, and say how good it is.

    PICTURE is an image, a video or a camera's URI. A pair is a place on the floor: its pixel, and its
    position on the floor plan in metres. Give at least 4, better 8 or more, spread over the floor in view.

    \b
    Example:
      tagsight calibrate floor door.png --points door.csv --drawing door-grid.png --out door.yaml
    """
    from calibration.floor import report
    from calibration.floor.drawing import draw_floor
    from calibration.floor.fit import fit_floor
    from calibration.floor.point_pairs import PointPairs, pairs_of, parse_typed, read_pairs
    from calibration.floor.warnings import warnings_for
    from runtime.frames.still import save_picture, take_picture

    uri = _uri(picture, config, camera)
    pairs: PointPairs = pairs_of([])
    if points is not None:
        pairs = pairs + read_pairs(points)
    pairs = pairs + parse_typed(typed)
    if not len(pairs) and not by_mouse:
        raise click.UsageError("no points: give --points FILE, --point U,V=X,Y or --click")
    image = take_picture(uri)
    if by_mouse:
        pairs = _by_mouse(image, pairs, port, minutes)
    size = (int(image.shape[1]), int(image.shape[0]))
    if save_points is not None:
        _write(save_points, report.points_text(pairs, save_points.suffix.lower() == ".csv"))
    fit = fit_floor(pairs)
    warnings = warnings_for(fit, size)
    if drawing is not None:
        save_picture(drawing, draw_floor(image, fit))
    if out is not None:
        _write(out, report.yaml_block(fit, size))
    if as_json:
        click.echo(json.dumps(report.summary(fit, warnings, size), indent=2))
        return
    for line in report.lines(fit, warnings):
        click.echo(line)
    if out is None:
        click.echo(f"\nfor store.yaml, under the camera:\n\n{report.yaml_block(fit, size)}")


def _uri(picture: str | None, config: Path | None, camera: str | None) -> str:
    """Where the picture comes from: PICTURE itself, or the camera of that name in the config."""
    from runtime.config import load_at_work, source_uri

    if picture is not None:
        if camera is not None or config is not None:
            raise click.UsageError("give PICTURE, or --config and --camera, not both")
        return picture
    if config is None or camera is None:
        raise click.UsageError("give PICTURE, or --config and --camera")
    store = load_at_work(config)
    for known in store.cameras:
        if known.name == camera:
            return source_uri(known)
    names = ", ".join(known.name for known in store.cameras) or "none"
    raise CalibrationError(f"{config} has no camera {camera!r}; it has: {names}")


def _by_mouse(image: npt.NDArray[Any], pairs: Any, port: int, minutes: float) -> Any:
    from calibration.floor.clicking import ClickingPage

    with ClickingPage(image, pairs, port) as page:
        click.echo(f"open in a browser on this machine: {page.address}", err=True)
        click.echo(f"from elsewhere, first: ssh -L {page.port}:127.0.0.1:{page.port} THIS-MACHINE", err=True)
        return page.wait(minutes * 60)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CalibrationError(
            f"{file} cannot be written: {error.strerror}; choose a folder of yours"
        ) from error
