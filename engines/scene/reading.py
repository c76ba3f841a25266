"""Scene files: YAML, typed, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from engines.scene.checks import check
from engines.scene.errors import SceneError
from engines.scene.spec import Scene
from tagsight.yaml_files import read_yaml

KEYS = "a scene has keys: name, seconds, room, cameras, ..."


def load_scene(path: str | Path) -> Scene:
    """A scene that can be staged. Raises SceneError: file, line, key and what would be right."""
    return read_yaml(Path(path), Scene, check, SceneError, name="scene", empty=KEYS)


def scene_schema() -> dict[str, Any]:
    """The JSON Schema of a scene file."""
    return msgspec.json.schema(Scene)
