"""Scene files: YAML, typed, checked."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from engines.scene.checks import KeyFault, check
from engines.scene.errors import SceneError
from engines.scene.spec import Scene

MAX_FILE_BYTES = 4 << 20
_WRONG = re.compile(r"^(?P<says>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)


def load_scene(path: str | Path) -> Scene:
    """Read and check a scene. Raises SceneError naming the file, the line, the key and what would be
    right."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SceneError(f"{path}: the scene cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise SceneError(f"{path}: the scene has {len(data)} bytes; at most {MAX_FILE_BYTES} would be right")
    try:
        tree, node = yaml.safe_load(data), yaml.compose(data, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SceneError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    try:
        scene = _converted(tree)
        check(scene)
    except KeyFault as fault:
        raise SceneError(f"{path}:{_line_of(node, fault.key.split('.'))}: {fault}") from None
    return scene


def scene_schema() -> dict[str, Any]:
    """The JSON Schema of a scene file."""
    return msgspec.json.schema(Scene)


def _converted(tree: Any) -> Scene:
    if not isinstance(tree, dict):
        raise KeyFault("name", "a scene has keys: name, seconds, room, cameras, ...")
    _refuse_infinity(tree, "")
    try:
        return msgspec.convert(tree, Scene)
    except msgspec.ValidationError as error:
        found = _WRONG.match(str(error))
        assert found is not None
        key = re.sub(r"\[(\d+)\]", r".\1", found["path"] or "").strip(".")
        says = found["says"].removeprefix("Object ").replace("`", "")
        if unknown := re.search(r"unknown field (.*)", says):
            raise KeyFault(".".join(filter(None, [key, unknown[1]])), "no such key") from None
        if missing := re.search(r"missing required field (.*)", says):
            raise KeyFault(".".join(filter(None, [key, missing[1]])), "this key is missing") from None
        right = says.replace("Expected ", "").partition(", got")[0]
        raise KeyFault(
            key or "name", f"{_short(_value_at(tree, key))} is wrong; {right} would be right"
        ) from None


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


def _value_at(tree: Any, key: str) -> Any:
    for part in key.split("."):
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
