"""What a changed key means for the processes that run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.config import StoreConfig, parse
from runtime.supervisor.configuration.changes import Change, changes

STORE = """
site: {name: test, device: box}
floor: {extent_m: [0, 0, 10, 10]}
cameras:
  - {name: front, uri: "rtsp://10.0.0.7/a", homography: [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]]}
  - {name: back, uri: "rtsp://10.0.0.8/a"}
entrances:
  - {name: door, line: [[1, 1], [3, 1]], inside: [2, 4]}
zones:
  - {name: coats, polygon: [[1, 2], [4, 2], [4, 5], [1, 5]]}
fixtures:
  - {name: rail, at: [2, 3], skus: [{sku: coat, epcs: ["e2801160*"]}]}
readers:
  - {name: ceiling, host: 10.0.0.9, antennas: [{port: 1, name: over rail, fixture: rail}]}
uplink: {host: 127.0.0.1}
"""


def store(**edits: Any) -> StoreConfig:
    """The store with some keys different, "a/0/b": value."""
    tree = yaml.safe_load(STORE)
    for path, value in edits.items():
        *above, last = (int(word) if word.isdigit() else word for word in path.split("__"))
        place = tree
        for word in above:
            place = place[word] if isinstance(word, int) else place.setdefault(word, {})
        place[last] = value
    return parse(yaml.safe_dump(tree), Path("/etc/tagsight/store.yaml"))


AT_ONCE = ()
ROWS = [
    ({"zones__0__polygon": [[1, 2], [5, 2], [5, 5], [1, 5]]}, "zones[coats].polygon", AT_ONCE),
    ({"entrances__0__line": [[1, 2], [3, 2]]}, "entrances[door].line", AT_ONCE),
    ({"fixtures__0__at": [2, 4]}, "fixtures[rail].at", AT_ONCE),
    ({"intervals__footfall_s": 20}, "intervals.footfall_s", AT_ONCE),
    ({"retention__visitor_hours": 3}, "retention.visitor_hours", AT_ONCE),
    ({"engines__score": 0.4}, "engines.score", AT_ONCE),
    ({"log__level": "debug"}, "log.level", AT_ONCE),
    ({"cameras__0__analysis_fps": 5}, "cameras[front].analysis_fps", AT_ONCE),
    ({"cameras__0__entrance": True}, "cameras[front].entrance", AT_ONCE),
    ({"cameras__0__homography": [[0.2, 0, 0], [0, 0.1, 0], [0, 0, 1]]}, "cameras[front].homography", AT_ONCE),
    ({"cameras__0__uri": "rtsp://10.0.0.7/b"}, "cameras[front].uri", ("camera:front",)),
    ({"cameras__1__max_size": [640, 480]}, "cameras[back].max_size", ("camera:back",)),
    ({"readers__0__host": "10.0.0.10"}, "readers[ceiling].host", ("reader:ceiling",)),
    ({"readers__0__mode": 2}, "readers[ceiling].mode", ("reader:ceiling",)),
    ({"engines__threads": 1}, "engines.threads", ("vision",)),
    ({"uplink__port": 1884}, "uplink.port", ("uplink",)),
    ({"uplink__max_mb": 100}, "uplink.max_mb", ("store",)),
    ({"retention__events_days": 3}, "retention.events_days", ("store",)),
    ({"floor__grid_m": 2.0}, "floor.grid_m", ("store",)),
    ({"site__timezone": "Asia/Shanghai"}, "site.timezone", ("store",)),
    ({"site__device": "box-2"}, "site.device", ("store", "uplink")),
]


@pytest.mark.parametrize(("edit", "key", "restarts"), ROWS, ids=[row[1] for row in ROWS])
def test_a_changed_key_restarts_only_whom_it_concerns(
    edit: dict[str, Any], key: str, restarts: tuple[str, ...]
) -> None:
    (change,) = changes(store(), store(**edit))
    assert change == Change(key, "changed", restarts)


def test_nothing_changed_is_nothing_to_say() -> None:
    assert changes(store(), store()) == []


def test_a_camera_that_is_added_starts_and_nobody_else_is_disturbed() -> None:
    tree = yaml.safe_load(STORE)
    cameras = [*tree["cameras"], {"name": "side", "uri": "rtsp://10.0.0.11/a"}]
    (change,) = changes(store(), store(cameras=cameras))
    assert change == Change("cameras[side]", "added", starts=("camera:side",))
    assert change.summary() == "cameras[side] added: camera:side starts"


def test_a_reader_that_is_removed_stops() -> None:
    (change,) = changes(store(), store(readers=[]))
    assert change.summary() == "readers[ceiling] removed: reader:ceiling stops"


def test_several_keys_are_told_one_by_one() -> None:
    edits = {"uplink__port": 1884, "engines__threads": 1, "zones__0__kind": "fitting_room"}
    found = [change.summary() for change in changes(store(), store(**edits))]
    assert found == [
        "zones[coats].kind changed: in force at once",
        "engines.threads changed: vision must be restarted for it",
        "uplink.port changed: uplink must be restarted for it",
    ]
