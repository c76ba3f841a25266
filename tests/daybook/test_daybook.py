"""Today's events, each in its highest revision, from an outbox that may be replaced and a day that ends."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from contract.envelope import Origin
from contract.facts import ProcessHealth, Visit
from runtime.daybook import daybook as module
from runtime.daybook.daybook import Daybook, local_day
from runtime.uplink.outbox.writer import Outbox

ZONE = ZoneInfo("Europe/Berlin")
NOON_S = datetime(2026, 11, 29, 12, tzinfo=ZONE).timestamp()


def visit(
    key: str, time_s: float = NOON_S, rev: int = 0, direction: str = "in", retracted: bool = False
) -> Visit:
    return Visit(
        key=key,
        time_s=time_s,
        rev=rev,
        retracted=retracted,
        visitor="2f1c8b7e9a04",
        direction=direction,  # type: ignore[arg-type]
        entrance="door",
    )


def health(time_s: float, state: str) -> ProcessHealth:
    return ProcessHealth(
        key=f"health:vision:{time_s}", time_s=time_s, process="vision", state=state, progress_s=time_s
    )


class Written:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.db"
        self.outbox = Outbox(self.path, Origin("shop", "box"))

    def write(self, *facts: object) -> None:
        self.outbox.append(facts)  # type: ignore[arg-type]
        assert self.outbox.flush(10.0)


@pytest.fixture
def written(tmp_path: Path):  # type: ignore[no-untyped-def]
    found = Written(tmp_path)
    yield found
    found.outbox.close(5.0)


def test_the_highest_revision_holds_and_what_is_withdrawn_does_not_count(written: Written) -> None:
    book = Daybook(written.path, ZONE)
    written.write(visit("a"), visit("b"), visit("c", direction="out"))
    assert len(book.catch_up(NOON_S + 60)) == 3
    assert book.gates() == {"door": (2, 1)}
    written.write(visit("b", rev=1, retracted=True), visit("a", rev=2, direction="out"), visit("a", rev=1))
    news = book.catch_up(NOON_S + 61)
    assert book.gates() == {"door": (0, 2)}
    assert [event.fact.rev for event in news] == [1, 2], "an older revision is no news"
    assert book.catch_up(NOON_S + 62) == []


def test_yesterday_does_not_count_and_the_day_ends_at_local_midnight(written: Written) -> None:
    book = Daybook(written.path, ZONE)
    midnight_s = datetime(2026, 11, 29, tzinfo=ZONE).timestamp()
    written.write(visit("before", midnight_s - 1), visit("after", midnight_s))
    book.catch_up(NOON_S)
    assert [one.key for one in book.of(Visit)] == ["after"]
    written.write(visit("next", midnight_s + 86_400))
    book.catch_up(midnight_s + 86_401)
    assert [one.key for one in book.of(Visit)] == ["next"]


def test_a_day_has_as_many_hours_as_the_clock_says() -> None:
    hours = [
        (end_s - begin_s) / 3600
        for begin_s, end_s in (
            local_day(datetime(2026, month, day, 12, tzinfo=ZONE).timestamp(), ZONE)
            for month, day in ((3, 29), (10, 25), (6, 1))
        )
    ]
    assert hours == [23, 25, 24]


def test_an_outbox_that_is_not_there_yet_or_is_replaced_is_said_and_survived(tmp_path: Path) -> None:
    book = Daybook(tmp_path / "outbox.db", ZONE)
    assert book.catch_up(NOON_S) == [] and "no outbox there" in book.fault
    first = Written(tmp_path)
    first.write(visit("a"))
    book.catch_up(NOON_S + 1)
    assert book.fault == "" and book.gates() == {"door": (1, 0)}
    first.outbox.close(5.0)
    for file in tmp_path.glob("outbox.db*"):
        file.unlink()
    second = Written(tmp_path)
    second.write(visit("b", direction="out"))
    book.catch_up(NOON_S + 2)
    assert book.gates() == {"door": (1, 1)}, "what was told before still holds"
    second.outbox.close(5.0)


def test_old_health_says_nothing_about_now(written: Written) -> None:
    book = Daybook(written.path, ZONE)
    written.write(health(NOON_S - 3_000, "live"))
    book.catch_up(NOON_S)
    assert book.health() == {}
    written.write(health(NOON_S - 5, "live"), health(NOON_S - 1, "stalled"))
    book.catch_up(NOON_S)
    assert book.health()["vision"].state == "stalled"


def test_a_day_of_too_many_events_is_cut_and_says_so(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FACTS", 10)
    book = Daybook(written.path, ZONE)
    written.write(*(visit(f"v{number}") for number in range(25)))
    book.catch_up(NOON_S)
    assert len(book.of(Visit)) == 10 and book.cut_short
    assert book.of(Visit)[-1].key == "v24"


def test_a_full_day_is_read_in_a_few_seconds(written: Written) -> None:
    written.write(*(visit(f"v{number}", NOON_S + number / 100) for number in range(20_000)))
    began_s = time.process_time()
    book = Daybook(written.path, ZONE)
    book.catch_up(NOON_S + 300)
    assert len(book.of(Visit)) == 20_000
    assert time.process_time() - began_s < 5.0


def test_the_day_so_far_is_told_while_more_of_it_is_read(written: Written) -> None:
    written.write(*(visit(f"v{number}", NOON_S + number / 100) for number in range(20_000)))
    book = Daybook(written.path, ZONE)
    reading = threading.Thread(target=book.catch_up, args=(NOON_S + 300,))
    reading.start()
    told = [0]
    while reading.is_alive():
        told.append(book.gates().get("door", (0, 0))[0])
    reading.join()
    assert told == sorted(told) and book.gates() == {"door": (20_000, 0)}
