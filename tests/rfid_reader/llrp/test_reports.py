from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfid_reader.errors import LlrpFrameError
from rfid_reader.llrp.codec import decode_message
from rfid_reader.llrp.frames import LlrpFrame
from rfid_reader.llrp.reports import TagReport, decode_report
from rfid_reader.simulator.llrp.parameters import impinj, tlv, tv, u16, u64

EPC = bytes.fromhex("e2801160600002040000abcd")


def report(*parts: bytes) -> bytes:
    return tlv(240, *parts)


tag_reports = st.builds(
    lambda epc, antenna, rssi, channel, stamp, phase, fine: report(
        tv(13, epc) if len(epc) == 12 else tlv(241, u16(8 * len(epc)), epc),
        tv(1, u16(antenna)),
        tv(6, struct.pack("!b", rssi)),
        tv(7, u16(channel)),
        tv(4, u64(stamp)),
        tv(8, u16(1)),
        impinj(56, u16(phase)),
        impinj(57, struct.pack("!h", fine)),
        impinj(68, struct.pack("!h", -3)),
    ),
    st.binary(min_size=12, max_size=12) | st.binary(min_size=2, max_size=30),
    st.integers(1, 16),
    st.integers(-100, 0),
    st.integers(0, 50),
    st.integers(0, 2**50),
    st.integers(0, 4095),
    st.integers(-9000, -1),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(tag_reports, min_size=1, max_size=4))
def test_the_quick_decoder_agrees_with_the_codec(reports: list[bytes]) -> None:
    body = b"".join(reports)
    slow = decode_message(LlrpFrame(61, 1, body))["TagReportData"]
    quick = decode_report(body)
    assert len(quick) == len(slow)
    for mine, theirs in zip(quick, slow, strict=True):
        assert mine.epc.encode() == theirs["EPC"]
        assert mine.antenna == theirs["AntennaID"]
        assert mine.channel == theirs["ChannelIndex"]
        assert mine.utc_us == theirs["LastSeenTimestampUTC"]
        assert mine.rssi_dbm == theirs["ImpinjPeakRSSI"] / 100
        assert mine.phase_rad == pytest.approx(theirs["ImpinjRFPhaseAngle"] / 4096 * 6.283185307)


def test_a_report_without_extensions_has_no_phase_and_whole_decibels() -> None:
    body = report(tv(13, EPC), tv(1, u16(2)), tv(6, b"\xc4"), tv(2, u64(10)), tv(4, u64(12)))
    assert decode_report(body) == [TagReport(EPC.hex(), 2, None, -60.0, None, 12, None)]


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        report(tv(13, EPC))[:-1],
        report(tv(13, EPC[:5])),
        report(tv(13, EPC), tv(99, b"")),
        report(tv(13, EPC), struct.pack("!HH", 241, 500)),
        report(tv(13, EPC), struct.pack("!HH", 241, 2)),
        report(tlv(241, u16(96), EPC[:4])),
        report(tlv(241, u16(60_000), bytes(7500))),
        report(tv(13, EPC), tlv(1023, bytes(4))),
        report(tv(13, EPC), impinj(56, b"\x00")),
    ],
)
def test_a_report_that_does_not_add_up_is_refused(body: bytes) -> None:
    with pytest.raises(LlrpFrameError):
        decode_report(body)


@pytest.mark.parametrize(
    ("epc", "heard"),
    [
        (tv(13, EPC), EPC.hex()),
        (tlv(241, u16(96), EPC), EPC.hex()),
        # filled up to whole words
        (tlv(241, u16(96), EPC, b"\0\0"), EPC.hex()),
        (tlv(241, u16(62), b"\xaa" * 7 + b"\xab"), "aa" * 7 + "a8"),
        # what fills up the last byte is none of the EPC
        (tlv(241, u16(90), EPC[:11] + b"\xff"), EPC[:11].hex() + "c0"),
        (tlv(241, u16(1), b"\xff"), "80"),
        (tlv(241, u16(128), EPC + b"\x12\x34\x56\x78"), EPC.hex() + "12345678"),
        (tlv(241, u16(496), b"\x5a" * 62), "5a" * 62),
        (tlv(241, u16(0)), ""),
        (b"", ""),
    ],
)
def test_an_epc_of_any_length_is_whole_bytes_without_what_fills_it_up(epc: bytes, heard: str) -> None:
    assert [one.epc for one in decode_report(report(epc, tv(1, u16(3))))] == [heard]


@pytest.mark.parametrize(
    "epc", [tlv(241, u16(96), EPC[:11]), tlv(241, u16(96), EPC, b"\0\1"), tlv(241, u16(96), EPC, bytes(4))]
)
def test_an_epc_that_is_cut_off_or_too_long_is_refused(epc: bytes) -> None:
    with pytest.raises(LlrpFrameError):
        decode_report(report(epc))


def test_a_first_seen_stamp_is_the_reads_own_only_where_the_tag_was_seen_once() -> None:
    first, seen_once, seen_often = tv(2, u64(7)), tv(8, u16(1)), tv(8, u16(9))
    assert decode_report(report(tv(13, EPC), first))[0].utc_us == 7
    assert decode_report(report(tv(13, EPC), first, seen_once))[0].utc_us == 7
    assert decode_report(report(tv(13, EPC), first, seen_often))[0].utc_us is None
    assert decode_report(report(tv(13, EPC), first, tv(4, u64(9)), seen_often))[0].utc_us == 9


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tag_reports, st.data())
def test_a_corrupted_report_is_a_frame_error_or_a_report(whole: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:place] + data.draw(st.binary(max_size=6)) + whole[place + 1 :]
    try:
        for one in decode_report(changed):
            assert len(one.epc) <= 124
    except LlrpFrameError:
        pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([4, 11, 12, 13, 30, 31, 34, 32, 61, 63, 100, 1023]), st.binary(max_size=120))
def test_any_bytes_of_any_message_decode_or_raise_a_frame_error(kind: int, body: bytes) -> None:
    with contextlib.suppress(LlrpFrameError):
        decode_message(LlrpFrame(kind, 1, body))
