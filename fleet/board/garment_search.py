"""The catalogue's garments by words, for the board."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from fleet.board.asked import PageQuestions, Shown
from fleet.board.figures import STAGES
from fleet.mirror.building import embeddings_of
from fleet.mirror.catalogue import Catalogue
from fleet.search.finding import GarmentFinder, GarmentText
from fleet.search.word_tower import WordTower
from fleet.search.words import vocabulary
from fleet.serve.settings import GarmentFiles

MOST_FOUND = 24
LONGEST_QUERY = 200
JPEG = b"\xff\xd8"


class GarmentSearch:
    """Reads the catalogue anew where it is another. Everything raises FleetError where it cannot be read."""

    def __init__(self, files: GarmentFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._catalogue = Catalogue(files.catalogue)
        self._finder: GarmentFinder | None = self._made()

    def _made(self) -> GarmentFinder:
        garments = self._catalogue.garments()
        told = [GarmentText(one.sku, f"{one.title} {one.kind}") for one in garments]
        known, files = vocabulary(), self._files
        if files.embeddings is None or files.words is None:
            return GarmentFinder(told, known)
        place = {one.sku: number for number, one in enumerate(garments)}
        tower = WordTower.load(known, files.words)
        return GarmentFinder(told, known, tower, embeddings_of(files.embeddings, place))

    def page(self, asking: PageQuestions, about: Shown, text: str) -> dict[str, Any]:
        """What the page shows: garments with what happened to them in the store on the day."""
        wanted = text.strip()[:LONGEST_QUERY]
        with self._lock:
            if self._catalogue.refresh():
                self._finder = None
            # What could not be made of another catalogue is said each time until it can.
            self._finder = self._finder or self._made()
            found = self._finder.find(wanted, MOST_FOUND) if wanted else None
            skus: Sequence[str] = found.skus if found else ()
            garments = [one for sku in skus if (one := self._catalogue.garment(sku)) is not None]
            with_picture = {sku for sku in skus if self._catalogue.has_picture(sku)}
        day = about.day.isoformat()
        rows = asking.rows("funnel", day, day, sites=(about.site,)) if garments else []
        return {
            "wanted": wanted,
            "unknown": found.unknown if found else (),
            "garments": garments,
            "with_picture": with_picture,
            "ways": {row["sku"]: [row[stage] for stage in STAGES] for row in rows},
        }

    def picture(self, sku: str) -> tuple[bytes, str] | None:
        """A picture and its media type; None where there is none."""
        with self._lock:
            picture = self._catalogue.picture(sku)
        if picture is None:
            return None
        return picture, "image/jpeg" if picture.startswith(JPEG) else "image/png"
