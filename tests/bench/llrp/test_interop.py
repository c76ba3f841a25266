"""Other people's LLRP programs against our session and simulated reader; skipped where they are not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.llrp.dissector import dissect
from bench.llrp.interop import CLIENTS, client_meets_simulator, session_meets_emulator, tshark_sees
from bench.llrp.relay import RecordingRelay
from bench.llrp.tools import peers_python, tshark
from rfid_reader.llrp import frames
from rfid_reader.llrp.frames import LlrpFrame
from rfid_reader.simulator.llrp.faults import corrupt_report
from tagsight.errors import TagsightError


@pytest.fixture
def peers() -> None:
    try:
        peers_python()
    except TagsightError as error:
        pytest.skip(f"llrpkit, sllurp's client and pyllrp: {error}")


@pytest.fixture
def dissector() -> Path:
    try:
        return tshark()
    except TagsightError as error:
        pytest.skip(f"tshark: {error}")


@pytest.mark.parametrize("peer", CLIENTS)
def test_another_client_reads_every_value_as_it_was_sent(peers: None, peer: str) -> None:
    meeting = client_meets_simulator(peer, 1.5)
    assert meeting.state == "passed", meeting.said


def test_our_session_reads_another_simulated_reader(peers: None) -> None:
    meeting = session_meets_emulator(2.0)
    assert meeting.state == "passed", meeting.said


def test_tshark_finds_nothing_malformed_between_session_and_simulated_reader(dissector: Path) -> None:
    meeting = tshark_sees(1.5)
    assert meeting.state == "passed", meeting.said


def test_tshark_does_find_what_is_malformed(dissector: Path, tmp_path: Path) -> None:
    relay = RecordingRelay(0)
    with relay:
        relay.chunks += [
            (1.0, True, LlrpFrame(frames.KEEPALIVE, 1, b"").encode()),
            (2.0, True, corrupt_report()),
        ]
    relay.write_pcap(tmp_path / "bad.pcap")
    found = dissect(dissector, tmp_path / "bad.pcap")
    assert found.messages == {"62": 1, "61": 1}
    assert found.malformed and found.doppler == 0
