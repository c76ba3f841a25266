"""What sections are written in: names, places on the floor and in pictures, limits of numbers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MAX_POLYGON_POINTS = 200

WORD = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
LABEL = r"^\w[\w .,&()/-]{0,63}$"

Word = Annotated[
    str, Meta(pattern=WORD, description="a name of letters, digits, '-', '_' and '.', at most 64")
]
Label = Annotated[
    str, Meta(pattern=LABEL, description="a name of at most 64 letters, digits, spaces and .,&()/-")
]
FloorPoint = Annotated[tuple[float, float], Meta(description="[x, y] on the floor in metres")]
ImagePoint = Annotated[tuple[float, float], Meta(description="[u, v] in the picture in pixels")]
Polygon = Annotated[
    list[FloorPoint],
    Meta(min_length=3, max_length=MAX_POLYGON_POINTS, description="corners in order, in metres on the floor"),
]
Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]
TcpPort = Annotated[int, Meta(ge=1, le=65_535)]
Login = Annotated[str, Meta(min_length=1)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping in `store.yaml`: unknown keys are mistakes."""
