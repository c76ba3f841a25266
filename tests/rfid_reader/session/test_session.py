"""The session against the simulated reader over TCP, with everything that goes wrong in stores."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
import pytest

from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import ReaderSettings
from rfid_reader.simulator.llrp.server import EPOCH_2000_S, SimulatedReader
from tests.rfid_reader.listening import Ear, listening, until
from tests.rfid_reader.small_stores import IMPATIENT, small_store


def test_reads_arrive_with_antenna_channel_phase_and_host_time() -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 100)
        table = ear.table()
        assert set(table.antenna.tolist()) == {1, 2}
        assert set(table.channel.tolist()) <= {1, 2, 3, 4}
        assert not np.isnan(table.phase_rad).any()
        assert table.rssi_dbm.min() > -90 and table.rssi_dbm.max() < -20
        assert np.abs(table.time_s - time.time()).max() < 5
        health = session.health()
        assert health.state == "reading" and health.phase_known
        assert health.tags_seen == 8 and set(health.antenna_rates) == {1, 2}
        assert session.capabilities is not None
        assert session.capabilities.frequencies_hz[0] == 865.7e6
        assert session.capabilities.power_dbm[0] == 10.0


def test_a_reader_without_extensions_still_reads_and_says_that_phase_is_unknown() -> None:
    with SimulatedReader(small_store(), impinj=False) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 20)
        assert np.isnan(ear.table().phase_rad).all()
        assert not np.isnan(ear.table().rssi_dbm).any()
        assert session.health().phase_known is False
        assert "no phase" in session.health().detail


@pytest.mark.parametrize(
    ("fault", "seconds", "ends_connection"),
    [
        ("drop", 0.0, True),
        ("silent", 3.0, True),
        ("refuse", 0.8, True),
        ("busy", 0.8, True),
        ("reboot", 0.8, True),
        ("corrupt_length", 0.0, True),
        ("corrupt_parameter", 0.0, True),
        ("garbage", 0.0, True),
        ("split", 0.5, False),
        ("coalesce", 0.3, False),
        ("unknown", 0.0, False),
        ("overflow", 0.0, False),
    ],
)
def test_a_fault_is_survived_and_reads_go_on(fault: str, seconds: float, ends_connection: bool) -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 20)
        reader.fault(fault, seconds, 3)
        until(lambda: reader.faults_done == 1)
        if ends_connection:
            until(lambda: session.health().connected >= 2)
        else:
            time.sleep(seconds + 0.1)
        before = ear.count
        until(lambda: ear.count > before + 20)
        health = session.health()
        assert (health.connected == 1) != ends_connection
        malformed = fault in ("corrupt_length", "corrupt_parameter", "garbage")
        assert health.malformed == malformed
        assert health.unknown_messages == (fault == "unknown")
        assert health.overflows == (fault == "overflow")


@pytest.mark.parametrize("fault", ["split", "coalesce", "corrupt_parameter", "unknown", "garbage"])
def test_no_whole_report_before_a_fault_is_lost(fault: str) -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 20)
        reader.fault(fault, 0.3, 2)
        until(lambda: reader.faults_done == 1)
        time.sleep(0.5)
        session.stop()
        until(reader.idle)
        if fault in ("split", "coalesce", "unknown"):
            assert ear.count == reader.reports_sent
        else:
            assert ear.count >= reader.reports_before_fault > 0


def test_a_reader_that_refuses_is_asked_at_a_falling_rate() -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 5)
        reader.fault("refuse", 2.0)
        until(lambda: session.health().connects >= 2)
        before, start_s = session.health().connects, time.monotonic()
        until(lambda: session.health().connected >= 2)
        waits = session.health().connects - before
        assert waits <= 2 + (time.monotonic() - start_s) / (0.5 * IMPATIENT.backoff_highest_s)


def test_another_client_on_the_reader_is_reported_with_the_remedy() -> None:
    with (
        SimulatedReader(small_store()) as reader,
        socket.create_connection(("127.0.0.1", reader.port)),
        listening(reader) as (session, ear),
    ):
        until(lambda: "another LLRP client" in session.health().detail)
        assert "stop that client" in session.health().detail
        assert ear.count == 0


def test_a_reader_that_says_nothing_after_the_connection_is_left_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ear = Ear()
        settings = ReaderSettings("127.0.0.1", mute.getsockname()[1], timing=IMPATIENT)
        session = ReaderSession(settings, ear, seed=1)
        session.start()
        until(lambda: session.health().connects >= 2)
        session.stop()
        assert session.health().connected == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"antennas": (9,)}, "antenna 9 does not exist; 1 to 4 would be right"),
        ({"power_dbm": 40.0}, "cannot transmit 40.0 dBm; 10 to 32.5 dBm would be right"),
        ({"mode": 77}, "mode 77 does not exist; one of 0, 1, 2"),
    ],
)
def test_a_setting_the_reader_cannot_fulfil_is_said_in_a_sentence(
    settings: dict[str, object], says: str
) -> None:
    with SimulatedReader(small_store()) as reader, listening(reader, **settings) as (session, ear):
        until(lambda: says in session.health().detail)
        assert ear.count == 0


def test_only_the_chosen_antennas_read_at_the_chosen_power() -> None:
    with SimulatedReader(small_store()) as reader:
        with listening(reader, antennas=(1,), power_dbm=30.0) as (_, ear):
            until(lambda: ear.count > 30)
            loud = ear.table()
            assert set(loud.antenna.tolist()) == {1}
        with listening(reader, antennas=(1,), power_dbm=20.0) as (_, ear):
            until(lambda: ear.count > 30)
            quiet = ear.table()
        common = set(loud.epc.tolist()) & set(quiet.epc.tolist())
        tag = sorted(common)[0]
        step_db = np.median(loud.rssi_dbm[loud.epc == tag]) - np.median(quiet.rssi_dbm[quiet.epc == tag])
        assert step_db == pytest.approx(10, abs=2)


LONGEST_LATENCY_S = 1.5
"""From a read in the air to its delivery here: ticks of 20 ms, and a busy machine."""


@pytest.mark.parametrize("ahead_s", [EPOCH_2000_S - 1.8e9, 10 * 365 * 86_400.0])
def test_a_reader_in_another_year_gives_reads_at_our_time(ahead_s: float) -> None:
    with SimulatedReader(small_store()) as reader:
        reader.fault("clock", ahead_s)
        until(lambda: reader.faults_done == 1)
        with listening(reader) as (session, ear):
            until(lambda: ear.count > 60)
            assert ear.latest_s < LONGEST_LATENCY_S and ear.earliest_s >= 0
            offset_s = session.health().clock_offset_s
            assert offset_s is not None and offset_s == pytest.approx(-ahead_s, abs=LONGEST_LATENCY_S)


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0, -0.9, -0.3])
def test_a_jump_of_the_readers_clock_does_not_move_our_times(jump_s: float) -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 20)
        reader.fault("clock", jump_s)
        until(lambda: reader.faults_done == 1)
        before = ear.count
        until(lambda: ear.count > before + 60)
        assert ear.latest_s < LONGEST_LATENCY_S and ear.earliest_s >= 0
        assert session.health().connected == 1
        if jump_s < 0:
            until(lambda: session.health().clock_steps == 1)


def test_lost_antennas_are_in_health() -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 5)
        reader.fault("antenna", -1.0, 2)
        until(lambda: session.health().antennas_lost == (2,))
        reader.fault("antenna", 1.0, 2)
        until(lambda: session.health().antennas_lost == ())


def test_readers_that_fail_do_not_delay_one_that_reads() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        SimulatedReader(small_store()) as reader,
        SimulatedReader(small_store()) as flaky,
        listening(reader) as (session, ear),
        listening(flaky) as (other, _),
    ):
        dead = ReaderSession(
            ReaderSettings("127.0.0.1", mute.getsockname()[1], timing=IMPATIENT), Ear(), seed=1
        )
        dead.start()
        for fault in ("garbage", "drop", "refuse"):
            connected = other.health().connected
            flaky.fault(fault, 0.3)
            until(lambda connected=connected: other.health().connected > connected)  # type: ignore[misc]
        until(lambda: dead.health().connects >= 2)
        dead.stop()
        assert session.health().connected == 1
        assert ear.count > 50 and ear.latest_s < LONGEST_LATENCY_S


def test_stop_ends_the_thread_at_once_and_says_goodbye() -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 5)
        start_s = time.monotonic()
        session.stop()
        assert time.monotonic() - start_s < 1.0
        assert not session.alive()
        assert session.health().state == "stopped"
        until(reader.idle)


def test_sessions_leave_no_threads_behind() -> None:
    before = threading.active_count()
    with SimulatedReader(small_store()) as reader, listening(reader) as (_, ear):
        until(lambda: ear.count > 5)
    assert threading.active_count() == before
