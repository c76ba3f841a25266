"""`tagsight engines adapt`: the shipped detector, fitted to one store by its own recorded frames."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path

import click

from engines.errors import EngineError

NEEDED = ("torch", "onnx", "onnxruntime", "matplotlib", "openvino")
SHARED = Path("../shared/data")


@click.command()
@click.option(
    "--frames",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with recorded pictures or clips of the store's cameras.",
)
@click.option("--name", default="person-detector-here", show_default=True, help="Name to keep the result by.")
@click.option("--base", default="person-detector", show_default=True, help="Engine to start from.")
@click.option(
    "--teachers",
    type=click.Path(path_type=Path, file_okay=False),
    default=SHARED,
    show_default=True,
    help="Folder with det-yolox-nano and det-omz-person-retail-0013.",
)
@click.option(
    "--steps", type=click.IntRange(10, 20_000), default=300, show_default=True, help="Of 8 pictures."
)
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="Cores to use.")
@click.option("--replace", is_flag=True, help="Take the place of an engine of that name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end.")
def adapt(
    frames: Path,
    name: str,
    base: str,
    teachers: Path,
    steps: int,
    threads: int,
    replace: bool,
    as_json: bool,
) -> None:
    """Fit the detector to a store's own frames, labelled by two bigger detectors.

    The last fifth of the frames is held out; the result is kept only if it is better there. Nothing leaves
    the machine. Needs the extra `train`.

    \b
    Example:
      tagsight engines adapt --frames recorded/ --name person-detector-harbour
      tagsight run --config store.yaml      # with vision: {detector: person-detector-harbour}
    """
    missing = [module for module in NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        raise EngineError(
            f"adapting trains a network, which needs {', '.join(missing)}: pip install 'tagsight[train]'"
        )
    if importlib.util.find_spec("engines.training") is None:
        raise EngineError(
            "adapting needs the folder engines/training/ of the source tree, which is not installed; "
            "run it in a checkout: pip install -e '.[train]'"
        )
    from engines.training.detector.adapt import AdaptationSettings, spoken
    from engines.training.detector.adapt import adapt as adapted_to

    wish = AdaptationSettings(frames, name, teachers, base, steps, threads, replace=replace)
    found = adapted_to(wish, lambda text: click.echo(text, err=as_json))
    if as_json:
        figures = {
            "before": asdict(found.before),
            "after": asdict(found.after),
            "kept": found.engine is not None,
        }
        click.echo(json.dumps({"frames": found.frames, "held_out": found.held_out, **figures}))
    if found.engine is None:
        raise EngineError(
            f"{base} is not better for these {found.frames} frames (AP {found.before.ap50:.3f} before, "
            f"{found.after.ap50:.3f} after): nothing was kept; record more, and more varied ones"
        )
    if not as_json:
        click.echo(f"{found.frames} frames, {found.held_out} held out")
        click.echo(f"before: {spoken(found.before)}")
        click.echo(f"after:  {spoken(found.after)}")
        click.echo(f"{name}: kept in {found.engine.folder}")
