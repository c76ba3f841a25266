"""Lines of many stores put in order by store, on disk, so that a batch has many lines of few stores.

Each batch makes the days anew that its lines touch. Where 5,000 stores tell at the same time, 50,000 lines in
order of arrival are ten a store, and each store's day would be made anew for ten lines; put in order by
store they are some hundreds. The order within a store stays.
"""

from __future__ import annotations

import heapq
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from contract.errors import UNREADABLE
from fleet.errors import FleetError
from fleet.ingest.sources import Line

PILES = 64
LENGTH_BYTES = 4


class _Said(msgspec.Struct):
    site: str = ""


_said = msgspec.json.Decoder(_Said)
_put = msgspec.msgpack.Encoder()
_got = msgspec.msgpack.Decoder()


class LinesByStore:
    """Lines in PILES nameless files, all of one store in the same; gone with the process. Use with `with`."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` has room for all lines; None for the system's. Raises FleetError."""
        self._folder = folder
        self._counts = [0] * PILES
        self._open = ExitStack()
        self._files: list[BinaryIO] = []
        try:
            for _ in range(PILES):
                nameless = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by `_open`)
                self._files.append(self._open.enter_context(nameless))
        except OSError as error:
            self._open.close()
            raise self._failed(error) from error
        self.last = 0
        """The highest position."""

    def __enter__(self) -> LinesByStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def put(self, lines: Iterable[Line]) -> None:
        """Positions rise from line to line. Raises FleetError where the disk refuses."""
        try:
            for line in lines:
                pile = zlib.crc32(_site_of(line).encode()) % PILES
                body = _put.encode(line)
                self._files[pile].write(len(body).to_bytes(LENGTH_BYTES, "big") + body)
                self._counts[pile] += 1
                self.last = line.position
            for file in self._files:
                file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def parts(self, most: int) -> list[list[int]]:
        """Piles put together, up to about so many lines; the same for the same lines."""
        found: list[list[int]] = []
        count = most
        for pile, lines in enumerate(self._counts):
            if not lines:
                continue
            if count + lines > most:
                found.append([])
                count = 0
            found[-1].append(pile)
            count += lines
        return found

    def lines(self, piles: Sequence[int]) -> Iterator[Line]:
        """By their position."""
        return heapq.merge(*map(self._read, piles), key=attrgetter("position"))

    def _read(self, pile: int) -> Iterator[Line]:
        file = self._files[pile]
        file.seek(0)
        while length := file.read(LENGTH_BYTES):
            yield Line(*_got.decode(file.read(int.from_bytes(length, "big"))))

    def _failed(self, error: OSError) -> FleetError:
        place = self._folder or tempfile.gettempdir()
        return FleetError(f"{place}: lines cannot be put in order there ({error.strerror}); make room")


def _site_of(line: Line) -> str:
    try:
        return _said.decode(line.body).site
    except UNREADABLE:
        return ""
