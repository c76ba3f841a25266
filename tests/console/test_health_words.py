"""How the box is, in words; unknown is not well."""

from __future__ import annotations

import pytest

from contract.facts import ProcessHealth
from runtime.config import StoreConfig
from runtime.console.health_words import devices, lines, verdict
from runtime.console.shown import ShownStore

NOW_S = 1_000_000.0


def health(
    process: str, state: str = "live", detail: str = "", ago_s: float = 1.0, **values: float
) -> ProcessHealth:
    return ProcessHealth(
        key=process,
        time_s=NOW_S - ago_s,
        process=process,
        state=state,
        progress_s=NOW_S,
        detail=detail,
        values=values,
    )


def all_well() -> dict[str, ProcessHealth]:
    antennas = {f"antenna_{port}_reads_per_s": 40.0 for port in (1, 2, 3, 4)}
    found = [
        health("camera:square", fps=10.0),
        health("vision", fps=10.0, load=0.4, square_fps=10.0, square_delivered_fps=10.0),
        health("reader:ceiling", "reading", reads_per_s=160.0, **antennas),
        health("store", committed_seq=12.0),
        health("uplink", "ok", backlog=0.0),
        health("supervisor", restarts=0.0),
    ]
    return {one.process: one for one in found}


@pytest.fixture
def shown(config: StoreConfig) -> ShownStore:
    return ShownStore.of(config)


def test_a_box_that_works_is_said_to_work(shown: ShownStore) -> None:
    found = lines(shown, all_well(), NOW_S, 0.3)
    assert {line.level for line in found} == {"good"}
    assert verdict(found) == ("good", "Everything works.")


@pytest.mark.parametrize(
    ("changed", "name", "level", "words"),
    [
        (health("camera:square", "wrong password"), "camera square", "bad", "refuses the password"),
        (health("camera:square", "black"), "camera square", "bad", "is it covered"),
        (health("camera:square", ago_s=300.0), "camera square", "unknown", "said nothing for 5 min"),
        (
            health("vision", load=1.0, fps=1.0, square_fps=1.0, square_delivered_fps=10.0),
            "camera square",
            "fair",
            "1.0 of 10 pictures a second looked at: this box is full",
        ),
        (
            health("vision", load=0.1, fps=4.0, square_fps=4.0, square_delivered_fps=4.0),
            "camera square",
            "fair",
            "the camera sends only 4.0",
        ),
        (health("vision", "no engine", "x.onnx is missing"), "finding people", "bad", "x.onnx is missing"),
        (health("reader:ceiling", "connecting"), "reader ceiling", "fair", "is connecting"),
        (health("store", "disk", "disk full"), "counting", "bad", "wait in memory"),
        (
            health("uplink", "disconnected", "no route", backlog=50.0, oldest_waiting_s=600.0),
            "the way to the cloud",
            "bad",
            "50 events wait, the oldest for 10 min: none is lost",
        ),
        (health("uplink", "ok", certificate_days=3.0), "the way to the cloud", "fair", "3 more days"),
        (health("supervisor", restarts=4.0), "processes", "fair", "4 restarts"),
    ],
)
def test_what_is_wrong_is_said_at_its_place_and_comes_first(
    shown: ShownStore, changed: ProcessHealth, name: str, level: str, words: str
) -> None:
    found = lines(shown, {**all_well(), changed.process: changed}, NOW_S, 0.3)
    line = next(one for one in found if one.name == name)
    assert line.level == level and words in line.words, line
    assert found[0].level != "good"
    assert name in verdict(found)[1]


def test_an_antenna_that_hears_nothing_is_named(shown: ShownStore) -> None:
    reader = health(
        "reader:ceiling", "reading", reads_per_s=9.0, antenna_1_reads_per_s=9.0, antenna_2_lost=1.0
    )
    (device,) = [one for one in devices(shown, {"reader:ceiling": reader}, NOW_S) if one.kind == "reader"]
    assert [part.words for part in device.parts] == ["9/s", "not connected", "reads nothing", "reads nothing"]
    assert device.level == "fair"


def test_a_process_that_was_never_heard_of_is_not_well(shown: ShownStore) -> None:
    assert {one.level for one in devices(shown, {}, NOW_S)} == {"unknown"}


def test_a_full_disk_is_said(shown: ShownStore) -> None:
    for used, level in ((0.5, "good"), (0.9, "fair"), (0.99, "bad"), (None, "unknown")):
        assert lines(shown, all_well(), NOW_S, used)[0].level == level
