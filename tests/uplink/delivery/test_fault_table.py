"""A short run of the fault table: nothing promised is lost, nothing kept twice, the order recoverable."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.reliability.faults.box import NoBox
from bench.reliability.faults.command import ROWS, faults
from bench.reliability.faults.mends import MENDS, places
from contract.envelope import Origin, encode_event
from contract.facts import Visit
from contract.gaps import gap_facts
from fleet.ingest.consumer.store import CloudStore
from testing.delivery.account import take_account
from testing.delivery.device_process import STAGES
from testing.faults.torn_write import tear

ORIGIN = Origin("plaza", "box-1")
SHORT = [
    "first-after-cut",
    "acl-refusal",
    "certificate-expired",
    "device-killed",
    "power-cut",
    "disk-full",
    "outbox-damaged",
    "clock-steps",
]
"""Brokers that are killed, absent or half open are in test_broker_faults."""
WHOLE = [
    "new-disk",
    "restored-image",
    "clones",
    "forged-ack",
    "replay-flood",
    "fork-fails",
    "outbox-unlinked",
    "consumer-older",
    "restored-cloud",
    "ack-before-commit",
    "two-daemons",
    "huge-message",
    "big-reload",
    "epc-flood",
    "state-read-only",
    "outbox-newer",
    "secret-in-uri",
    "clock-years-off",
]
"""These drive the daemon and the receiver as processes; each asserts more than the account."""


@pytest.mark.parametrize("fault", SHORT)
def test_after_the_fault_every_promised_event_is_accounted_for(mosquitto: None, fault: str) -> None:
    outcome = ROWS[fault].strike(ROWS[fault].quick)
    assert outcome.account.promised > (1 if fault == "first-after-cut" else 300)
    assert outcome.account.sound
    assert (outcome.account.named_in_gaps > 0) == (fault == "outbox-damaged")


@pytest.mark.slow
@pytest.mark.parametrize("fault", WHOLE)
def test_the_daemon_and_the_receiver_as_processes_lose_nothing(mosquitto: None, fault: str) -> None:
    try:
        outcome = ROWS[fault].strike(ROWS[fault].quick)
    except NoBox as error:
        pytest.skip(str(error))
    assert outcome.account.promised > 60
    assert outcome.account.sound, outcome


def test_the_quick_run_has_every_row() -> None:
    assert set(SHORT + WHOLE) <= set(ROWS)
    assert all(row.quick >= 1 for row in ROWS.values())


def test_every_row_about_processes_can_be_run_without_its_mend() -> None:
    assert {mend.row for mend in MENDS} >= set(WHOLE)
    for mend in MENDS:
        for old, new in mend.edits:
            assert len(places(old)) == 1, f"{mend.row}: this stands not once in the product: {old}"
            assert old != new


def test_a_row_that_does_not_exist_is_answered_by_those_that_do() -> None:
    result = CliRunner().invoke(faults, ["--rows", "flood"])
    assert result.exit_code == 2
    assert "no such row: flood; there are broker-killed" in result.output


def test_the_quick_run_reaches_every_stage_boundary_before_it_kills_at_random_moments() -> None:
    assert ROWS["device-killed"].quick >= len(STAGES)


class TestAccount:
    def visit(self, run: int, number: int, seq: int) -> bytes:
        fact = Visit(key=f"visit/{run}/{number}", time_s=1.7e9, visitor="v", direction="in", entrance="door")
        return encode_event(fact, ORIGIN, seq, 1.7e9)

    def cloud(self, folder: Path, *bodies: bytes) -> Path:
        store = CloudStore(folder / "cloud.db")
        store.take(ORIGIN, bodies)
        store.close()
        return folder / "cloud.db"

    def test_what_arrived_in_order_is_sound(self, tmp_path: Path) -> None:
        cloud = self.cloud(tmp_path, *(self.visit(1, number, number) for number in range(1, 6)))
        account = take_account(cloud, 5)
        assert account.sound and account.received == 5

    def test_what_is_missing_is_lost_unless_a_gap_names_it(self, tmp_path: Path) -> None:
        (gap,) = gap_facts([(2, 3)], "full", 1.7e9)
        bodies = [self.visit(1, 1, 1), self.visit(1, 5, 5), encode_event(gap, ORIGIN, 6, 1.7e9)]
        account = take_account(self.cloud(tmp_path, *bodies), 8)
        assert (account.lost, account.named_in_gaps) == (3, 2)
        assert not account.sound

    def test_a_number_or_a_fact_that_is_there_twice_is_seen(self, tmp_path: Path) -> None:
        bodies = [self.visit(1, 1, 1), self.visit(1, 2, 2), self.visit(1, 2, 3), self.visit(1, 4, 3)]
        account = take_account(self.cloud(tmp_path, *bodies), 3)
        assert (account.kept_twice, account.seq_twice) == (1, 1)
        assert not account.sound

    def test_numbers_that_do_not_follow_what_was_said_are_seen(self, tmp_path: Path) -> None:
        bodies = [self.visit(1, 2, 1), self.visit(1, 1, 2), self.visit(2, 1, 3)]
        assert take_account(self.cloud(tmp_path, *bodies), 3).out_of_order == 1


def test_tearing_what_was_not_synced_leaves_exactly_what_was_committed(tmp_path: Path) -> None:
    live, torn = tmp_path / "live.db", tmp_path / "torn.db"
    db = sqlite3.connect(live, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    db.execute("CREATE TABLE t (x)")
    db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    for _ in range(50):
        db.execute("INSERT INTO t VALUES (randomblob(900))")
    for suffix in ("", "-wal"):
        torn.with_name(torn.name + suffix).write_bytes(live.with_name(live.name + suffix).read_bytes())
    db.close()
    assert tear(torn, random.Random(5)) > 0
    db = sqlite3.connect(torn)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT count(*) FROM t").fetchone() == (50,)
    db.close()
