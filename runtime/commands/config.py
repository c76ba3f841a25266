"""`tagsight config`: write an example, check a store's config, draw it, describe its keys."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import click

from runtime.commands.config_draw import draw
from runtime.config import ConfigErrors, StoreConfig, load_running
from runtime.config.checks.files import absent_certificates
from runtime.config.mistakes import Mistake, placed
from runtime.config.schema import json_schema
from tagsight.errors import TagsightError


@click.group()
def config() -> None:
    """Write, check, draw and describe store.yaml.

    \b
    Example:
      tagsight config init store.yaml && tagsight config check store.yaml
    """


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default="store.yaml")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(file: Path, force: bool) -> None:
    """Write a commented example to start from.

    \b
    Example:
      tagsight config init store.yaml
    """
    example = files("runtime.config").joinpath("example.yaml").read_text(encoding="utf-8")
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(example)
    except FileExistsError as error:
        raise TagsightError(f"{file} is there already; choose another name or give --force") from error
    except OSError as error:
        raise TagsightError(
            f"{file} cannot be written: {error.strerror}; choose a folder of yours"
        ) from error
    click.echo(f"{file} written; edit it, then: tagsight config check {file}")


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default="store.yaml")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def check(file: Path, as_json: bool) -> None:
    """Check a config as a whole and show every mistake with its line and what would be right.

    \b
    Example:
      tagsight config check store.yaml --json
    """
    try:
        store, found = load_running(file)
        unsound = [mistake for mistake in found if mistake.weight != "remark"]
        if unsound:
            raise ConfigErrors(file, unsound)
    except ConfigErrors as errors:
        if not as_json:
            raise
        click.echo(json.dumps(_verdict(errors), indent=2))
        raise SystemExit(1) from errors
    absent = [str(certificate) for certificate in absent_certificates(store.uplink)]
    if as_json:
        verdict = {"ok": True, "mistakes": [], "remarks": _listed(found), "absent_certificates": absent}
        click.echo(json.dumps(verdict))
        return
    click.echo(f"{file} is sound: {_summary(store)}")
    for remark in found:
        click.echo(f"remark: {placed(remark, file)}: {remark}")
    if absent:
        click.echo(f"not there yet: {', '.join(absent)}; events wait on disk until the uplink can use them")


config.add_command(draw)


@config.command()
def schema() -> None:
    """Print the JSON Schema of store.yaml: every key, its limits and what it means.

    \b
    Example:
      tagsight config schema > store.schema.json
    """
    click.echo(json.dumps(json_schema(), indent=2))


def _verdict(errors: ConfigErrors) -> dict[str, object]:
    return {"ok": False, "mistakes": _listed(errors.mistakes)}


def _listed(mistakes: list[Mistake]) -> list[dict[str, object]]:
    return [
        {
            "path": mistake.path,
            "line": mistake.line,
            "wrong": mistake.wrong,
            "right": mistake.right,
            **({"file": str(mistake.file)} if mistake.file is not None else {}),
        }
        for mistake in mistakes
    ]


def _summary(store: StoreConfig) -> str:
    counts = [
        (len(store.cameras), "camera", "cameras"),
        (len(store.entrances), "entrance", "entrances"),
        (len(store.zones), "zone", "zones"),
        (len(store.fixtures), "fixture", "fixtures"),
        (len(store.readers), "reader", "readers"),
    ]
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts)
