"""`tagsight rfid inventory`: what hangs where, of a recording and of a box's own state."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from rfid_reader.cli import rfid
from rfid_reader.errors import ReaderError
from rfid_reader.inventory.places import TagPlace
from rfid_reader.inventory.state import save_stock
from rfid_reader.reads import ReadTable, save_reads

GS1_EXAMPLE = "3074257bf7194e4000001a85"
"""The SGTIN-96 of GS1's Tag Data Standard: GTIN 80614141123458, serial 6789."""
TOO_DEEP = '{"x":' + "[" * 100_000


def recording(begin_s: float, seconds: float, antenna: int, epc: str, rate_hz: float = 2.0) -> ReadTable:
    time_s = begin_s + np.arange(0.0, seconds, 1 / rate_hz)
    ones = np.ones(len(time_s))
    return ReadTable.from_columns(time_s, [epc] * len(time_s), antenna * ones, ones, -50.0 * ones, ones)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(rfid, ["inventory", *map(str, arguments)], catch_exceptions=True)


def saved(path: Path, *parts: ReadTable) -> Path:
    save_reads(path, ReadTable.concatenate(list(parts)).in_time_order())
    return path


def test_a_recording_says_what_hangs_where_with_gtin_and_serial(tmp_path: Path) -> None:
    reads = saved(tmp_path / "r.csv", recording(1e9, 200, 1, GS1_EXAMPLE), recording(1e9, 200, 2, "e28011"))
    result = call(reads, "--place", "1=shirts")
    assert result.exit_code == 0
    assert "shirts: 1 tag\n" in result.output and "antenna 2: 1 tag\n" in result.output
    assert "GTIN 80614141123458, serial 6789" in result.output and "2 arrived, 0 moved" in result.output


def test_json_has_tags_and_what_changed_on_the_way(tmp_path: Path) -> None:
    reads = saved(
        tmp_path / "r.csv",
        *(recording(0.0, 600, 1, f"aa0{number}") for number in range(4)),
        *(recording(0.0, 600, 2, f"bb0{number}") for number in range(4)),
        recording(0.0, 300, 1, "cc"),
        recording(300.0, 300, 2, "cc"),
    )
    found = json.loads(call(reads, "--place", "1=shirts", "--place", "2=coats", "--json").output)
    own = [event for event in found["events"] if event["epc"] == "cc"]
    assert [(event["change"], event["previous"], event["place"]) for event in own] == [
        ("arrived", None, "shirts"),
        ("moved", "shirts", "coats"),
    ]
    (tag,) = [tag for tag in found["tags"] if tag["epc"] == "cc"]
    assert (tag["place"], tag["gtin"]) == ("coats", None) and 330.0 <= tag["since_s"] <= 370.0


@pytest.mark.parametrize("begin_s", [0.0, -1e10, 9e10])
def test_a_short_recording_at_any_time_places_its_tags(tmp_path: Path, begin_s: float) -> None:
    result = call(saved(tmp_path / "r.csv", recording(begin_s, 40, 1, "aa")))
    assert result.exit_code == 0 and "antenna 1: 1 tag\n" in result.output


def test_tags_of_which_nothing_can_be_said_are_counted(tmp_path: Path) -> None:
    reads = saved(tmp_path / "r.csv", recording(0.0, 200, 1, "aa"), recording(100.0, 10, 2, "bb"))
    assert "1 tags are read too seldom, or at no place for long enough (first: bb)" in call(reads).output


def test_a_recording_with_a_leap_of_years_ends(tmp_path: Path) -> None:
    reads = saved(tmp_path / "r.csv", recording(0.0, 100, 1, "aa"), recording(1.7e9, 100, 1, "aa"))
    result = call(reads, "--json")
    assert [event["change"] for event in json.loads(result.output)["events"]] == ["arrived"]


def test_hours_in_which_the_reader_was_away_let_nothing_depart(tmp_path: Path) -> None:
    parts = [recording(1e9 + begin_s, 300, 1, epc) for begin_s in (0, 36_000) for epc in ("aa", "bb")]
    assert "2 arrived, 0 moved, 0 departed" in call(saved(tmp_path / "r.csv", *parts)).output


def test_of_no_reads_it_says_so(tmp_path: Path) -> None:
    save_reads(tmp_path / "r.csv", ReadTable.empty())
    assert call(tmp_path / "r.csv").output == "no tags\n"


def test_what_a_box_remembers_is_read(tmp_path: Path) -> None:
    save_stock(tmp_path / "stock.json", [TagPlace(GS1_EXAMPLE, "rack 1", 1.7e9)], 1.7e9)
    output = call(tmp_path / "stock.json").output
    assert output.startswith("rack 1: 1 tag\n") and "GTIN 80614141123458" in output


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"time_s": 1, "tags": [["aa", 3, 1]]}', "\x00\x01", TOO_DEEP],
    ids=["empty", "nothing in it", "a place that is a number", "bytes", "too deep"],
)
def test_a_state_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "stock.json").write_text(content)
    result = call(tmp_path / "stock.json")
    assert isinstance(result.exception, ReaderError) and "not a box's stock.json" in str(result.exception)


@pytest.mark.parametrize("given", ["shirts", "0=x", "1=", "x=shirts"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, given: str) -> None:
    result = call(saved(tmp_path / "r.csv", recording(0.0, 40, 1, "aa")), "--place", given)
    assert result.exit_code == 2 and "is not like 1=shirts" in result.output
