"""Fixtures every room uses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from broker.errors import BrokerError
from broker.mosquitto import LocalBroker, find_mosquitto

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

REPO = Path(__file__).resolve().parent.parent
LONG = REPO / "tests" / "long_tests.txt"
"""Tests that took long when last timed (`./scripts/test --durations=0`), as FILE::NAME, one a line.

A NAME that is a fixture's stands for all tests below that file's folder that use it: the first of them has to
wait for it, whichever it is.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """For who is in a hurry."""
    parser.addoption("--quick", action="store_true", help="leave out what takes long (tests/long_tests.txt)")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are no name of a test: what a library makes of the same input may differ from second to second,
    and the workers of pytest-xdist must collect the same names."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --quick, leave out the long tests and those that are marked slow."""
    if not config.getoption("--quick"):
        return
    long = set(LONG.read_text().split())
    left_out = [
        item
        for item in items
        if item.get_closest_marker("slow") or takes_long(item.nodeid, getattr(item, "fixturenames", ()), long)
    ]
    config.hook.pytest_deselected(items=left_out)
    kept = set(items) - set(left_out)
    items[:] = [item for item in items if item in kept]


def takes_long(nodeid: str, fixtures: Collection[str], long: Collection[str]) -> bool:
    """Whether a test is among the long ones, or uses a fixture that is."""
    test = nodeid.partition("[")[0]
    if test in long:
        return True
    if not fixtures:
        return False
    for entry in long:
        if "::test_" not in entry:
            place, _, name = entry.partition("::")
            if name in fixtures and test.partition("::")[0].startswith(place.removesuffix("conftest.py")):
                return True
    return False


@pytest.fixture(scope="session", autouse=True)
def store_of_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Verdicts on files and added engines are kept there, and not in the home of who runs the tests."""
    folder = tmp_path_factory.mktemp("engines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAGSIGHT_ENGINES", str(folder))
        yield folder


@pytest.fixture(scope="session")
def mosquitto() -> None:
    """Skips where there is no Mosquitto."""
    try:
        find_mosquitto()
    except BrokerError as error:
        pytest.skip(str(error))


@pytest.fixture
def broker(mosquitto: None) -> Iterator[LocalBroker]:
    """A broker of our own that anybody may use."""
    with LocalBroker() as local:
        yield local


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object], float], None]:
    """Waits for a condition, and fails where it does not come true in time."""

    def wait(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, "waited in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data (weights of others, clips, tag reads); skips where it is absent."""
    folder = Path(os.environ.get("TAGSIGHT_SHARED", REPO.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder} (set TAGSIGHT_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def no_test_takes_a_higher_priority() -> Iterator[None]:
    """An encoder that makes the process real-time would starve all tests that follow, and their programs."""
    yield
    changed = os.sched_getscheduler(0) != os.SCHED_OTHER
    if changed:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    assert not changed, "this test has made the process a real-time one (runtime/frames/video/priority.py)"
