"""Whether a box is well, in one sentence and by the code that the command ends with."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.commands.health import healthcheck
from tests.neighbours.written import a_store, health, write


@pytest.mark.parametrize(
    ("age_s", "uplink", "code", "says"),
    [
        (5, "ok", 0, "Everything works."),
        (5, "connecting", 0, "It works, with remarks: the way to the cloud is connecting"),
        (5, "disconnected", 1, "Something is wrong: the way to the cloud is not connected"),
        (90, "ok", 1, "The daemon has said nothing for 9"),
        (900, "ok", 1, "The daemon has said nothing for 180 s or more"),
    ],
)
def test_one_sentence_says_whether_the_box_is_well(
    age_s: float, uplink: str, code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = a_store(tmp_path)
    config.outbox_path().parent.mkdir(exist_ok=True)
    at_s = time.time() - age_s
    well = [health("store", at_s), health("supervisor", at_s, restarts=0.0)]
    reader = health("reader:racks", at_s, "reading", reads_per_s=9.0, antenna_1_reads_per_s=5.0,
                    antenna_2_reads_per_s=4.0)  # fmt: skip
    write(config.outbox_path(), (*well, reader, health("uplink", at_s, uplink)), at_s)
    assert config.file is not None
    found, said = healthcheck(config.file, capsys)
    assert (found, said[: len(says)]) == (code, says)
    _, whole = healthcheck(config.file, capsys, "--json")
    assert json.loads(whole)["well"] is (code == 0)
