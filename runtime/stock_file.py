"""Where every tag is, on disk: a box that was restarted tells no garment anew, and commands can look."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rfid_reader.errors import ReaderError
from rfid_reader.inventory.places import TagPlace
from rfid_reader.inventory.state import STOCK_STATE, load_stock, save_stock

__all__ = ["STOCK_STATE", "StockFile"]

log = logging.getLogger(__name__)


class StockFile:
    """Written when something changed. `fault` says why that fails, in a sentence; empty while it does not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Sequence[TagPlace] = ()
        self.fault = ""

    def read(self) -> list[TagPlace]:
        """Where tags were; nothing where there is no file, or none that can be read (which is logged)."""
        if not self._path.exists():
            return []
        try:
            self._written = load_stock(self._path).tags
        except ReaderError as error:
            log.warning("%s; every tag that is read arrives anew", error)
            return []
        return list(self._written)

    def write(self, tags: Sequence[TagPlace], time_s: float) -> None:
        """Replace the file. A disk that refuses is logged as that begins, and tried again the next time."""
        if tags == self._written:
            return
        fault = ""
        try:
            save_stock(self._path, tags, time_s)
        except OSError as error:
            fault = f"where garments are is not remembered: {self._path}: {error.strerror or error}"
        else:
            self._written = tags
        if fault and fault != self.fault:
            log.warning("%s", fault)
        elif self.fault and not fault:
            log.info("%s: where garments are is remembered again", self._path)
        self.fault = fault
