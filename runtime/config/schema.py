"""The JSON Schema of `store.yaml`, for editors and other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from runtime.config.model import FILLED_IN, StoreConfig


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a store's config, made from the declarations themselves."""
    schema = msgspec.json.schema(StoreConfig, schema_hook=_path_schema)
    for name in FILLED_IN:
        schema["$defs"]["StoreConfig"]["properties"].pop(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tagsight store.yaml",
        **schema,
    }


def _path_schema(kind: type) -> dict[str, Any]:
    """A hook of msgspec, whose word for a type that this does not know either is NotImplementedError."""
    if kind is Path:
        return {"type": "string", "minLength": 1}
    raise NotImplementedError(kind)
