"""Scenario files: a simulated store in YAML, read, checked, or found among those that ship.

`scenario_spec` has every key; `tagsight rfid scenario init` writes a commented example, `schema` prints the
JSON Schema.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import yaml

from rfid_reader.errors import ScenarioError
from rfid_reader.simulator.scenarios.checks import KeyFault, check
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

__all__ = [
    "MAX_TAGS", "AntennaSpec", "AutoFlips", "Browsing", "FlipsSpec", "GivenFlip", "PathSpec", "PeopleSpec",
    "RackSpec", "Scenario", "ScenarioFile", "ScenarioReader", "TagRun", "find_scenario", "load_scenario",
    "scenario_schema", "shipped_scenarios",
]  # fmt: skip
SHIPPED = Path(__file__).parent
MAX_FILE_BYTES = 4 << 20
_WRONG = re.compile(r"^(?P<says>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_IN_QUOTES = "; put it in quotes"


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
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path}: the scenario cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ScenarioError(
            f"{path}: the scenario has {len(data)} bytes; at most {MAX_FILE_BYTES} would be right"
        )
    try:
        tree, node = yaml.safe_load(data), yaml.compose(data, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ScenarioError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    try:
        _refuse_infinity(tree, "")
        scenario = _converted(tree)
        check(scenario, path.parent)
    except KeyFault as fault:
        line = _line_of(node, fault.key.split("."))
        raise ScenarioError(f"{path}:{line}: {fault}") from None
    return ScenarioFile(scenario, path.parent)


def _converted(tree: Any) -> Scenario:
    if not isinstance(tree, dict):
        raise KeyFault(
            "name", "a scenario has keys; tagsight rfid scenario init FILE writes one to start from"
        )
    try:
        return msgspec.convert(tree, Scenario)
    except msgspec.ValidationError as error:
        _refuse_form(tree, error)


def _refuse_form(tree: Any, error: msgspec.ValidationError) -> NoReturn:
    """What msgspec found, as key, value and what would be right."""
    found = _WRONG.match(str(error))
    assert found is not None
    says = found["says"].removeprefix("Object ")
    key = re.sub(r"\[(\d+)\]", r".\1", found["path"] or "").strip(".")
    if unknown := re.search(r"unknown field `(.*)`", says):
        near = difflib.get_close_matches(unknown[1], _known_keys(), 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise KeyFault(".".join(filter(None, [key, unknown[1]])), f"unknown field `{unknown[1]}`{meant}")
    if missing := re.search(r"missing required field `(.*)`", says):
        raise KeyFault(".".join(filter(None, [key, missing[1]])), f"the key {missing[1]} is missing")
    value = _value_at(tree, key.split("."))
    quotes = _IN_QUOTES if says.startswith("Expected `str`") and not isinstance(value, (list, dict)) else ""
    right = says.replace("Expected ", "").partition(", got")[0].replace("`", "")
    raise KeyFault(key, f"{_short(value)} is wrong; {right} would be right{quotes}")


def _known_keys() -> list[str]:
    """Every key that a scenario knows: where one of them is out of place, it is named all the same."""
    definitions = scenario_schema()["$defs"]
    return sorted({name for one in definitions.values() for name in one.get("properties", {})})


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse_infinity(tree: Any, key: str) -> None:
    if isinstance(tree, float) and not math.isfinite(tree):
        raise KeyFault(key, f"{tree!r} is wrong; a finite number would be right")
    if isinstance(tree, dict):
        for name, value in tree.items():
            _refuse_infinity(value, f"{key}.{name}".strip("."))
    elif isinstance(tree, list):
        for place, value in enumerate(tree):
            _refuse_infinity(value, f"{key}.{place}".strip("."))


def _value_at(tree: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
    return tree


def _line_of(node: yaml.Node | None, parts: list[str]) -> int:
    """The line, from 1, on which a key stands; that of the key above it where there is none."""
    line = 1
    for part in parts:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        else:
            break
    return line
