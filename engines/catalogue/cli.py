"""`tagsight engines`: the networks this machine can run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import numpy as np

from engines import catalogue
from engines.build import report
from engines.build.cli import build
from engines.catalogue import KnownEngine, Recipe, adding, judging, listing
from engines.catalogue.adapt_cli import adapt
from engines.catalogue.judging import NetworkRefused, NetworkVerdict
from engines.errors import EngineError
from engines.inference.decoders import DECODERS
from engines.inference.detector import PersonDetector

BACKENDS = click.Choice(["auto", "openvino", "onnxruntime"])


def _picture_size(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    width, _, height = value.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(f"{value!r} is not a size: write it as 416x320", ctx, option)
    if not (32 <= int(width) <= 4096 and 32 <= int(height) <= 4096):
        raise click.BadParameter(f"{value!r}: both sides must be 32 to 4096 pixels", ctx, option)
    return int(width), int(height)


@click.group()
def engines() -> None:
    """Networks this machine can run: ours and your own.

    \b
    Example:
      tagsight engines add yolox_tiny.onnx --name yolox-tiny
      tagsight video shop.mp4 --detector yolox-tiny
    """


@engines.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def list_engines(as_json: bool) -> None:
    """Names, decoders and files of all engines.

    \b
    Example:
      tagsight engines list
    """
    known = catalogue.known_engines()
    if as_json:
        click.echo(json.dumps([listing.described(engine) for engine in known], indent=2))
        return
    for line in listing.lines(known, min(shutil.get_terminal_size().columns, listing.WIDEST)):
        click.echo(line)
    for state in report.states()[0]:
        click.echo(f"built: {state.line()}")


@engines.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def gpu(as_json: bool) -> None:
    """The GPU here, how frames would reach it, or why there is none and what is used instead.

    \b
    Example:
      tagsight engines gpu
    """
    from engines.cuda import probe

    found = probe.probe()
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for line in probe.lines(found):
        click.echo(line)


@engines.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: faults of weights, built engines.")
def verify(names: tuple[str, ...], as_json: bool) -> None:
    """Check files against their checksums and run each network once; all of them if none is named.

    Engines that were built for this machine's GPU are run too and compared with their network.

    \b
    Example:
      tagsight engines verify person-detector
    """
    chosen = [catalogue.find(name) for name in names] or catalogue.known_engines()
    faults = {engine.entry.name: _faults(engine) for engine in chosen}
    built, not_run = report.states(names, run=True)
    if as_json:
        told = {"weights": faults, "built": msgspec.to_builtins(built), "not_run": not_run}
        click.echo(json.dumps(told, indent=2))
    else:
        for line in _verified_lines(faults, built, not_run):
            click.echo(line)
    wrong = sum(map(bool, faults.values())) + sum(bool(state.fault) for state in built)
    if wrong:
        raise EngineError(f"{wrong} of {len(faults) + len(built)} engines are not as they should be")


def _verified_lines(
    faults: dict[str, list[str]], built: list[report.EngineState], not_run: str
) -> Iterator[str]:
    for name, found in faults.items():
        yield f"{name}: {'; '.join(found) or 'as it should be'}"
    yield f"TensorRT: {report.library_line()}"
    for state in built:
        yield state.line()
    if not_run:
        yield f"built engines: {not_run}"


def _faults(engine: KnownEngine) -> list[str]:
    found = list(catalogue.faults(engine))
    if found:
        return found
    try:
        if engine.entry.task == "detector":
            adding.trial_s(PersonDetector.open(engine.entry.name))
        else:
            from engines.inference.crops import open_crops

            judge = open_crops(engine.entry.name, engine.entry.task, backend="auto", threads=0, streams=1)
            judge.rows(np.zeros((192, 96, 3), np.uint8), [[0, 0, 96, 192]])
    except EngineError as error:
        return [str(error)]
    return []


@engines.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name to call it by; the file's, if left out.")
@click.option(
    "--decoder", type=click.Choice(list(DECODERS)), help="Meaning of the outputs; found if left out."
)
@click.option(
    "--input",
    "input_size",
    metavar="WIDTHxHEIGHT",
    callback=_picture_size,
    help="Input size in pixels, if the file leaves it free.",
)
@click.option("--classes", help="Names of the classes in order, separated by commas; one must be 'person'.")
@click.option(
    "--score", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Least score of a box."
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Try it on this picture instead of ours: for views from overhead, for heads. "
    "Boxes beside it (shop.txt for shop.jpg, YOLO labels) are used.",
)
@click.option("--persons", type=click.IntRange(1, 500), help="How many the picture shows, without boxes.")
@click.option("--backend", type=BACKENDS, default="auto", help="Inference library to check it with.")
@click.option("--replace", is_flag=True, help="Take the place of an engine of that name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with the verdict.")
def add(
    file: Path,
    name: str | None,
    decoder: str | None,
    input_size: tuple[int, int] | None,
    classes: str | None,
    score: float | None,
    picture: Path | None,
    persons: int | None,
    backend: str,
    replace: bool,
    as_json: bool,
) -> None:
    """Try an ONNX detector on a picture with people, find out how to use it, and keep it under a name.

    What finds too few of the persons is refused, and the reason says what to export instead. A recipe beside
    the file (my.yaml for my.onnx) is used too; options win.

    \b
    Example:
      tagsight engines add my.onnx --name mine --classes person,bag
      tagsight engines add heads.onnx --classes person --picture ceiling.jpg --persons 5
    """
    try:
        beside = file.with_suffix(".yaml")
        recipe = catalogue.read_recipe(beside) if beside.is_file() else Recipe()
        given = {
            "decoder": decoder,
            "input": input_size,
            "classes": _names(classes),
            "score": score,
        }
        changes = {key: value for key, value in given.items() if value is not None}
        recipe = Recipe(**{**{key: getattr(recipe, key) for key in Recipe.__struct_fields__}, **changes})
        called = name or _name_from(file)
        added = adding.add(
            file, called, recipe, backend=backend, replace=replace, picture=picture, persons=persons
        )
    except EngineError as error:
        if not as_json:
            raise
        click.echo(json.dumps(_told(error, picture, persons)))
        raise SystemExit(1) from error
    if as_json:
        click.echo(json.dumps(_answer(added.verdict) | {"name": called, "folder": str(added.engine.folder)}))
        return
    click.echo(f"{called}: {added.verdict.reason}")
    click.echo(f"kept in {added.engine.folder}; use it with --detector {called}, or in store.yaml")


def _names(classes: str | None) -> list[str] | None:
    return [name.strip() for name in classes.split(",")] if classes else None


def _name_from(file: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("._-")[:64] or "mine"


def _answer(verdict: NetworkVerdict) -> dict[str, object]:
    """The stable answer of `engines add --json`."""
    return {
        "accepted": verdict.accepted,
        "decoder": verdict.decoder,
        "persons_found": verdict.persons_found,
        "persons_there": verdict.persons_there,
        "reason": verdict.reason,
    }


def _told(error: EngineError, picture: Path | None, persons: int | None) -> dict[str, object]:
    if isinstance(error, NetworkRefused):
        return _answer(error.verdict)
    there = judging.persons_there(picture, persons)
    return _answer(
        NetworkVerdict(accepted=False, decoder=None, persons_found=0, persons_there=there, reason=str(error))
    )


engines.add_command(adapt)
engines.add_command(build)
