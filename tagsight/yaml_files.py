"""YAML files of typed data: what is wrong in one is said with its line, its key, and what would be right.

For files that somebody writes by hand and a program reads whole: scenes, scenarios. `store.yaml` has a reader
of its own (`runtime.config`), which notes every mistake and survives hostile files.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
import yaml

from tagsight.errors import TagsightError

T = TypeVar("T", bound=msgspec.Struct)
MAX_FILE_BYTES = 4 << 20
MOST_SHOWN = 60
_WRONG = re.compile(r"^(?P<says>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_IN_QUOTES = "; put it in quotes"


class KeyFault(TagsightError):
    """A wrong value at `key`, dotted, list places from 0."""

    def __init__(self, key: str, says: str) -> None:
        super().__init__(f"{key}: {says}")
        self.key = key


def refuse(key: str, wrong: object, right: str) -> NoReturn:
    """Raise KeyFault: what stands at `key` is wrong."""
    raise KeyFault(key, f"{wrong!r} is wrong; {right} would be right")


def read_yaml(
    path: Path,
    kind: type[T],
    check: Callable[[T], None],
    fault: Callable[[str], TagsightError],
    *,
    name: str,
    empty: str,
    hook: Callable[[type, Any], Any] | None = None,
) -> T:
    """The file as a `kind`, after `check`, which raises KeyFault.

    Raises what `fault` makes of a sentence that names the file, the line, the key and what would be right.
    `name` is what the file is called in it; `empty` is said where it holds no keys at all. `hook` makes
    what a type that is none of msgspec's wants of a plain value, or raises ValueError: what would be right.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise fault(f"{path}: the {name} cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise fault(f"{path}: the {name} has {len(data)} bytes; at most {MAX_FILE_BYTES} would be right")
    try:
        tree, node = yaml.safe_load(data), yaml.compose(data, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise fault(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    try:
        if not isinstance(tree, dict):
            raise KeyFault("name", empty)
        _refuse_infinity(tree, "")
        read = _converted(tree, kind, hook)
        check(read)
    except KeyFault as wrong:
        raise fault(f"{path}:{_line_of(node, wrong.key.split('.'))}: {wrong}") from None
    return read


def _converted(tree: dict[Any, Any], kind: type[T], hook: Callable[[type, Any], Any] | None) -> T:
    """Raises KeyFault: what msgspec found, as key, value and what would be right."""
    try:
        return msgspec.convert(tree, kind, dec_hook=hook)
    except msgspec.ValidationError as error:
        found = _WRONG.match(str(error))
        assert found is not None
    says = found["says"].removeprefix("Object ")
    key = re.sub(r"\[(\d+)\]", r".\1", found["path"] or "").strip(".")
    if unknown := re.search(r"unknown field `(.*)`", says):
        near = difflib.get_close_matches(unknown[1], _known_keys(kind), 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise KeyFault(".".join(filter(None, [key, unknown[1]])), f"unknown field `{unknown[1]}`{meant}")
    if missing := re.search(r"missing required field `(.*)`", says):
        raise KeyFault(".".join(filter(None, [key, missing[1]])), f"the key {missing[1]} is missing")
    value = _value_at(tree, key.split("."))
    quotes = _IN_QUOTES if says.startswith("Expected `str`") and not isinstance(value, (list, dict)) else ""
    right = says.replace("Expected ", "").partition(", got")[0].replace("`", "")
    raise KeyFault(key, f"{_short(value)} is wrong; {right} would be right{quotes}")


def _known_keys(kind: type[msgspec.Struct]) -> list[str]:
    """Every key that such a file knows: where one of them is out of place, it is named all the same."""
    definitions = msgspec.json.schema(kind, schema_hook=lambda _: {"type": "string"})["$defs"]
    return sorted({name for one in definitions.values() for name in one.get("properties", {})})


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


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
