"""Where every tag is, as a file: written by the store process, read by `tagsight rfid inventory`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from rfid_reader.errors import ReaderError
from rfid_reader.inventory.places import TagPlace

STOCK_STATE = "stock.json"


class StockState(msgspec.Struct):
    """Each tag's EPC, place and since when (UTC seconds) it is there; `time_s` is when that was written."""

    time_s: float
    tags: list[TagPlace]


def load_stock(path: Path) -> StockState:
    """Raises ReaderError naming what is wrong."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=StockState)
    except OSError as error:
        raise ReaderError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReaderError(f"{path}: not a box's {STOCK_STATE}: {error}") from None


def save_stock(path: Path, tags: Sequence[TagPlace], time_s: float) -> None:
    """Replace the file as a whole. Raises OSError."""
    draft = path.with_suffix(".new")
    lines = ",\n".join(msgspec.json.encode(tag).decode() for tag in tags)
    draft.write_text(f'{{"time_s":{time_s:.3f},"tags":[\n{lines}\n]}}\n', encoding="utf-8")
    draft.replace(path)
