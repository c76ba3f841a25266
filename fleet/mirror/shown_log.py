"""What was shown and tapped, for judging other ways of choosing later: about garments, not visits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from contract.fields import about
from fleet.mirror.suggesting import Suggestion

MOST_BYTES = 64 << 20
log = logging.getLogger(__name__)


class ShownLine(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a list. Neither visit, EPC, room nor time of day is in it."""

    day: Annotated[str, about("the shop's local day", "2026-02-27")]
    kind: Annotated[str, about("kind of the garment that was tried on", "coat")]
    shown: Annotated[str, about("the article that was shown", "SHIRT-M-BLUE")]
    position: Annotated[int, about("its place in the list, from 1", 1, "1")]
    ranker: Annotated[str, about("which way of choosing put it there", "together")]
    tapped: Annotated[bool, about("somebody tapped it", False)] = False


class ShownLog:
    """Lines of JSON. A full or refusing disk costs lines, never the screen; `lost` counts them."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self.lost = 0

    def shown(self, day: str, kind: str, places: Sequence[Suggestion]) -> None:
        """A list as it came onto a screen."""
        self._write(
            [
                ShownLine(day=day, kind=kind, shown=one.garment.sku, position=place, ranker=one.ranker)
                for place, one in enumerate(places, 1)
            ]
        )

    def tapped(self, day: str, kind: str, places: Sequence[Suggestion], sku: str) -> None:
        """Somebody tapped one of the list."""
        for place, one in enumerate(places, 1):
            if one.garment.sku == sku:
                line = ShownLine(
                    day=day, kind=kind, shown=sku, position=place, ranker=one.ranker, tapped=True
                )
                self._write([line])

    def _write(self, lines: Sequence[ShownLine]) -> None:
        if self._file is None or not lines:
            return
        try:
            if self._file.exists() and self._file.stat().st_size > MOST_BYTES:
                self._file.replace(self._file.with_name(f"{self._file.name}.1"))
            with self._file.open("ab") as out:
                out.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        except OSError as error:
            if not self.lost:
                log.warning("%s: what was shown cannot be noted (%s)", self._file, error.strerror)
            self.lost += len(lines)
