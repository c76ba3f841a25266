"""Events in spellings that our JSON reader refuses: each is put aside by itself, and its batch is kept."""

from __future__ import annotations

import json
import time
import zlib
from pathlib import Path

import pytest

from contract import wire
from contract.envelope import StreamId, split_array
from contract.errors import PayloadError
from fleet.ingest.consumer.store import CloudStore
from tests.uplink.facts import ORIGIN

STREAM = StreamId(*ORIGIN, "theirs")


def event(seq: int, **other: object) -> bytes:
    """An event as a device of another make would write it."""
    names = {"id": f"id-{seq}", "site": ORIGIN.site, "device": ORIGIN.device, "stream": STREAM.stream}
    fact = {"kind": "visit", "key": f"visit/{seq}", "time": "2026-01-01T00:00:00Z", "rev": 0}
    return json.dumps(names | {"seq": seq, "retracted": False} | fact | other).encode()


SPELLINGS = {
    "half a character": event(2, id="\ud800"),
    "half a character in a field that nobody reads": event(2, mood="\udfff"),
    "not a number": event(2, mood=float("nan")),
    "not UTF-8": event(2, mood="X").replace(b"X", b"\xff"),
    "brackets in a text": event(2, key='}]"{[', mood=float("inf")),
    "objects within": event(2, mood=[{"a": [{}]}, float("nan")]),
}


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_event_that_cannot_be_read_does_not_spoil_its_batch(
    tmp_path: Path, spelling: str, is_packed: bool
) -> None:
    batch = b"[" + b" ,\n".join([event(1), SPELLINGS[spelling], event(3)]) + b"]"
    store = CloudStore(tmp_path / "cloud.db")
    fresh = store.take(ORIGIN, wire.unpack(zlib.compress(batch) if is_packed else batch))
    store.commit()
    (audit,) = store.audit()
    prefix = store.prefix(STREAM)
    store.close()
    assert fresh == [event(1), event(3)]
    assert (prefix, audit.events, audit.put_aside) == (3, 2, 1)


def test_a_stream_that_is_no_text_settles_nothing(tmp_path: Path) -> None:
    store = CloudStore(tmp_path / "cloud.db")
    assert store.take(ORIGIN, [event(2, stream="\ud800")]) == []
    store.commit()
    assert store.streams() == []
    store.close()


@pytest.mark.parametrize(
    "data",
    [b"[", b"[NaN", b'[{"a": NaN}', b"[[[]]", b'["' + b'\\"' * 500_000, b"[{" * 500_000, b"[{}," * 500_000],
    ids=["open", "a number", "an object", "too few", "an endless text", "too deep", "too many"],
)
def test_what_is_no_array_is_refused_as_a_whole_and_soon(data: bytes) -> None:
    began_s = time.process_time()
    with pytest.raises(PayloadError, match="not an array of events"):
        split_array(data)
    assert time.process_time() - began_s < 5.0
