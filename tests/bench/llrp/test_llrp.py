"""The LLRP benchmark in small: the faults of the usual client, a short storm, some hostile inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.llrp.failures import (
    RECOVERY_LIMIT_S,
    Survived,
    drop_in_a_frame,
    most_within_a_second,
    refusal,
    silence,
)
from bench.llrp.hostile import Corpus, Mutator, Victim, record_corpus, torment
from bench.llrp.numbered_source import NumberedSource, numbered_reads
from bench.llrp.rate import as_llrp, received, store_reads
from bench.llrp.rig import Ledger, ReadAccount
from bench.llrp.storm import storm
from bench.llrp.tools import peers_python
from bench.llrp.usual_client import usual_client_under
from rfid_reader.llrp import frames
from rfid_reader.llrp.frames import LlrpFrame
from rfid_reader.settings import Timing
from rfid_reader.simulator.llrp.faults import corrupt_report
from tagsight.errors import TagsightError

BUSY_MACHINE_S = 3.0
HASTY = Timing(keepalive_s=0.2, answer_s=1.0, backoff_first_s=0.05, backoff_highest_s=0.2)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return record_corpus(NumberedSource(100.0))


@pytest.mark.parametrize("failure", [drop_in_a_frame, silence, refusal])
def test_what_stops_the_usual_client_is_over_in_five_seconds_at_one_attempt_a_second(
    failure: Callable[[], Survived], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.llrp.failures.REFUSING_S", 3.0)
    survived = failure()
    assert survived.account.sent > 50 and survived.account.sound, survived
    assert survived.attempts_per_s <= 1, survived
    assert survived.recovery_s <= RECOVERY_LIMIT_S + BUSY_MACHINE_S, survived


def test_the_usual_client_stays_deaf_where_ours_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        peers_python()
    except TagsightError as error:
        pytest.skip(f"sllurp's own client: {error}")
    monkeypatch.setattr("bench.llrp.usual_client.WATCHED_S", 4.0)
    assert usual_client_under("drop") == "not within 4 s"


def test_a_short_storm_loses_nothing_and_leaks_nothing() -> None:
    weather = storm(5.0, seed=3, timing=HASTY, settle_s=0.5)
    assert sum(weather.strikes.values()) >= 3 and weather.connections > 5
    assert weather.passed, f"{weather.account}, {weather.before}, {weather.after}"


def test_hostile_inputs_bring_out_this_rooms_errors_only(corpus: Corpus) -> None:
    ordeal = torment(corpus, 3_000, seed=5)
    assert ordeal.crashes == 0, ordeal.first_crash
    assert ordeal.passed, ordeal
    assert ordeal.ended["LlrpFrameError"] > 500 and ordeal.ended["taken"] > 500 and ordeal.reads > 100


def test_the_recorded_corpus_holds_every_kind_of_message(corpus: Corpus) -> None:
    kinds = {int.from_bytes(message[:2], "big") & 0x3FF for message in corpus.said}
    assert {4, 11, 13, 30, 31, 32, 34, 51, 61, 62, 63, 1023} <= kinds
    asked = {int.from_bytes(message[:2], "big") & 0x3FF for message in corpus.asked}
    assert {frames.GET_READER_CAPABILITIES, frames.ADD_ROSPEC, frames.CLOSE_CONNECTION} <= asked


def test_the_same_seed_gives_the_same_hostile_inputs(corpus: Corpus) -> None:
    one, other = Mutator(corpus.said, 4), Mutator(corpus.said, 4)
    inputs = [one() for _ in range(50)]
    assert inputs == [other() for _ in range(50)]
    assert len(set(inputs)) > 40


def test_a_victim_lets_other_errors_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise IndexError

    monkeypatch.setattr("rfid_reader.session.batcher.decode_report", crash)
    with pytest.raises(IndexError):
        Victim().receive([LlrpFrame(frames.RO_ACCESS_REPORT, 1, b"").encode()])


def test_the_ledger_tells_lost_doubled_and_changed_reads() -> None:
    ledger = Ledger(10)
    reads = numbered_reads(0, np.arange(4.0))
    for number in range(4):
        report = as_llrp(reads.take(slice(number, number + 1)))
        ledger.note_sent(report)
    ledger.note_reads(reads.take([0, 1, 1]))
    changed = numbered_reads(2, np.zeros(1))
    changed.rssi_dbm[:] += 1
    ledger.note_reads(changed)
    ledger.note_sent(corrupt_report())
    ledger.note_sent(as_llrp(reads.take(slice(3, 4))))
    assert ledger.account() == ReadAccount(sent=4, unowed=1, received=4, lost=1, twice=1, wrong=1)
    assert not ledger.account().sound


def test_attempts_within_a_second_are_counted_wherever_the_second_begins() -> None:
    assert most_within_a_second([]) == 0
    assert most_within_a_second([0.0, 1.0, 2.0]) == 1
    assert most_within_a_second([0.0, 1.5, 1.9, 2.45, 4.0]) == 3


def test_decoding_for_the_rate_gives_back_the_reads() -> None:
    reads = store_reads(5.0)
    decoded = list(received(as_llrp(reads)))
    assert sum(map(len, decoded)) == len(reads) > 100
    assert np.concatenate([table.epc for table in decoded]).tolist() == reads.epc.tolist()
    phases = np.concatenate([table.phase_rad for table in decoded])
    assert np.abs(np.exp(1j * phases) - np.exp(1j * reads.phase_rad)).max() < 1e-3
