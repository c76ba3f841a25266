"""Where tags hang: at which antenna's place, whether they came, moved or went.

Time is cut into slots of PERIOD_S. In each, an antenna's level of a tag is its mean RSSI, where each read it
lacks of as many as the tag's best antenna usually has counts as FLOOR_DBM: a link that only now and then
carries is weak, though what it carries is not. A place's level is that of its best antenna.

A tag has moved when over the last `hold_s` the median level at another place is above that of its own by a
margin, and both changed since it was put there: the other rose, its own fell. A body in the way lets its own
fall and no other rise (as long as it is read); a tag half-way between two racks lets neither. While it
is carried about it is loudest now here, now there. A tag has gone when no antenna has read it for `gone_s` in
which its own place's antennas read others: a reader that is away stops the clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rfid_reader.inventory.levels import MAX_TAGS, PERIOD_S, Levels

FLOOR_DBM = -85.0
STEADY_SHARE = 0.8
"""Of the last slots a tag is loudest at the place that it came to: one that is carried about is nowhere."""
LOST_DB, UNREAD_DB = 20.0, 2.0
"""A tag has left its place even if it is no louder at the other, where it was louder by so much and is all
but unread now."""
RESTORED_DB = 8.0
"""By so much another place is louder than the own one of a tag that was put there while this was stopped."""
FEW_TAGS = 2
"""At a place with no more, its antennas' silence says that they were taken, not that antennas are deaf."""
SLOW = 0.01
"""Share of one slot in what is usual, once that is learned: half of it is of the last six minutes."""
FAST = 0.3
"""Likewise of reads, where they are more than usual."""
PATIENCE = 15.0
"""A tag that is heard in one slot of n is waited for n times as many slots as this, at least."""
LONGEST_WAIT_S = 7_200.0

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Antenna = tuple[str, int]
"""A reader's name and a port."""


@dataclass(frozen=True)
class PlaceRules:
    """When a tag is said to be somewhere, in dB and seconds."""

    margin_db: float = 3.0
    change_db: float = 3.0
    hold_s: float = 60.0
    gone_s: float = 600.0


class StockChange(NamedTuple):
    """A tag came to a place, moved there from another, or went (place None)."""

    time_s: float
    epc: str
    change: Literal["arrived", "moved", "departed"]
    place: str | None
    previous: str | None


class TagPlace(NamedTuple):
    """Where a tag is, since when (UTC seconds)."""

    epc: str
    place: str
    since_s: float


class TagPlaces:
    """Fed with what readers heard, slot by slot; `judge` says what changed.

    place_of: the place of each antenna that has one; several may share one. Antennas that are not in it keep
    a tag from being gone, and are no place. known: where tags were when this was last stopped.
    """

    def __init__(
        self, place_of: Mapping[Antenna, str], rules: PlaceRules | None = None, known: Iterable[TagPlace] = ()
    ) -> None:
        self.rules = rules or PlaceRules()
        self.refused = 0
        self._slots = max(4, math.ceil(self.rules.hold_s / PERIOD_S))
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._epcs: list[str] = []
        self._where: list[TagPlace | None] = []
        self._slot: int | None = None
        self.apply(place_of)
        for tag in known:
            if (row := self._row(tag.epc)) is not None:
                self._put(row, tag, restored=True)

    def apply(self, place_of: Mapping[Antenna, str]) -> None:
        """Go on with other antennas: tags stay where they are, what was heard is learned anew. Tags at a
        place that is no more move to where they are heard."""
        self._place_of = dict(place_of)
        self._places = sorted(set(place_of.values()))
        self._columns = {place: column for column, place in enumerate(self._places)}
        self._slot = None
        kept = [where for where in self._where if where is not None]
        self._rows, self._free, self._epcs, self._where = {}, [], [], []
        self._levels: Floats = np.full((0, len(self._places), self._slots), np.nan, np.float32)
        self._heard: NDArray[np.bool_] = np.zeros((0, self._slots), np.bool_)
        self._listened = np.zeros((len(self._places), self._slots), np.bool_)
        self._own: Rows = np.zeros(0, np.int64)
        self._usual: Floats = np.zeros((0, len(self._places)), np.float32)
        self._learned: Floats = np.zeros(0, np.float32)
        self._silent_s: Floats = np.zeros(0, np.float32)
        self._often: Floats = np.zeros(0, np.float32)
        self._most: Floats = np.zeros(0, np.float32)
        self._restored: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._now: dict[str, dict[str, Levels]] = {}
        for tag in kept:
            if (row := self._row(tag.epc)) is not None:
                self._put(row, tag, restored=True)

    def __len__(self) -> int:
        return sum(where is not None for where in self._where)

    def whereabouts(self) -> list[TagPlace]:
        """Every tag that is somewhere."""
        return sorted(where for where in self._where if where is not None)

    def level_dbm(self, epc: str) -> float | None:
        """Its median level over the last slots at its own place."""
        row = self._rows.get(epc)
        if row is None or self._own[row] < 0 or not self._heard[row].any():
            return None
        return float(np.nanmedian(self._levels[row, self._own[row], self._heard[row]]))

    def hear(self, reader: str, levels: Iterable[tuple[str, Levels]], time_s: float) -> list[StockChange]:
        """What a reader that was reading has heard in a slot's time until `time_s` (UTC seconds); nothing at
        all where it heard nothing. A reader that speaks again ends the slot for all."""
        changes = self.judge(time_s) if reader in self._now else []
        self._now[reader] = dict(levels)
        return changes

    def judge(self, time_s: float) -> list[StockChange]:
        """The slot is over: take in what was heard in it."""
        heard, self._now = self._now, {}
        if not heard:
            return []
        self._slot = ((self._slot if self._slot is not None else -1) + 1) % self._slots
        self._enter(heard)
        used = np.array([row for row, epc in enumerate(self._epcs) if epc], np.int64)
        changes = [*self._moved(used, time_s), *self._gone(used, time_s)]
        self._learn(used)
        self._forget(used)
        return changes

    def _row(self, epc: str) -> int | None:
        row = self._rows.get(epc)
        if row is not None:
            return row
        if self._free:
            row = self._free.pop()
        elif len(self._epcs) < MAX_TAGS:
            row = len(self._epcs)
            self._epcs.append("")
            self._where.append(None)
            if row >= len(self._own):
                self._grow(max(64, 2 * row))
        else:
            self.refused += 1
            return None
        self._rows[epc] = row
        self._epcs[row] = epc
        self._where[row] = None
        self._clear(row)
        self._silent_s[row], self._often[row], self._most[row] = 0.0, 1.0, 0.0
        return row

    def _grow(self, rows: int) -> None:
        def grown(old: NDArray, fill: float) -> NDArray:  # type: ignore[type-arg]
            new = np.full((rows, *old.shape[1:]), fill, old.dtype)
            new[: len(old)] = old
            return new

        self._levels, self._heard = grown(self._levels, np.nan), grown(self._heard, False)
        self._own, self._usual = grown(self._own, -1), grown(self._usual, 0.0)
        self._learned, self._silent_s = grown(self._learned, 0.0), grown(self._silent_s, 0.0)
        self._often, self._restored = grown(self._often, 1.0), grown(self._restored, False)
        self._most = grown(self._most, 0.0)

    def _clear(self, row: int) -> None:
        """Forget what was heard of a tag, and what is usual."""
        self._levels[row], self._heard[row] = np.nan, False
        self._own[row], self._usual[row], self._learned[row] = -1, 0.0, 0.0

    def _put(self, row: int, tag: TagPlace, restored: bool = False) -> None:
        self._clear(row)
        self._where[row] = tag
        self._own[row] = self._columns.get(tag.place, -1)
        self._restored[row] = restored

    def _enter(self, heard: Mapping[str, Mapping[str, Levels]]) -> None:
        """Fill the newest slot with each place's level of each tag."""
        slot = self._slot
        self._levels[:, :, slot], self._heard[:, slot] = np.nan, False
        self._listened[:, slot] = False
        tags: dict[str, list[tuple[str | None, int, float]]] = {}
        awake: set[Antenna] = set()
        for reader, levels in heard.items():
            for epc, found in levels.items():
                for port, reads, rssi_dbm in found:
                    awake.add((reader, port))
                    place = self._place_of.get((reader, port))
                    tags.setdefault(epc, []).append((place, reads, rssi_dbm))
        counts = np.bincount(self._own[self._own >= 0], minlength=len(self._places))
        for antenna, place in self._place_of.items():
            column = self._columns[place]
            deaf = antenna not in awake and (counts[column] > FEW_TAGS or antenna[0] not in heard)
            self._listened[column, slot] |= not deaf
        listened = self._listened[:, slot]
        for epc, entries in tags.items():
            row = self._row(epc)
            if row is None:
                continue
            self._heard[row, slot] = True
            most = max(reads for _, reads, _ in entries)
            usual = self._most[row]
            self._most[row] += (FAST if most > usual else SLOW) * (most - usual) if usual else most
            level = np.where(listened, FLOOR_DBM, np.nan).astype(np.float32)
            for place, reads, rssi_dbm in entries:
                if place is not None:
                    share = min(reads / self._most[row], 1.0)
                    column = self._columns[place]
                    level[column] = max(level[column], share * rssi_dbm + (1 - share) * FLOOR_DBM)
            self._levels[row, :, slot] = level

    def _steady(self, used: Rows, best: Rows) -> Floats:
        """The share of the last slots in which a tag was read, and loudest at the place that is its best."""
        levels = np.where(np.isfinite(self._levels[used]), self._levels[used], -np.inf)
        loudest = levels.argmax(axis=1) == best[:, None]
        return np.asarray((loudest & self._heard[used]).mean(axis=1), np.float32)

    def _medians(self, used: Rows) -> Floats:
        """Median levels in dBm (used, places) over the slots in which the tag was read, NaN for a place that
        did not listen in most of them."""
        heard = self._heard[used]
        levels = np.sort(np.where(heard[:, None], self._levels[used], np.nan), axis=2)
        known = np.isfinite(levels).sum(axis=2)
        middle = np.take_along_axis(levels, np.maximum(known - 1, 0)[..., None] // 2, axis=2)[..., 0]
        count = heard.sum(axis=1)
        middle[2 * known <= count[:, None]] = np.nan
        return np.asarray(middle, np.float32)

    def _moved(self, used: Rows, now_s: float) -> list[StockChange]:
        """Tags that are somewhere else than they were."""
        if not len(self._places) or not len(used):
            return []
        medians = self._medians(used)
        score = np.where(np.isfinite(medians), medians, -np.inf)
        best, index = score.argmax(axis=1), np.arange(len(used))
        own, learned = self._own[used], self._learned[used]
        safe = np.maximum(own, 0)
        ready = self._heard[used, self._slot] & np.isfinite(score[index, best])
        ready &= self._steady(used, best) >= STEADY_SHARE
        lead = score[index, best] - medians[index, safe]
        rise = score[index, best] - self._usual[used, best]
        fall = self._usual[used, safe] - medians[index, safe]
        rules = self.rules
        unread = (medians[index, safe] <= FLOOR_DBM + UNREAD_DB) & (fall >= LOST_DB)
        changed = (rise >= rules.change_db) & (fall >= rules.change_db) | unread
        changed &= lead >= rules.margin_db
        elsewhere = changed & (learned >= self._slots / 2)
        elsewhere |= self._restored[used] & (learned == self._slots) & (lead >= RESTORED_DB)
        told = ready & ((own < 0) | ((best != own) & elsewhere))
        changes = []
        for at in np.flatnonzero(told).tolist():
            row, place = int(used[at]), self._places[int(best[at])]
            where, epc = self._where[row], self._epcs[row]
            if where is None:
                changes.append(StockChange(now_s, epc, "arrived", place, None))
            else:
                changes.append(StockChange(now_s, epc, "moved", place, where.place))
            self._put(row, TagPlace(epc, place, now_s))
            self._usual[row], self._learned[row] = medians[at], self._slots
        return changes

    def _learn(self, used: Rows) -> None:
        """What is usual at each place since the tag was put where it is."""
        rows = used[self._heard[used, self._slot] & (self._own[used] >= 0)]
        new = self._levels[rows, :, self._slot]
        known = np.isfinite(new)
        self._learned[rows] += 1
        step = np.maximum(1 / self._learned[rows], SLOW)[:, None]
        usual = self._usual[rows]
        self._usual[rows] = np.where(known, usual + step * (np.where(known, new, 0.0) - usual), usual)

    def _gone(self, used: Rows, now_s: float) -> list[StockChange]:
        changes = []
        rows = used[[self._where[row] is not None for row in used.tolist()]]
        heard, own = self._heard[rows, self._slot], self._own[rows]
        listens = self._listened[:, self._slot]
        listened = heard | (listens[own] & (own >= 0) if len(listens) else False)
        listened |= (own < 0) & listens.any()
        missed = self._silent_s[rows] / PERIOD_S
        self._often[rows] = np.where(
            heard, 1 - (1 - 0.98**missed * self._often[rows]) * 0.98, self._often[rows]
        )
        self._silent_s[rows] = np.where(heard, 0.0, self._silent_s[rows] + np.where(listened, PERIOD_S, 0.0))
        wait_s = np.minimum(PATIENCE * PERIOD_S / np.maximum(self._often[rows], 1e-3), LONGEST_WAIT_S)
        for row in rows[self._silent_s[rows] >= np.maximum(wait_s, self.rules.gone_s)].tolist():
            where = self._where[row]
            assert where is not None
            changes.append(StockChange(now_s, where.epc, "departed", None, where.place))
            self._where[row] = None
            self._clear(row)
        return changes

    def _forget(self, used: Rows) -> None:
        """Give up the rows of tags that are nowhere and were not heard lately."""
        for row in used[(self._own[used] < 0) & ~self._heard[used].any(axis=1)].tolist():
            if self._where[row] is not None:
                continue
            del self._rows[self._epcs[row]]
            self._epcs[row] = ""
            self._free.append(row)
