"""What antennas hear: by strength, by tag, and whose tags another antenna hears better."""

from __future__ import annotations

import numpy as np

from rfid_reader.reads import ReadTable
from rfid_reader.survey import KEEP_S, MAX_TAGS, TagSurvey


def reads(*rows: tuple[float, str, int, float]) -> ReadTable:
    """Rows of time, EPC, antenna and RSSI."""
    time_s, epc, antenna, rssi_dbm = zip(*rows, strict=True)
    zero = [0.0] * len(rows)
    return ReadTable.from_columns(time_s, epc, antenna, [1] * len(rows), rssi_dbm, zero)


def test_reads_fall_into_bands_and_counts_begin_anew() -> None:
    survey = TagSurvey(lambda _: False)
    survey.feed(reads(*((1.0, "e1", 1, rssi) for rssi in (-40, -45, -50, -60, -60, -70))))
    (antenna,) = survey.ask(2.0).antennas
    assert (antenna.port, antenna.reads, antenna.bands, antenna.tags) == (1, 6, (2, 1, 2, 1), 1)
    (antenna,) = survey.ask(3.0).antennas
    assert (antenna.reads, antenna.bands, antenna.tags) == (0, (0, 0, 0, 0), 1)


def test_a_tag_that_two_antennas_have_is_named_and_one_that_strays_is_not() -> None:
    survey = TagSurvey(lambda _: False)
    survey.feed(reads(*[(1.0, "both", 1, -50.0)] * 20, *[(1.0, "both", 2, -52.0)] * 12))
    survey.feed(reads(*[(1.0, "mine", 1, -50.0)] * 20, *[(1.0, "mine", 2, -65.0)] * 2))
    survey.feed(reads(*[(1.0, "near", 1, -40.0)] * 20, *[(1.0, "near", 2, -60.0)] * 20))
    survey.feed(reads((1.0, "few", 1, -50.0), (1.0, "few", 2, -50.0)))
    (shared,) = survey.ask(2.0).shared
    assert shared.epc == "both" and shared.heard == ((1, 20, -50.0), (2, 12, -52.0))


def test_an_antenna_that_hears_its_neighbours_tags_is_told_by_them() -> None:
    survey = TagSurvey(lambda epc: epc == "e0")
    for number in range(10):
        survey.feed(reads((1.0, f"e{number}", 1, -45.0), (1.0, f"e{number}", 2, -60.0)))
    found = survey.ask(2.0)
    one, two = found.antennas
    assert (one.louder_elsewhere, one.elsewhere) == (0, 0)
    assert (two.louder_elsewhere, two.elsewhere) == (10, 1)
    assert (found.tags, found.stock_heard) == (10, 1)


def test_what_was_not_read_for_long_is_gone_and_there_is_an_end_to_tags() -> None:
    survey = TagSurvey(lambda _: False)
    survey.feed(reads((0.0, "old", 1, -50.0)))
    survey.feed(reads(*((KEEP_S, f"{number}", 1, -50.0) for number in range(MAX_TAGS + 5))))
    assert survey.refused == 6
    assert survey.ask(KEEP_S + 1.0).tags == MAX_TAGS - 1
    survey.feed(ReadTable.empty())
    assert np.isfinite(survey.ask(3 * KEEP_S).tags)
