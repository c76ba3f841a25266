"""What other readers do: every row a reader over TCP, with the right reads and what is said of them."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from rfid_reader.reads import ReadTable
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.simulator.llrp.parameters import impinj, tlv, tv, u16, u32, u64
from rfid_reader.simulator.llrp.server import SimulatedReader
from tests.rfid_reader.listening import listening, until
from tests.rfid_reader.reshaped import (
    ACCESS_RESULT,
    UNKNOWN_CUSTOM,
    Reshaping,
    Shape,
    every_other_swapped,
    shuffled,
    with_part,
    without,
)
from tests.rfid_reader.small_stores import small_store

USUAL: Shape = without()
ON_ARRIVAL_S = 1.0
"""A read without a time of its own is dated when it comes, and on a busy machine it waits."""
LEAST = 60
NOTHING_SAID = ""


@dataclass(frozen=True)
class Quirk:
    """A reader's reports, and what is right: `said` in health, whether its reads are taken at all, what their
    EPC is, and what is unknown of them (columns that hold NaN or 0)."""

    name: str
    shape: Shape
    said: str = NOTHING_SAID
    taken: bool = True
    epc: Callable[[str], str] = str
    unknown: tuple[str, ...] = ()
    antennas: tuple[int, ...] = ()
    impinj: bool = True
    ignored: str = ""
    time_s: float = 0.1
    """How far a read's time may be off."""


QUIRKS = [
    Quirk("as usual", USUAL),
    Quirk("no antenna, several in use", without("antenna"), "name no antenna and are not counted", False,
          ignored="reports that name no antenna"),
    Quirk("no antenna, one in use", without("antenna"), "taken as antenna 1", antennas=(1,)),
    Quirk("antenna 0, several in use", with_part("antenna", lambda _: tv(1, u16(0))),
          "4 are in use", False, ignored="reports that name no antenna"),
    Quirk("antenna 0, one in use", with_part("antenna", lambda _: tv(1, u16(0))),
          "the only one in use", antennas=(1,)),
    Quirk("an antenna the reader has not", with_part("antenna", lambda _: tv(1, u16(7))),
          "does not have (7; 1 to 4 would be right)", False,
          ignored="reports of an antenna the reader has not"),
    Quirk("antenna 65535", with_part("antenna", lambda _: tv(1, u16(65_535))),
          "65535", False, ignored="reports of an antenna the reader has not"),
    Quirk("no EPC at all", without("epc"), "carry no EPC", False, ignored="reports without an EPC"),
    Quirk("an EPC of no bits", with_part("epc", lambda _: tlv(241, u16(0))), "carry no EPC", False,
          ignored="reports without an EPC"),
    Quirk("EPCData of 96 bits", with_part("epc", lambda one: tlv(241, u16(96), one.epc))),
    Quirk("EPCData filled up to whole words",
          with_part("epc", lambda one: tlv(241, u16(96), one.epc, b"\0\0"))),
    Quirk("EPC of 62 bits", with_part("epc", lambda one: tlv(241, u16(62), one.epc[-7:], b"\xff")),
          epc=lambda epc: epc[-14:] + "fc"),
    Quirk("EPC of 128 bits", with_part("epc", lambda one: tlv(241, u16(128), one.epc, b"\x12\x34\x56\x78")),
          epc=lambda epc: epc + "12345678"),
    Quirk("EPC of 496 bits", with_part("epc", lambda one: tlv(241, u16(496), one.epc, bytes(50))),
          epc=lambda epc: epc + "00" * 50),
    Quirk("no RSSI", without("rssi"), "gives no RSSI", unknown=("rssi_dbm",)),
    Quirk("RSSI 0", with_part("rssi", lambda _: tv(6, b"\0")), "RSSI that no reader measures",
          unknown=("rssi_dbm",)),
    Quirk("RSSI +127", with_part("rssi", lambda _: tv(6, b"\x7f")), "RSSI that no reader measures",
          unknown=("rssi_dbm",)),
    Quirk("RSSI -128", with_part("rssi", lambda _: tv(6, b"\x80")), "RSSI that no reader measures",
          unknown=("rssi_dbm",)),
    Quirk("Impinj's RSSI is 0, the other is not", with_part("fine", lambda _: impinj(57, u16(0)))),
    Quirk("no phase from a reader with extensions", without("phase"), "gives no phase",
          unknown=("phase_rad",)),
    Quirk("no extensions", USUAL, "no phase (no Impinj extensions)", unknown=("phase_rad",), impinj=False),
    Quirk("a phase of a full turn", with_part("phase", lambda _: impinj(56, u16(4096)))),
    Quirk("a phase out of range", with_part("phase", lambda _: impinj(56, u16(0xFFFF))),
          "phase beyond a full turn", unknown=("phase_rad",)),
    Quirk("no channel", without("channel"), "gives no channel", unknown=("channel",)),
    Quirk("a channel there is not", with_part("channel", lambda _: tv(7, u16(60_000))), "gives no channel",
          unknown=("channel",)),
    Quirk("no time stamp", without("stamp"), "gives no time with its reads",
          time_s=ON_ARRIVAL_S),
    Quirk("time stamp 0", with_part("stamp", lambda _: tv(4, u64(0))), "gives no time with its reads",
          time_s=ON_ARRIVAL_S),
    Quirk("a clock that stands", with_part("stamp", lambda _: tv(4, u64(10**15))), "clock stands still",
          time_s=1.2 + ON_ARRIVAL_S),
    Quirk("only uptime", with_part("stamp", lambda one: tv(5, u64(one.stamp_us % 10**9)))),
    Quirk("only the uptime at which the tag was first seen",
          with_part("stamp", lambda one: tv(3, u64(one.stamp_us % 10**9)))),
    Quirk("only when the tag was first seen", with_part("stamp", lambda one: tv(2, u64(one.stamp_us)))),
    Quirk("first seen long ago, seen often",
          lambda one, parts: {**parts, "stamp": tv(2, u64(10**15)), "seen": tv(8, u16(40))},
          "gives no time with its reads", time_s=ON_ARRIVAL_S),
    Quirk("first seen long ago, last seen now", with_part("first", lambda _: tv(2, u64(10**15)))),
    Quirk("uptime and UTC together", with_part("up", lambda one: tv(5, u64(one.stamp_us % 10**9)))),
    Quirk("the year 2000", with_part("stamp", lambda one: tv(4, u64(one.stamp_us - 812 * 10**12)))),
    Quirk("another maker's parameters", with_part("custom", lambda _: UNKNOWN_CUSTOM)),
    Quirk("Impinj's TID beside", with_part("tid", lambda _: impinj(55, u16(2), b"\xe2\x80\x11\x60"))),
    Quirk("PC, CRC and access spec", lambda one, parts: {
        "epc": parts["epc"], "pc": tv(12, u16(0x3000)) + tv(11, u16(0xABCD)), **parts,
        "access": tv(16, u32(0))}),
    Quirk("results of an access spec", with_part("result", lambda _: ACCESS_RESULT)),
    Quirk("Impinj's RSSI in hundredths", with_part("fine", lambda one: impinj(
        57, struct.pack("!h", 100 * one.rssi_dbm)))),
]  # fmt: skip


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.name)
def test_a_reader_with_a_quirk(quirk: Quirk, monkeypatch: pytest.MonkeyPatch) -> None:
    reshaping = Reshaping(quirk.shape)
    reshaping.install(monkeypatch)
    with (
        SimulatedReader(small_store(), impinj=quirk.impinj) as reader,
        listening(reader, antennas=quirk.antennas) as (session, ear),
    ):
        if quirk.taken:
            until(lambda: ear.count >= LEAST)
            until(lambda: quirk.said in session.health().detail)
        else:
            until(lambda: quirk.said in session.health().detail)
            until(lambda: session.health().reports_ignored >= LEAST)
        health = session.health()
        assert health.state == "reading" and health.malformed == 0
        assert health.connected <= 2, (
            "once more where a starved machine kept the reader silent, not again and again"
        )
        if not quirk.taken:
            assert ear.count == 0
            assert health.ignored == {quirk.ignored: health.reports_ignored}
            return
        if quirk.said == NOTHING_SAID:
            assert health.detail == ""
        until(lambda: _are_timed(ear.table(), quirk, reshaping, reader.epoch))
        table = ear.table()
        _check_reads(table, quirk, reshaping)
        assert health.reports_ignored == 0 and health.clock_steps == 0
        assert health.phase_known is ("phase_rad" not in quirk.unknown or not np.isnan(table.phase_rad).all()
                                      or "beyond" in quirk.said)  # fmt: skip


def _are_timed(table: ReadTable, quirk: Quirk, reshaping: Reshaping, epoch: float) -> bool:
    """The newest reads are: on a machine that reports late, the first are dated before any comes in time."""
    true_s = {quirk.epc(epc): time_s + epoch for epc, time_s in reshaping.true_s.items()}
    newest = table.take(slice(-LEAST // 2, None))
    late_s = [one_s - true_s[epc] for one_s, epc in zip(newest.time_s, newest.epc.tolist(), strict=True)]
    return max(map(abs, late_s)) < max(quirk.time_s, 0.1)


def _check_reads(table: ReadTable, quirk: Quirk, reshaping: Reshaping) -> None:
    sent = {quirk.epc(epc): one for epc, one in reshaping.sightings.items()}
    assert len(set(table.epc.tolist())) == len(table)
    for row, epc in enumerate(table.epc.tolist()):
        assert table.antenna[row] == sent[epc].antenna
        assert ("channel" in quirk.unknown) == (table.channel[row] == 0)
        for name in ("rssi_dbm", "phase_rad"):
            assert (name in quirk.unknown) == math.isnan(getattr(table, name)[row])
    if "rssi_dbm" not in quirk.unknown:
        assert table.rssi_dbm.tolist() == [sent[epc].rssi_dbm for epc in table.epc.tolist()]


@pytest.mark.parametrize(
    ("order", "at_once", "a_message"),
    [
        (list, 1, 1),
        # several reports a message
        (list, 40, 12),
        (sorted, 60, 1),
        (lambda reports: reports[::-1], 60, 1),
        (lambda reports: reports[::-1], 60, 60),
        (shuffled, 60, 1),
        (every_other_swapped, 120, 1),
    ],
    ids=["in order", "several a message", "by tag", "reversed", "reversed in one message", "shuffled",
         "across neighbours"],
)  # fmt: skip
def test_reports_in_any_order_have_the_time_at_which_the_tag_was_read(
    order: Callable[[list[bytes]], list[bytes]],
    at_once: int,
    a_message: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reshaping = Reshaping(USUAL, order, at_once, a_message)
    reshaping.install(monkeypatch)
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 4 * at_once + 60)

        def errors_s() -> np.ndarray:
            """Of the newest reads: the clock's offset is as good as the fastest report so far."""
            table = ear.table()
            newest = list(zip(table.epc.tolist(), table.time_s.tolist(), strict=True))[-(2 * at_once + 30) :]
            return np.abs([time_s - reshaping.true_s[epc] - reader.epoch for epc, time_s in newest])

        until(lambda: np.median(errors_s()) < 0.03 and errors_s().max() < 0.25)
        assert session.health().clock_steps == 0
        assert session.health().reports_ignored == 0


def test_reports_that_come_again_after_a_reconnect_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[bytes] = []

    def repeating(reports: list[bytes]) -> list[bytes]:
        repeated, again[:] = list(again), []
        return repeated + reports

    reshaping = Reshaping(USUAL, repeating)
    reshaping.install(monkeypatch)
    sent: list[bytes] = []
    with (
        SimulatedReader(small_store(), on_sent=lambda body: sent.append(body[10:])) as reader,
        listening(reader) as (session, ear),
    ):
        until(lambda: ear.count > LEAST)
        reader.fault("refuse", 1.5)
        until(lambda: session.health().state != "reading")
        again += [body for body in sent if body.startswith(tlv(240)[:2])][-40:]
        until(lambda: session.health().connected == 2 and ear.count > 2 * LEAST)
        epcs = ear.table().epc.tolist()
        assert len(set(epcs)) == len(epcs)
        assert session.health().ignored == {"reports that were sent before": 40}
        assert "count once" in session.health().detail


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, -2.0])
def test_a_clock_that_really_steps_is_found_and_times_stay_right(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    reshaping = Reshaping(USUAL)
    reshaping.install(monkeypatch)
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > LEAST)
        time.sleep(0.0 if seconds < 0 else 5.0)
        reader.fault("clock", seconds)
        until(lambda: session.health().clock_steps == 1)
        before = ear.count
        until(lambda: ear.count > before + LEAST)
        table = ear.table()
        errors = [
            time_s - reshaping.true_s[epc] - reader.epoch
            for epc, time_s in zip(table.epc.tolist(), table.time_s.tolist(), strict=True)
        ]
        # A step that is shorter than a report may be late is known from the second report on.
        wrong = np.abs(errors) >= 0.25
        assert np.mean(wrong) < (0.0 if abs(seconds) > 60.0 else 0.1) + 1e-9
        assert not wrong[-LEAST // 2 :].any()
        assert session.health().clock_steps == 1


def test_a_reader_is_free_again_after_a_client_that_went_without_a_word() -> None:
    with SimulatedReader(small_store()) as reader, listening(reader) as (session, ear):
        until(lambda: ear.count > 0)
        assert session.health().link_monitored
        _cut_the_power(session)
        with listening(reader) as (second, second_ear):
            until(lambda: "another LLRP client" in second.health().detail)
            until(lambda: second_ear.count > 0, 8.0)


def _cut_the_power(session: ReaderSession) -> None:
    """The session says and hears nothing any more; its connection stays open."""
    connection = session._connection
    assert connection is not None
    stop = session._stop
    connection.pump = stop.wait  # type: ignore[method-assign]
    connection.leave = lambda: None  # type: ignore[method-assign]
