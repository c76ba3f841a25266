"""Two versions of the schema compared: what breaks consumers, and what is only new.

Boxes and consumers are not upgraded together. A consumer that knows the older schema must read the events of
a newer box, and one that knows the newer schema those of an older box. So a field, a kind or a topic may be
added, where it may be absent, and nothing else may change but the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

Schema = Mapping[str, Any]
WORDS = frozenset({"title", "description", "summary", "examples"})
"""Keywords that only people read."""
FIELDS = ("properties", "required")


class SchemaChange(NamedTuple):
    """One difference, in words; `breaks` where consumers do not survive it."""

    what: str
    breaks: bool


def changes(old: Schema, new: Schema) -> list[SchemaChange]:
    """From one JSON Schema of events to another (`contract.schema.json_schema`)."""
    kinds = [document["discriminator"]["mapping"] for document in (old, new)]
    return [
        *_of_table("the kind", kinds[0], kinds[1]),
        *_of_schemas(old["$defs"], new["$defs"]),
    ]


def api_changes(old: Schema, new: Schema) -> list[SchemaChange]:
    """From one AsyncAPI document to another: topics and how they are used. `info` may change."""
    found: list[SchemaChange] = []
    for table, what in (("channels", "the topic"), ("operations", "the operation")):
        found += _of_table(what, old[table], new[table])
    if old.get("defaultContentType") != new.get("defaultContentType"):
        found.append(SchemaChange("the content type is another", True))
    return [*found, *_of_schemas(old["components"]["schemas"], new["components"]["schemas"])]


def _of_table(what: str, old: Schema, new: Schema) -> Iterator[SchemaChange]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield SchemaChange(f"{what} {name} is gone", True)
        elif name not in old:
            yield SchemaChange(f"{what} {name} is new", False)
        else:
            yield from _of_value(f"{what} {name}", old[name], new[name])


def _of_schemas(old: Schema, new: Schema) -> Iterator[SchemaChange]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield SchemaChange(f"{name} is gone", True)
        elif name not in old:
            yield SchemaChange(f"{name} is new", False)
        else:
            yield from _of_fields(name, old[name], new[name])
            rest = [{key: one[key] for key in one if key not in FIELDS} for one in (old[name], new[name])]
            yield from _of_value(name, *rest)


def _of_fields(name: str, old: Schema, new: Schema) -> Iterator[SchemaChange]:
    fields, fields_now = old.get("properties", {}), new.get("properties", {})
    required, required_now = old.get("required", ()), new.get("required", ())
    for field in sorted({*fields, *fields_now}):
        where = f"{name}.{field}"
        if field not in fields_now:
            yield SchemaChange(f"{where} is gone", True)
        elif field not in fields and field in required_now:
            yield SchemaChange(f"{where} is new and has no default: what older boxes send lacks it", True)
        elif field not in fields:
            yield SchemaChange(f"{where} is new", False)
        else:
            if field in required and field not in required_now:
                yield SchemaChange(f"{where} may be absent now", True)
            elif field in required_now and field not in required:
                yield SchemaChange(f"{where} may not be absent any more, and older boxes leave it out", True)
            yield from _of_value(where, fields[field], fields_now[field])


def _of_value(where: str, old: Any, new: Any) -> Iterator[SchemaChange]:
    """What a value may be, its unit and its default; and, not breaking, what is said of it."""
    if _bare(old) != _bare(new):
        yield SchemaChange(f"{where} was {_short(_bare(old))} and is {_short(_bare(new))}", True)
    elif old != new:
        yield SchemaChange(f"{where} is described in other words", False)


def _bare(value: Any) -> Any:
    """Without the words."""
    if isinstance(value, Mapping):
        return {key: _bare(one) for key, one in value.items() if key not in WORDS}
    return [_bare(one) for one in value] if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
