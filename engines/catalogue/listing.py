"""The engines of this machine, as `tagsight engines list` shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from engines import backends
from engines.backends.entrance import entrance_of
from engines.catalogue import KnownEngine
from engines.errors import EngineError

WIDEST = 100
"""Columns; longer lines are hard to read."""
INDENT = "  "


def lines(known: Sequence[KnownEngine], width: int) -> Iterator[str]:
    """Name, decoder, input and file a line, and what it is below, within `width` columns."""
    rows = [described(engine) for engine in known]
    name, decoder, size = (
        max((len(row[key]) for row in rows), default=0) for key in ("name", "decoder", "input")
    )
    for row in rows:
        start = f"{row['name']:{name}}  {row['decoder']:{decoder}}  {row['input']:{size}}  "
        if len(start) + len(row["file"]) <= width:
            yield f"{start}{row['file']}"
        else:
            yield from (start.rstrip(), f"{INDENT}{row['file']}")
        where = "with tagsight" if row["origin"] == "tagsight" else row["origin"]
        yield from textwrap.wrap(
            f"{row['about']} ({where})", width, initial_indent=INDENT, subsequent_indent=INDENT
        )


def described(engine: KnownEngine) -> dict[str, str]:
    """Of the file that is used here. Raises EngineError for an engine without files."""
    file = engine.choose_file(backends.choose().name)
    unnamed = "by trial" if engine.entry.task == "detector" else engine.entry.task
    return {
        "name": engine.entry.name,
        "decoder": engine.entry.decoder or unnamed,
        "input": _input(engine, file.file),
        "file": file.file,
        "precision": file.precision,
        "sha256": file.sha256,
        "origin": "tagsight" if engine.shipped else str(engine.folder),
        "about": engine.entry.about,
    }


def _input(engine: KnownEngine, file: str) -> str:
    """Width and height that the network is given: the recipe's, its own, or as the images are."""
    size = engine.entry.input
    if size is None:
        path = engine.folder / file
        try:
            size = entrance_of(backends.choose().read(path).inputs, path).size
        except EngineError:
            return "unknown"
    return f"{size[0]} x {size[1]}" if size else f"{engine.entry.long_side} long"
