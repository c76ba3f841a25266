"""What paced runs of the daemon are judged by, without running one."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
import yaml

from bench.paced.notes import CameraWindow, notes_of
from bench.paced.parts import METHODS, PartMeter, resolved, rest_added, since
from bench.paced.rule import broken_counts, broken_rules
from bench.paced.store import describe, name_of, plan_of
from bench.paced.visits import VisitTold, counts, delays_s
from runtime.config import load_at_work
from runtime.messages import Person, PersonsSeen

PLAN = (0.0, 0.0, 10.0, 10.0)
WINDOW = CameraWindow(begin_s=100.05, end_s=101.05, camera_start_s=98.0, fps=10.0, plan_m=PLAN)


@pytest.mark.parametrize(
    ("figures", "broken"),
    [
        ((1.0, 200.0, 0.0, 0.85, 0.85), []),
        ((0.99, 500.0, 0.03, 0.84, 0.85), []),
        ((1.0, 200.0, -0.2, None, None), []),
        ((0.989, 200.0, 0.0, 0.85, 0.85), ["98.9% of its pictures"]),
        ((1.0, 501.0, 0.0, 0.85, 0.85), ["over 501 ms"]),
        ((1.0, 200.0, 0.031, 0.85, 0.85), ["memory grew by 3.1%"]),
        ((1.0, 200.0, 0.0, 0.83, 0.85), ["MOTA is 0.830 and 0.850"]),
        ((0.5, 900.0, 0.5, 0.1, 0.85), ["pictures", "ms", "memory", "MOTA"]),
    ],
)
def test_a_number_of_cameras_is_carried_where_every_rule_holds(
    figures: tuple[float, float, float, float | None, float | None], broken: list[str]
) -> None:
    said = broken_rules(*figures)
    assert len(said) == len(broken)
    assert all(part in sentence for part, sentence in zip(broken, said, strict=True))


def noted(path: Path, *lines: tuple[float, PersonsSeen]) -> Path:
    path.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n")
    return path


def seen(sequence: int, time_s: float, *places_m: tuple[float, float]) -> PersonsSeen:
    persons = tuple(Person(7, (1.0, 2.0, 3.0, 4.0), 0.9, place) for place in places_m)
    return PersonsSeen("one", sequence, time_s, persons)


def test_delays_are_from_the_cameras_sending_and_frames_that_miss_are_missed(tmp_path: Path) -> None:
    path = noted(
        tmp_path / "records.jsonl",
        (100.4, seen(1, 100.09, (5.0, 5.0))),
        (100.5, PersonsSeen("another", 4, 100.3, ())),
        (100.7, seen(2, 100.31)),
        (103.0, seen(3, 101.4)),
    )
    notes = notes_of(path, {"one": WINDOW})["one"]
    assert list(notes.frames) == list(range(21, 31))
    assert notes.delays_s == pytest.approx({21: 0.3, 23: 0.4})
    assert notes.share == pytest.approx(0.2)
    assert [(row.frame, row.track) for row in notes.rows] == [(21, 7)]


def test_who_was_seen_before_they_were_known_delays_nothing(tmp_path: Path) -> None:
    path = noted(
        tmp_path / "records.jsonl",
        (100.6, seen(5, 100.2, (5.0, 5.0))),
        (100.6, seen(5, 100.5, (5.0, 5.0), (50.0, 5.0))),
    )
    notes = notes_of(path, {"one": WINDOW})["one"]
    assert notes.delays_s == pytest.approx({25: 0.1})
    assert [row.frame for row in notes.rows] == [22, 25], "off the plan is left out"


def test_every_camera_has_a_floor_and_entrances_of_its_own(tmp_path: Path) -> None:
    uris = [f"rtsp://127.0.0.1:{port}/live" for port in (5001, 5002, 5003)]
    config = tmp_path / "store.yaml"
    config.write_text(
        yaml.safe_dump(describe(uris, (768, 576), 10.0, "person-detector-lite", 1883, tmp_path))
    )
    store = load_at_work(config, clips_needed=False)
    assert [camera.name for camera in store.cameras] == [name_of(place) for place in range(3)]
    assert len(store.entrances) == 9
    assert plan_of(1)[0] > plan_of(0)[2], "the plazas do not overlap"


@pytest.mark.parametrize(
    ("cameras", "visits", "alone", "held"),
    [
        (4, 100, 100.0, True),
        (4, 104, 100.0, True),
        (4, 105, 100.0, False),
        (4, 95, 100.0, False),
        (12, 2020, 2000.0, True),
        (12, 2021, 2000.0, False),
        (12, 1979, 2000.0, False),
    ],
)
def test_counts_are_those_of_one_camera_alone_within_a_hundredth(
    cameras: int, visits: int, alone: float, held: bool
) -> None:
    assert (broken_counts(cameras, visits, alone) == []) is held


def window(begin_s: float, end_s: float, start_s: float = 0.0) -> CameraWindow:
    return CameraWindow(begin_s, end_s, start_s, 10.0, PLAN)


def visit(time_s: float, key: str, entrance: str, rev: int = 0, retracted: bool = False) -> VisitTold:
    return VisitTold(time_s + 0.5, time_s, key, rev, retracted, entrance)


def test_visits_are_compared_picture_by_picture_of_the_film() -> None:
    # The film has 100 pictures (10 s): one camera saw all of them twice, the two others what differs.
    alone = [visit(3.0, "a", "gate 1"), visit(13.0, "b", "gate 1"), visit(17.0, "c", "gate 1")]
    seen = [visit(23.0, "d", "gate 1"), visit(27.0, "e", "gate 1"), visit(28.0, "f", "gate 2")]
    windows = {"camera 1": window(19.95, 29.95), "camera 2": window(25.0, 29.0)}
    counted, expected = counts(seen, windows, alone, {"camera 1": window(-0.05, 19.95)}, 100)
    assert counted == 3
    assert expected == pytest.approx((1.0 + 0.5) + 0.5)


def test_a_visit_that_was_taken_back_is_none() -> None:
    seen = [
        visit(3.0, "a", "gate 1"),
        visit(3.0, "a", "gate 1", 1, retracted=True),
        visit(4.0, "b", "gate 1"),
    ]
    windows = {"camera 1": window(0.0, 9.9)}
    assert counts(seen, windows, seen, windows, 100) == (1, pytest.approx(1.0))
    assert delays_s(seen, 4.0, 5.0) == pytest.approx([0.5])


def test_every_part_of_a_frames_way_is_where_it_is_said_to_be() -> None:
    for methods in METHODS.values():
        for place in methods:
            owner, name = resolved(place)
            assert callable(getattr(owner, name)), place


def test_what_an_inner_part_takes_is_not_the_outers() -> None:
    meter = PartMeter()

    def burn(seconds: float) -> None:
        until_s = time.thread_time() + seconds
        while time.thread_time() < until_s:
            pass

    inner = meter.wrapped("inner", lambda: burn(0.02))

    def both() -> None:
        burn(0.01)
        inner()
        inner()

    meter.wrapped("outer", both)()
    taken_s = meter.taken_s()
    assert taken_s["inner"] == pytest.approx(0.04, abs=0.004)
    assert taken_s["outer"] == pytest.approx(0.01, abs=0.004)
    later = since({"inner": 0.03}, taken_s)
    assert later["inner"] == pytest.approx(0.01, abs=0.004)
    assert rest_added({"vision": 1.0}, {"vision": {"inner": 0.25}}) == {
        "vision": {"rest": 0.75, "inner": 0.25}
    }
