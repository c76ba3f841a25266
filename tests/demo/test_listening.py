"""A demo's subscriber is there before its store is opened."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from broker.mosquitto import find_mosquitto
from contract import wire
from contract.envelope import Origin, encode_event
from runtime.config import load
from runtime.demo import show
from runtime.demo.boutique import show as boutique
from runtime.demo.plaza import Prepared, find_clip
from tagsight.errors import TagsightError
from testing.delivery.device import visit
from testing.delivery.wire_level import client

WITHIN_S = 10.0


@pytest.mark.parametrize(("demo", "run"), [(show, show.run_demo), (boutique, boutique.run_boutique)])
def test_what_a_store_says_first_is_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: Any, run: Callable[..., Any]
) -> None:
    try:
        find_mosquitto()
        if demo is show:
            find_clip()
    except TagsightError as error:
        pytest.skip(str(error))

    @contextmanager
    def speaks_at_once(store: Prepared) -> Iterator[None]:
        config = load(store.config)
        assert config.uplink is not None
        origin = Origin(config.site.name, config.site.device)
        speaker = client(config.uplink.port)
        said = speaker.publish(wire.topic(origin, "visit"), encode_event(visit("a", 1), origin, 1, 1.0), 1)
        said.wait_for_publish(WITHIN_S)
        speaker.disconnect()
        speaker.loop_stop()
        time.sleep(0.2)
        raise TagsightError("that was all")
        yield

    monkeypatch.setattr(demo, "run_store", speaks_at_once)
    with pytest.raises(TagsightError, match="that was all"):
        run(1.0, tmp_path, Console(file=io.StringIO()))
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["key"] == "visit/a/1"
