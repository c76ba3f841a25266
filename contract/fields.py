"""What a field of an event says of itself: description, unit and an example, in types and schema."""

from __future__ import annotations

from typing import Any

from msgspec import Meta

UNIT = "x-unit"
"""The schema's keyword for the unit: a UCUM code (https://ucum.org) such as `s`, `m`, `1/s` or `{person}`,
and `1` for shares, numbers and places in a row."""
NO_UNIT = "none"
"""Texts, switches, and what has fields of its own."""
BY_NAME = "by name"
"""A table of figures, each with the unit that its name ends in."""


def about(description: str, example: object, unit: str = NO_UNIT, **schema: Any) -> Meta:
    """To be put into `Annotated`. `schema`: limits that msgspec checks (`ge`, `le`, `max_length`), and
    `format`, which only the schema tells."""
    extra = {UNIT: unit, **({"format": schema.pop("format")} if "format" in schema else {})}
    return Meta(description=description, examples=[example], extra_json_schema=extra, **schema)
