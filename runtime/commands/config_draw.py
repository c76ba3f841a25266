"""`tagsight config draw`: the plan and every camera's picture with what is configured on them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from runtime.config import Camera, load_at_work
from tagsight.errors import TagsightError
from tagsight.redaction import redact

SUFFIXES = (".png", ".jpg", ".jpeg")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default="store.yaml")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the pictures.")
@click.option(
    "--snapshots",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with a CAMERA.png or .jpg for each camera; else the cameras are asked.",
)
@click.option("--offline", is_flag=True, help="Ask no camera: draw on a plain picture.")
@click.option("--json", "as_json", is_flag=True, help="Print what was drawn as JSON.")
def draw(file: Path, out: Path, snapshots: Path | None, offline: bool, as_json: bool) -> None:
    """Draw the plan (plan.png) and each camera's picture (camera-NAME.png) with what is configured.

    Lines, zones, racks, antennas and the floor's grid are drawn where the configuration has them. A camera's
    picture is that of --snapshots, or the camera is asked for one; where neither gives one, a plain picture
    of its size is drawn on, and it is said why.

    \b
    Example:
      tagsight config draw store.yaml --out drawing
    """
    from runtime.commands.camera_view import draw_view
    from runtime.commands.plan_picture import PlanPicture
    from runtime.frames.still import save_picture

    store = load_at_work(file, clips_needed=False)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TagsightError(f"{out}: {error.strerror}; choose a folder of yours") from error
    written = [{"file": str(out / "plan.png"), "shows": "the plan"}]
    save_picture(out / "plan.png", PlanPicture(store).draw())
    for camera, name in zip(store.cameras, _file_names(store.cameras), strict=True):
        picture, whence = _picture(camera, snapshots, offline)
        save_picture(out / name, draw_view(picture, store, camera, whence))
        written.append({"file": str(out / name), "shows": f"camera {camera.name}: {whence}"})
    if as_json:
        click.echo(json.dumps({"drawn": written}, indent=2))
        return
    for one in written:
        click.echo(f"{one['file']}: {one['shows']}")


def _picture(camera: Camera, snapshots: Path | None, offline: bool) -> tuple[npt.NDArray[np.uint8], str]:
    """The picture to draw on, and where it is from."""
    from runtime.commands.camera_view import plain_frame
    from runtime.config import source_uri
    from runtime.frames.still import take_picture

    if snapshots is not None:
        for suffix in SUFFIXES:
            if (found := snapshots / f"{camera.name}{suffix}").is_file():
                return take_picture(str(found)), f"snapshot {found.name}"
    size = camera.image_size or camera.max_size
    if snapshots is not None or offline:
        why = "nobody was asked" if offline else f"no {camera.name}.png in {snapshots}"
        return plain_frame(size), f"no picture ({why})"
    try:
        return take_picture(source_uri(camera)), "its picture now"
    except TagsightError as error:
        click.echo(redact(f"camera {camera.name}: {error}"), err=True)
        return plain_frame(size), "no picture (the camera gave none)"


def _file_names(cameras: list[Camera]) -> list[str]:
    """A file's name for each camera; a camera's own name may hold what a file's may not."""
    names: list[str] = []
    for camera in cameras:
        plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in camera.name)
        name, number = f"camera-{plain}.png", 2
        while name in names:
            name, number = f"camera-{plain}-{number}.png", number + 1
        names.append(name)
    return names
