"""Levels of tags, gathered and told."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from rfid_reader.inventory import levels as tag_levels
from rfid_reader.inventory.levels import NO_RSSI_DBM, TAGS_A_RECORD, TagLevels, told
from rfid_reader.reads import ReadTable
from runtime.messages import MAX_RECORD_BYTES, TagsRead, encode


def reads_of(epcs: list[str], antennas: list[int], rssi_dbm: list[float]) -> ReadTable:
    ones = np.ones(len(epcs))
    return ReadTable.from_columns(ones, epcs, antennas, ones, rssi_dbm, ones)


def test_reads_and_mean_level_of_each_antenna_once() -> None:
    levels = TagLevels()
    levels.feed(reads_of(["aa", "aa", "bb"], [1, 1, 2], [-50.0, -60.0, -40.0]))
    levels.feed(reads_of(["aa", "bb"], [2, 2], [-70.0, np.nan]))
    assert dict(levels.take()) == {
        "aa": ((1, 2, -55.0), (2, 1, -70.0)),
        "bb": ((2, 2, (-40.0 + NO_RSSI_DBM) / 2),),
    }
    assert levels.take() == []


def test_reads_of_too_many_tags_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_levels, "MAX_TAGS", 2)
    levels = TagLevels()
    levels.feed(reads_of(["aa", "bb", "cc", "cc", "aa"], [1] * 5, [-50.0] * 5))
    assert [epc for epc, _ in levels.take()] == ["aa", "bb"] and levels.refused == 2


def test_what_is_told_fits_its_records_however_long_epcs_and_however_many_antennas() -> None:
    every = tuple((port, port, -50.123456789) for port in range(1, 33))
    tags = [(f"{number:0124x}", every) for number in range(300)]
    parts = list(told(tags))
    assert [len(part) for part, _ in parts] == [TAGS_A_RECORD, TAGS_A_RECORD, 44]
    assert [more for _, more in parts] == [True, True, False]
    assert all(len(encode(TagsRead("r" * 64, 1.0, part, more))) < MAX_RECORD_BYTES for part, more in parts)
    kept = parts[0][0][0][1]
    assert [port for port, _, _ in kept] == [32, 31, 30, 29, 28, 27, 26, 25], "those that read it most"


def test_a_reader_that_reads_nothing_says_so() -> None:
    assert list(told([])) == [((), False)]
    assert msgspec.msgpack.decode(encode(TagsRead("r", 1.0, ())))[0] == "TagsRead"
