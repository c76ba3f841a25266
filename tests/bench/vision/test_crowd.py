"""A hundred people in a frame: the figures are printed, and the work does not explode."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from bench.vision.crowd import CrowdFigures, crowd, records, store_times_ms, tracker_times_ms
from runtime.store.people import id_switches
from runtime.store.people.matching import Matching


def test_the_bench_prints_its_report_as_json() -> None:
    done = CliRunner().invoke(crowd, ["--people", "20", "--seconds", "6", "--json"])
    assert done.exit_code == 0, done.output
    (report,) = msgspec.json.decode(done.output, type=list[CrowdFigures])
    assert report.people == 20 and 15 <= report.people_tracked <= 30
    assert report.tracker_ms > 0 and report.store_ms > 0 and report.carried_fps > 0


def test_a_hundred_people_are_followed() -> None:
    _, followed = tracker_times_ms(100, 6.0)
    assert 95 <= followed <= 115


def test_finding_out_who_is_who_after_an_outage_is_no_more_than_each_against_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred tracks are lost and a hundred begin: three times each against each, not a hundred times."""
    asked, odds = [0], Matching._odds

    def counted(matching: Matching, *arguments: object) -> float:
        asked[0] += 1
        return odds(matching, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Matching, "_odds", counted)
    store_times_ms(100, 8.0)
    frames = sum(1 for _ in records(100, 8.0))
    assert asked[0] <= 4 * 100 * 130 + frames * 300


def test_who_meets_whom_is_asked_of_neighbours_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, begin = [0], id_switches.IdSwitches._begin

    def counted(watched: id_switches.IdSwitches, *arguments: object) -> None:
        asked[0] += 1
        begin(watched, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(id_switches.IdSwitches, "_begin", counted)
    times_ms, _, _ = store_times_ms(100, 6.0)
    assert asked[0] / len(times_ms) < 200, "of 4,950 pairs"
