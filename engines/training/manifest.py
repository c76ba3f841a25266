"""Writes what training knows about the shipped nets into `manifest.yaml`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from engines.errors import TrainingError

HEAD = "# Written by `python -m engines.training export` and `measure --record`.\n"
Entry = dict[str, Any]


def update(folder: Path, name: str, changes: Entry) -> None:
    """Sets keys of the engine `name` in the folder's manifest; mappings are merged, the rest replaced.

    Raises TrainingError if the manifest is not one.
    """
    path = folder / "manifest.yaml"
    try:
        manifest = yaml.safe_load(path.read_text()) if path.exists() else {"engines": []}
        entries: list[Entry] = manifest["engines"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: not a manifest of engines: {error}") from error
    entry = next((item for item in entries if item["name"] == name), None)
    if entry is None:
        entry = {"name": name}
        entries.append(entry)
    for key, value in changes.items():
        entry[key] = {**entry.get(key, {}), **value} if isinstance(value, dict) else value
    text = yaml.safe_dump({"engines": entries}, sort_keys=False, width=110, allow_unicode=True)
    path.write_text(HEAD + text)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
