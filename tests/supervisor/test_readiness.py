"""Who is there and who is not."""

from __future__ import annotations

import pytest

from runtime.messages import Health
from runtime.supervisor.systemd.readiness import getting_ready, summary


def said(process: str, state: str) -> Health:
    return Health(process, state, 10.0, 10.0)


HEALTHS = {
    "store": said("store", "live"),
    "vision": said("vision", "waiting"),
    "camera:door": said("camera:door", "live"),
    "reader:rail": said("reader:rail", "reading"),
    "uplink": said("uplink", "ok"),
}


def test_all_is_well() -> None:
    assert getting_ready(HEALTHS) == []
    assert summary(HEALTHS) == "all processes run"


@pytest.mark.parametrize(
    ("process", "state"),
    [("camera:door", "connecting"), ("vision", "starting"), ("reader:rail", "configuring")],
)
def test_whether_a_thing_is_there_is_unknown_until_it_was_tried(process: str, state: str) -> None:
    healths = {**HEALTHS, process: said(process, state)}
    assert getting_ready(healths) == [process]
    assert summary(healths) == f"not there yet: {process}"


def test_who_has_said_nothing_is_unknown() -> None:
    assert getting_ready({**HEALTHS, "uplink": None}) == ["uplink"]


@pytest.mark.parametrize(
    ("process", "state"),
    [("camera:door", "no such file"), ("reader:rail", "waiting"), ("uplink", "disconnected")],
)
def test_an_absence_that_is_stated_is_known(process: str, state: str) -> None:
    healths = {**HEALTHS, process: said(process, state)}
    assert getting_ready(healths) == []
    assert summary(healths) == f"all processes run; absent: {process} ({state})"
