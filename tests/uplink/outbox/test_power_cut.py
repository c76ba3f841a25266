"""kill -9 of the writing process at random moments: nothing promised is lost, no number is skipped."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from contract.envelope import Origin
from contract.facts import Visit
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox

WRITER = """
import sys
from pathlib import Path
from contract.facts import Visit
from contract.envelope import Origin
from runtime.uplink.outbox.writer import Outbox, OutboxLimits

def promise(seq):
    print(seq, flush=True)

limits = OutboxLimits(group_events=int(sys.argv[2]), group_delay_s=0.002)
outbox = Outbox(Path(sys.argv[1]), Origin("plaza", "box-1"), limits, on_commit=promise)
number = 0
while True:
    number += 1
    visit = Visit(key=f"visit/{number}", time_s=1.7e9, visitor="v", direction="in", entrance="door")
    outbox.append([visit] * (1 + number % 7))
"""


def visit(number: int) -> Visit:
    return Visit(key=f"visit/{number}", time_s=1.7e9, visitor="v", direction="in", entrance="door")


@pytest.mark.parametrize("group_events", [1, 64])
def test_kill_at_random_moments_loses_nothing_promised_and_skips_no_number(
    tmp_path: Path, group_events: int
) -> None:
    path = tmp_path / "outbox.db"
    chance = random.Random(7)
    promised = 0
    rounds_with_promises = 0
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(group_events)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))
        process.kill()
        said = [int(line) for line in (first + process.stdout.read()).split("\n")[:-1]]
        process.wait()
        rounds_with_promises += bool(said)
        promised = max([promised, *said])
        reader = OutboxReader(path)
        rows = reader.rows(1, limit=10**6, max_bytes=1 << 40)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert reader.last_seq() == len(rows) >= promised
        reader.close()
    assert rounds_with_promises == 10
    bodies = [msgspec.json.decode(row.body) for row in rows]
    assert [body["seq"] for body in bodies] == [row.seq for row in rows]
    assert len({body["id"] for body in bodies}) == len(bodies)


def test_a_journal_that_is_torn_anywhere_leaves_an_unbroken_run_of_events(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    limits = OutboxLimits(group_events=8, group_delay_s=0.001)
    with Outbox(path, Origin("plaza", "box-1"), limits) as outbox:
        for number in range(300):
            outbox.append([visit(number)])
        outbox.flush()
        database = path.read_bytes()
        journal = path.with_name("outbox.db-wal").read_bytes()
    assert len(journal) > 50_000
    chance = random.Random(3)
    lengths = []
    for cut_number in range(25):
        torn = tmp_path / str(cut_number) / "outbox.db"
        torn.parent.mkdir()
        torn.write_bytes(database)
        cut = chance.randrange(len(journal))
        torn.with_name("outbox.db-wal").write_bytes(journal[:cut] + b"\xa5" * chance.randrange(3_000))
        with Outbox(torn, Origin("plaza", "box-1")) as outbox:
            outbox.append([visit(0)])
            last_seq = outbox.flush()
        reader = OutboxReader(torn)
        assert [row.seq for row in reader.rows(1, limit=10**6)] == list(range(1, last_seq + 1))
        reader.close()
        lengths.append(last_seq)
    assert len(set(lengths)) > 10
