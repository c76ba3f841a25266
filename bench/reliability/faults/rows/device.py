"""Rows about the box itself: its process, its power, its disk, its clock."""

from __future__ import annotations

import os
import random
import sqlite3
import time

import msgspec

from bench.reliability.faults.rig import Outcome, Rig, fresh_rig
from testing.delivery.device_process import STAGES, Command, Fuse
from testing.faults.torn_write import tear

BURST = 2_000
DRIP_PER_S = 1_500.0
FOREVER = 1_000_000


def device_killed(times: int) -> Outcome:
    """kill -9 of the device: at every stage boundary in turn, and every other time at any moment."""
    chance = random.Random(1)
    stages = list(STAGES.items())
    with fresh_rig() as rig:
        for number in range(times):
            if number % 2:
                rig.device.start()
                rig.device.say(FOREVER, DRIP_PER_S)
                time.sleep(chance.uniform(0.0, 0.4))
                rig.device.kill()
            else:
                stage, boundary = stages[number // 2 % len(stages)]
                rig.device.start(fuse=Fuse(stage, chance.randint(1, boundary.most_calls)))
                rig.device.say(FOREVER, DRIP_PER_S)
                rig.device.reap()
        rig.device.start()
        rig.device.say(1)
        rig.device.wait_for_promise(rig.device.promised + 1)
        said = f"{len(stages)} stage boundaries, and any moment"
        return rig.settle("device kill -9", times, said)


def power_cut(times: int) -> Outcome:
    """kill -9, and then everything that was not synced is torn, as a power cut may."""
    chance = random.Random(2)
    torn = 0
    with fresh_rig() as rig:
        for _ in range(times):
            rig.device.start()
            goal = rig.device.promised + BURST // 4
            rig.device.say(FOREVER, 4 * DRIP_PER_S)
            rig.device.wait_for_promise(goal)
            time.sleep(chance.uniform(0.0, 0.2))
            rig.device.kill()
            torn += tear(rig.device.outbox, chance)
            _check(rig)
        rig.device.start()
        rig.device.say(1)
        rig.device.wait_for_promise(rig.device.promised + 1)
        assert not list(rig.folder.glob("*.damaged-*")), "a sound database was taken for a damaged one"
        return rig.settle("power cut, unsynced writes torn", times, f"{torn:,} bytes torn")


def _check(rig: Rig) -> None:
    db = sqlite3.connect(rig.device.outbox)
    (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
    (last_seq,) = db.execute("SELECT max(seq) FROM events").fetchone()
    db.close()
    assert verdict == "ok", f"the outbox is damaged: {verdict}"
    assert last_seq >= rig.device.promised, (
        f"{rig.device.promised} was promised, the outbox ends at {last_seq}"
    )


def disk_full(times: int) -> Outcome:
    """The disk takes nothing for a while (no file may grow)."""
    with fresh_rig() as rig:
        rig.device.start()
        for _ in range(times):
            goal = rig.device.promised + BURST
            rig.device.say(BURST // 2)
            rig.device.wait_for_promise(goal - BURST // 2)
            rig.device.tell(Command("disk", rig.device.outbox.stat().st_size))
            rig.device.say(BURST // 2)
            said = rig.device.wait_for_log("they wait in memory")
            time.sleep(1.0)
            rig.device.tell(Command("disk", 0))
            rig.device.wait_for_promise(goal)
        return rig.settle("disk full, then freed", times, said.rpartition("outbox.db: ")[2])


def outbox_damaged(times: int) -> Outcome:
    """A quarter of the outbox's pages is overwritten: in turn while the device is down and while it runs."""
    with fresh_rig() as rig:
        for number in range(times):
            rig.device.start()
            goal = rig.device.promised + BURST
            rig.device.say(BURST)
            rig.device.wait_for_promise(goal)
            if number % 2 == 0:
                rig.device.kill()
                _scribble(rig)
            else:
                _scribble(rig)
                rig.device.say(BURST // 2)
                rig.device.wait_for_promise(goal + BURST // 2)
                rig.device.kill()
        rig.device.start()
        rig.device.say(1)
        rig.device.wait_for_promise(rig.device.promised + 1)
        aside = sum(not path.name.endswith(("-wal", "-shm")) for path in rig.folder.glob("*.damaged-*"))
        said = rig.device.wait_for_log("moved to")
        assert aside == times, f"{aside} outboxes were set aside, not {times}"
        outcome = rig.settle("outbox damaged", times, f"{aside} set aside; {said.rpartition('; ')[2]}")
        assert outcome.account.named_in_gaps > 0, "nothing was named in a gap"
        return outcome


def _scribble(rig: Rig) -> None:
    db = sqlite3.connect(rig.device.outbox)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    size = rig.device.outbox.stat().st_size
    with rig.device.outbox.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))


def clock_steps(times: int) -> Outcome:
    """The wall clock jumps an hour ahead and an hour back."""
    with fresh_rig() as rig:
        rig.device.start()
        for _ in range(times):
            for step_s in (3600.0, -7200.0, 3600.0):
                goal = rig.device.promised + BURST // 2
                rig.device.tell(Command("step", step_s))
                rig.device.say(BURST // 2)
                rig.device.wait_for_promise(goal)
        outcome = rig.settle("clock step +1 h and -1 h", times)
        return msgspec.structs.replace(outcome, times=2 * times)
