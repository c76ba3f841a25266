"""Which tags a detector follows: EPC to row, at most MAX_TAGS, however many EPCs are heard.

A reader makes at most some 1,000 reads a second, and a tag that is read less often than every 2.5 s cannot
be judged: MAX_TAGS is more than a reader can keep up with. What is heard beyond may be invented (ghost reads,
a tag emulator, EPCs that roll), so places go to tags that are read again:

- the first FREE_ROWS tags have a row at their first read; beyond, a tag has to be read twice within AGAIN_S,
  unless it is of the store's stock;
- beyond, rows of tags that are gone are given on before the table grows: after ABSENT_S without a read, or
  after GONE_S (when a tag that returns begins anew in any case) if it is proven. A tag is proven once it was
  read PROVEN_READS times over PROVEN_S;
- in a full table any tag that was not heard for ABSENT_S gives way, and with none of those the one heard
  least recently that is not proven. For a tag of the stock, one that is not of the stock gives way as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import ReadTable
from rfid_reader.stock import digest_of

Rows = NDArray[np.int64]
MAX_TAGS = 4_096
FREE_ROWS = 1_024
ABSENT_S = 60.0
"""A tag that was not heard for longer was away: how often it is read counts from its return."""
GONE_S = 120.0
AGAIN_S = 30.0
PROVEN_READS, PROVEN_S = 12, 10.0
FIRST_READS = 1 << 17
MAX_UNJUDGED = 20_000
HIGHEST_ANTENNA = 32
UNPROVEN, PROVEN, STOCK = range(3)


class FirstReads:
    """When EPCs without a row were read last: FIRST_READS places by a digest of the EPC, and a later EPC of
    the same place takes it over. Fixed memory (2 MB)."""

    def __init__(self) -> None:
        self._digest = np.zeros(FIRST_READS, np.uint64)
        self._time_s = np.full(FIRST_READS, -np.inf)

    def again(self, epc: str, time_s: float) -> bool:
        """Note a read; whether there was one of the same EPC within AGAIN_S."""
        digest = digest_of(epc)
        place = digest % FIRST_READS
        read_before = int(self._digest[place]) == digest and time_s - self._time_s[place] <= AGAIN_S
        self._digest[place], self._time_s[place] = digest, time_s
        return bool(read_before)


class TagRows:
    """Numbers tags, and keeps of each row how often (`heard`), since when and until when it was read, and on
    which antennas. `epcs` has the EPC of every row; one that is free keeps its last.

    in_stock: whether an EPC is of the store's stock. refused: reads of tags that found no row. waiting: reads
    of tags that were not read a second time yet.
    """

    def __init__(self, in_stock: Callable[[str], bool] | None = None) -> None:
        self.epcs: list[str] = []
        self.in_stock = in_stock
        self.refused = 0
        self.waiting = 0
        self.heard = np.zeros(0)
        self.first_s = np.zeros(0)
        self.last_s = np.zeros(0)
        self.by_antenna = np.zeros((0, HIGHEST_ANTENNA + 1), np.int32)
        self._rank = np.zeros(0, np.int8)
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._first_reads = FirstReads()
        self._unjudged: dict[str, None] = {}

    def row(self, epc: str) -> int:
        """Row of a tag, -1 for one that has none."""
        return self._rows.get(epc, -1)

    def rows(self, epcs: NDArray[np.str_]) -> Rows:
        """Row of each EPC, -1 for those without one."""
        find = self._rows.get
        return np.array([find(epc, -1) for epc in epcs.tolist()], np.int64)

    @property
    def in_use(self) -> int:
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether tags wait for a place."""
        return self.in_use >= MAX_TAGS

    def unjudged(self) -> list[str]:
        """The latest MAX_UNJUDGED EPCs that were heard and had no row for long enough, those with one now
        left out."""
        return [epc for epc in self._unjudged if epc not in self._rows]

    def used(self) -> Rows:
        """The rows that stand for a tag."""
        rows = np.ones(len(self.epcs), np.bool_)
        rows[self._free] = False
        return np.flatnonzero(rows)

    def proven(self) -> Rows:
        """The rows of tags that are no ghosts: proven by their reads, or of the stock."""
        rows = self.used()
        return rows[self._rank[rows] >= PROVEN]

    def make_room(self, reads: ReadTable, now_s: float, seldom: Callable[[], NDArray[np.bool_]]) -> Rows:
        """Give rows to the new tags of these reads that may have one; returns the rows that were taken from
        others, whose state has to be forgotten. seldom: rows of tags read too seldom to be judged."""
        new = Counter(epc for epc in reads.epc.tolist() if epc not in self._rows)
        if not new:
            return np.zeros(0, np.int64)
        admitted = self._admitted(new, now_s)
        need = len(admitted) - len(self._free) - (max(0, min(FREE_ROWS, MAX_TAGS) - len(self.epcs)))
        gone = self._give_way(need, admitted, now_s) if need > 0 else np.zeros(0, np.int64)
        self._release(gone, seldom)
        for epc in admitted:
            if not self._take_row(epc):
                self.refused += new[epc]
                self._note_unjudged(epc)
        return gone

    def note(self, tags: Rows, reads: ReadTable) -> None:
        """Count reads of these rows."""
        back = tags[reads.time_s - self.last_s[tags] > ABSENT_S]
        self.heard[back], self.first_s[back] = 0, np.inf
        np.add.at(self.heard, tags, 1)
        np.minimum.at(self.first_s, tags, reads.time_s)
        np.maximum.at(self.last_s, tags, reads.time_s)
        np.add.at(self.by_antenna, (tags, np.minimum(reads.antenna, HIGHEST_ANTENNA)), 1)
        proven = tags[
            (self.heard[tags] >= PROVEN_READS) & (self.last_s[tags] - self.first_s[tags] >= PROVEN_S)
        ]
        self._rank[proven] = np.maximum(self._rank[proven], PROVEN)

    def _admitted(self, new: Counter[str], now_s: float) -> list[str]:
        """The new tags that may have a row, those of the stock first."""
        if self.in_use + len(new) <= min(FREE_ROWS, MAX_TAGS):
            return list(new)
        stock = [epc for epc in new if self._is_stock(epc)]
        admitted = dict.fromkeys(stock)
        for epc, count in new.items():
            if epc in admitted:
                continue
            if self._first_reads.again(epc, now_s) or count > 1:
                admitted[epc] = None
            else:
                self.waiting += count
                self._note_unjudged(epc)
        return list(admitted)

    def _is_stock(self, epc: str) -> bool:
        return self.in_stock is not None and self.in_stock(epc)

    def _give_way(self, need: int, admitted: list[str], now_s: float) -> Rows:
        """Rows for `need` newcomers: first those of tags that are gone for good, then (where the table cannot
        grow) of any that are away, then of those that are unproven, then, for the stock, of those that are
        not of it."""
        rows = self.used()
        rank, last_s = self._rank[rows], self.last_s[rows]
        away_s = now_s - last_s
        absent = away_s > ABSENT_S
        over = away_s > np.where(rank == UNPROVEN, ABSENT_S, GONE_S)
        order = np.lexsort((last_s, rank, ~absent, ~over))
        gone = rows[order[over[order]]][:need]
        need -= len(gone) + MAX_TAGS - max(len(self.epcs), min(FREE_ROWS, MAX_TAGS))
        if need <= 0:
            return np.asarray(gone, np.int64)
        stock = sum(map(self._is_stock, admitted))
        may_go = absent | (rank == UNPROVEN)
        chosen = rows[order[may_go[order]]][: len(gone) + need]
        more = len(gone) + min(need, stock) - len(chosen)
        if more > 0:
            others = order[(~may_go & (rank < STOCK))[order]][:more]
            chosen = np.concatenate([chosen, rows[others]])
        return np.asarray(chosen, np.int64)

    def _release(self, gone: Rows, seldom: Callable[[], NDArray[np.bool_]]) -> None:
        if not len(gone):
            return
        too_seldom = seldom()[gone]
        for row, unjudged in zip(gone.tolist(), too_seldom.tolist(), strict=True):
            epc = self.epcs[row]
            del self._rows[epc]
            if unjudged:
                self._note_unjudged(epc)
        self._free += gone[::-1].tolist()
        self.heard[gone], self.by_antenna[gone] = 0, 0
        self.first_s[gone], self.last_s[gone] = np.inf, -np.inf
        self._rank[gone] = UNPROVEN

    def _take_row(self, epc: str) -> bool:
        if self._free:
            row = self._free.pop()
            self.epcs[row] = epc
        elif len(self.epcs) < MAX_TAGS:
            row = len(self.epcs)
            self.epcs.append(epc)
            self._grow(len(self.epcs))
        else:
            return False
        self._rows[epc] = row
        self._unjudged.pop(epc, None)
        if self._is_stock(epc):
            self._rank[row] = STOCK
        return True

    def _note_unjudged(self, epc: str) -> None:
        self._unjudged.pop(epc, None)
        self._unjudged[epc] = None
        if len(self._unjudged) > MAX_UNJUDGED:
            del self._unjudged[next(iter(self._unjudged))]

    def _grow(self, tags: int) -> None:
        have = len(self.heard)
        if tags <= have:
            return
        size = max(64, 2 * have) - have
        self.heard = np.concatenate([self.heard, np.zeros(size)])
        self.first_s = np.concatenate([self.first_s, np.full(size, np.inf)])
        self.last_s = np.concatenate([self.last_s, np.full(size, -np.inf)])
        self.by_antenna = np.concatenate([self.by_antenna, np.zeros((size, HIGHEST_ANTENNA + 1), np.int32)])
        self._rank = np.concatenate([self._rank, np.zeros(size, np.int8)])
