"""The days' flips and visitors on disk, so that a box that was restarted still knows yesterday's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from runtime.store.garments.flip_days import FlipDay

FLIP_DAYS = "flip-days.json"

log = logging.getLogger(__name__)


def remembered_days(path: Path) -> list[FlipDay]:
    """What is in the file; nothing where there is none, or none that can be read (which is logged)."""
    try:
        return sorted(msgspec.json.decode(path.read_bytes(), type=list[FlipDay]), key=lambda one: one.day)
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        log.warning("%s: not read, flips per visitor are compared from today on: %s", path, error)
        return []


def remember_days(path: Path, days: Sequence[FlipDay]) -> None:
    """Replace the file. A disk that refuses is logged, and tried again the next time."""
    if not days:
        return
    draft = path.with_suffix(".new")
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(list(days))))
        draft.replace(path)
    except OSError as error:
        log.warning("%s: flips per visitor are not remembered: %s", path, error)
