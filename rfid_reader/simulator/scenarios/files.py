"""Scenario files: a simulated store in YAML, read, checked, or found among those that ship.

`spec` has every key; `tagsight rfid scenario init` writes a commented example, `schema` prints the
JSON Schema.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from rfid_reader.errors import ScenarioError
from rfid_reader.simulator.scenarios.checks import check
from rfid_reader.simulator.scenarios.spec import (
    MAX_TAGS,
    AntennaSpec,
    AutoFlips,
    Browsing,
    FlipsSpec,
    GivenFlip,
    PathSpec,
    PeopleSpec,
    RackSpec,
    Scenario,
    ScenarioReader,
    TagRun,
    scenario_schema,
)
from tagsight.yaml_files import read_yaml

__all__ = [
    "MAX_TAGS", "AntennaSpec", "AutoFlips", "Browsing", "FlipsSpec", "GivenFlip", "PathSpec", "PeopleSpec",
    "RackSpec", "Scenario", "ScenarioFile", "ScenarioReader", "TagRun", "find_scenario", "load_scenario",
    "scenario_schema", "shipped_scenarios",
]  # fmt: skip
SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario and the folder its track file is relative to."""

    scenario: Scenario
    folder: Path


def shipped_scenarios() -> dict[str, Path]:
    """The scenarios that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def find_scenario(text: str) -> Path:
    """The file that is meant: a path, or the name of a scenario that ships. Raises ScenarioError."""
    path, shipped = Path(text), shipped_scenarios()
    if path.exists() or len(path.parts) != 1:
        return path
    if text.removesuffix(".yaml") in shipped:
        return shipped[text.removesuffix(".yaml")]
    near = difflib.get_close_matches(text.removesuffix(".yaml"), shipped, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise ScenarioError(
        f"{text}: no such file, and no scenario of that name ships{meant}; {', '.join(shipped)} or a YAML "
        "file would be right"
    )


def load_scenario(path: str | Path) -> ScenarioFile:
    """Read a scenario. Raises ScenarioError naming the file, the line, the key and what would be right."""
    path = Path(path)
    scenario = read_yaml(
        path,
        Scenario,
        lambda read: check(read, path.parent),
        ScenarioError,
        name="scenario",
        empty="a scenario has keys; tagsight rfid scenario init FILE writes one to start from",
    )
    return ScenarioFile(scenario, path.parent)
