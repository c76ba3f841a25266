"""`tagsight rfid scenario`: what the simulated reader can be asked to simulate."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rfid_reader.errors import ScenarioError


@click.group()
def scenario() -> None:
    """Scenarios for `tagsight rfid simulate`: those that ship, and how to write one.

    \b
    Example:
      tagsight rfid scenario list
      tagsight rfid scenario init my-store.yaml
    """


@scenario.command()
@click.argument("file", type=click.Path(path_type=Path), default="scenario.yaml")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(file: Path, force: bool) -> None:
    """Write a commented scenario to start from; it can be simulated as it is.

    \b
    Example:
      tagsight rfid scenario init my-store.yaml
    """
    from rfid_reader.simulator.scenarios.files import shipped_scenarios

    example = shipped_scenarios()["example"].read_text(encoding="utf-8")
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(example)
    except FileExistsError:
        raise ScenarioError(f"{file} is there already; choose another name or give --force") from None
    except OSError as error:
        raise ScenarioError(f"{file} cannot be written: {error.strerror}; choose a folder of yours") from None
    click.echo(f"{file} written; edit it, then: tagsight rfid simulate --scenario {file}")


@scenario.command()
def schema() -> None:
    """Print the JSON Schema of a scenario: every key, its limits and what it means.

    \b
    Example:
      tagsight rfid scenario schema > scenario.schema.json
    """
    from rfid_reader.simulator.scenarios.files import scenario_schema

    click.echo(json.dumps(scenario_schema(), indent=2))


@scenario.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_scenarios(as_json: bool) -> None:
    """List the scenarios that ship, by the name that `simulate --scenario` takes.

    \b
    Example:
      tagsight rfid scenario list
    """
    from rfid_reader.simulator.scenarios.files import shipped_scenarios

    found = {name: _first_sentence(path) for name, path in shipped_scenarios().items()}
    if as_json:
        click.echo(json.dumps([{"name": name, "says": says} for name, says in found.items()]))
        return
    width = max(map(len, found))
    for name, says in found.items():
        click.echo(f"{name:<{width}}  {says}")


def _first_sentence(path: Path) -> str:
    """What the file's opening comment says first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in lines[:3] if line.startswith("#"))
    return comment.partition(". ")[0].rstrip(".")
