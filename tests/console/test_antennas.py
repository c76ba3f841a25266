"""Each antenna's state in words, and what the page shows of it."""

from __future__ import annotations

import time

from runtime.config.sections import Antenna
from runtime.console.radio.antennas import AntennaLine, AntennaReport
from runtime.messages import AntennaReads, ReaderReads
from tests.console.conftest import Shop

GOOD = (60, 30, 10, 0)


def told(*antennas: AntennaReads, times: int = 8, **more: object) -> AntennaReport:
    report = AntennaReport()
    for number in range(times):
        report.take(ReaderReads("ceiling", 1_000.0 + 5 * number, 5.0, antennas, **more))  # type: ignore[arg-type]
    return report


def lines(shop: Shop, report: AntennaReport) -> dict[str, AntennaLine]:
    (reader,) = report.lines(shop.pages.shown, {}, 1_040.0)
    return {antenna.name: antenna for antenna in reader.antennas}


def test_antennas_are_judged_by_what_they_read(shop: Shop) -> None:
    report = told(
        AntennaReads(1, 100, GOOD, 12, louder_elsewhere=8, elsewhere=2),
        AntennaReads(2, 100, (0, 10, 60, 30), 12),
        AntennaReads(3, 100, GOOD, 12, louder_elsewhere=11, elsewhere=1),
    )
    found = lines(shop, report)
    assert (found["over coats"].level, found["over coats"].words) == ("good", "reads its rack")
    assert found["over coats"].reads_per_s == 20.0 and found["over coats"].bands == (0.6, 0.3, 0.1, 0.0)
    assert "weakly" in found["over shirts"].words
    assert "over coats reads better" in found["over dresses"].words
    assert (found["over jackets"].level, found["over jackets"].words[:13]) == ("bad", "reads nothing")


def test_silence_of_the_reader_is_not_silence_of_its_antennas(shop: Shop) -> None:
    assert {one.level for one in lines(shop, AntennaReport()).values()} == {"unknown"}
    old = told(AntennaReads(1, 100, GOOD, 12), times=1)
    (reader,) = old.lines(shop.pages.shown, {}, 1_000.0 + 60.0)
    assert reader.tags is None and {one.level for one in reader.antennas} == {"unknown"}


def test_a_tag_is_shared_only_by_antennas_of_different_racks(shop: Shop) -> None:
    shared = (("e1", ((1, 30, -50.0), (2, 20, -52.0))), ("e2", ((1, 30, -50.0), (9, 20, -52.0))))
    report = told(AntennaReads(1, 100, GOOD, 12), shared=shared, stock=10, stock_read=7, tags=9)
    (reader,) = report.lines(shop.pages.shown, {}, 1_040.0)
    assert [tag.epc for tag in reader.shared] == ["e1"]
    assert reader.shared[0].where == (("coats", 30, -50.0), ("shirts", 20, -52.0))
    assert (reader.tags, reader.never_read) == (9, 3)
    same = Antenna(port=2, name="second", fixture="coats")
    first = shop.pages.shown.antennas["ceiling"][0]
    shop.pages.shown.antennas["ceiling"][:] = [first, same]
    (reader,) = report.lines(shop.pages.shown, {}, 1_040.0)
    assert reader.shared == ()


def test_the_page_shows_what_was_read(shop: Shop) -> None:
    viewer = shop.viewer()
    assert "Nothing has been told yet" in viewer.get("/rfid").text
    shop.pages.radio.take(
        ReaderReads("ceiling", time.time(), 5.0, (AntennaReads(1, 100, GOOD, 12),), 9, 10, 7)
    )
    page = viewer.get("/rfid").text
    assert 'data-value="rate">20.0<' in page and 'data-value="never">3<' in page
    assert "60 % strong, 30 % good, 10 % weak, 0 % faint" in page
