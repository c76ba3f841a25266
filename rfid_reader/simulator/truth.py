"""The true flips of a simulation, written beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

from rfid_reader.errors import ReaderError
from rfid_reader.simulator.people.handling import TrueFlip


class TruthFile:
    """JSON lines, one a flip, written as it ends; without a path it only counts."""

    def __init__(self, path: Path | None) -> None:
        self.flips = 0
        self._file: IO[str] | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8", newline="\n")
            except OSError as error:
                raise ReaderError(f"{path}: cannot be written: {error.strerror}") from None

    def write(self, flip: TrueFlip, epoch: float) -> None:
        """Add a flip of a scenario that was at 0 at `epoch` (UTC seconds)."""
        self.flips += 1
        if self._file is None:
            return
        line = {
            "epc": flip.epc,
            "start_s": round(epoch + flip.start_s, 3),
            "end_s": round(epoch + flip.end_s, 3),
            "person": flip.person,
            "rack": flip.rack,
            "scenario_start_s": round(flip.start_s, 3),
            "scenario_end_s": round(flip.end_s, 3),
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()
