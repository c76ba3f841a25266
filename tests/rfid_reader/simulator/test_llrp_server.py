"""The simulated reader's protocol, asked by hand over a socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from rfid_reader.errors import ReaderError
from rfid_reader.llrp import frames
from rfid_reader.llrp.capabilities import parse_capabilities
from rfid_reader.llrp.codec import decode_message, encode_message
from rfid_reader.llrp.frames import FrameSplitter, LlrpFrame
from rfid_reader.llrp.reports import decode_report
from rfid_reader.llrp.rospec import build_rospec
from rfid_reader.settings import ReaderSettings
from rfid_reader.simulator.llrp.server import SimulatedReader
from tests.rfid_reader.small_stores import small_store


class Caller:
    """A client that sends and receives single messages."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=3)
        self._splitter = FrameSplitter()
        self._frames: list[LlrpFrame] = []

    def next(self, kind: int | None = None) -> LlrpFrame:
        while True:
            for frame in self._frames:
                if kind is None or frame.type == kind:
                    self._frames.remove(frame)
                    return frame
            data = self.socket.recv(65536)
            assert data, "the reader closed the connection"
            self._frames += self._splitter.feed(data)

    def ask(self, name: str, answer: int, **fields: object) -> dict[str, object]:
        self.socket.sendall(encode_message(name, 7, fields))
        return decode_message(self.next(answer))

    def status(self, name: str, answer: int, **fields: object) -> str:
        return str(self.ask(name, answer, **fields)["LLRPStatus"]["StatusCode"])  # type: ignore[index]


@pytest.fixture
def reader() -> Iterator[SimulatedReader]:
    with SimulatedReader(small_store(hop_plan="fcc")) as running:
        yield running
        assert running.failure is None


@pytest.fixture
def caller(reader: SimulatedReader) -> Iterator[Caller]:
    connected = Caller(reader.port)
    event = decode_message(connected.next(frames.READER_EVENT_NOTIFICATION))
    assert event["ReaderEventNotificationData"]["ConnectionAttemptEvent"]["Status"] == "Success"
    yield connected
    connected.socket.close()


def rospec(caller: Caller, start: str = "Null", extensions: bool = False) -> dict[str, object]:
    capabilities = parse_capabilities(caller.ask("GET_READER_CAPABILITIES", 11, RequestedData=0))
    spec = build_rospec(ReaderSettings("127.0.0.1"), capabilities, extensions)
    spec["ROBoundarySpec"]["ROSpecStartTrigger"]["ROSpecStartTriggerType"] = start
    return spec


def test_capabilities_hold_power_and_hop_tables_and_modes(caller: Caller) -> None:
    found = parse_capabilities(caller.ask("GET_READER_CAPABILITIES", 11, RequestedData=0))
    assert found.impinj and found.antennas == 4 and found.has_utc_clock
    assert (found.power_dbm[0], found.power_dbm[-1], len(found.power_dbm)) == (10.0, 32.5, 91)
    assert found.hopping and len(found.frequencies_hz) == 50
    assert min(found.frequencies_hz) == 902.75e6 and max(found.frequencies_hz) == 927.25e6
    assert list(found.frequencies_hz) != sorted(found.frequencies_hz)
    assert 1000 in found.modes
    assert found.frequency_hz(51) is None


def test_a_null_start_trigger_reads_only_after_start(caller: Caller) -> None:
    assert caller.status("ADD_ROSPEC", 30, ROSpec=rospec(caller)) == "Success"
    assert caller.status("START_ROSPEC", 32, ROSpecID=1) == "A_Invalid"
    assert caller.status("ENABLE_ROSPEC", 34, ROSpecID=1) == "Success"
    caller.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        caller.next(frames.RO_ACCESS_REPORT)
    caller.socket.settimeout(3)
    assert caller.status("START_ROSPEC", 32, ROSpecID=1) == "Success"
    assert decode_report(caller.next(frames.RO_ACCESS_REPORT).body)


def test_an_immediate_start_trigger_reads_at_enable_and_disable_stops_it(caller: Caller) -> None:
    assert caller.status("ADD_ROSPEC", 30, ROSpec=rospec(caller, "Immediate")) == "Success"
    assert caller.status("ENABLE_ROSPEC", 34, ROSpecID=0) == "Success"
    assert decode_report(caller.next(frames.RO_ACCESS_REPORT).body)
    assert caller.status("DISABLE_ROSPEC", 35, ROSpecID=1) == "Success"
    caller.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        for _ in range(10_000):
            caller.next(frames.RO_ACCESS_REPORT)


def test_reports_hold_what_the_content_selector_asks_for(caller: Caller) -> None:
    spec = rospec(caller, "Immediate", extensions=True)
    spec["ROReportSpec"]["TagReportContentSelector"] = {"EnableAntennaID": True}  # type: ignore[index]
    assert caller.status("IMPINJ_ENABLE_EXTENSIONS", 1023) == "Success"
    assert caller.status("ADD_ROSPEC", 30, ROSpec=spec) == "Success"
    assert caller.status("ENABLE_ROSPEC", 34, ROSpecID=1) == "Success"
    one = decode_report(caller.next(frames.RO_ACCESS_REPORT).body)[0]
    assert one.antenna in (1, 2)
    assert one.utc_us is None and one.channel is None
    assert one.phase_rad is not None and one.rssi_dbm is not None


def test_reports_come_in_messages_of_n_tags(caller: Caller) -> None:
    spec = rospec(caller, "Immediate")
    spec["ROReportSpec"]["N"] = 5  # type: ignore[index]
    caller.ask("ADD_ROSPEC", 30, ROSpec=spec)
    caller.ask("ENABLE_ROSPEC", 34, ROSpecID=1)
    assert len(decode_report(caller.next(frames.RO_ACCESS_REPORT).body)) == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"AntennaID": [7]}, "antennas"),
        ({"power": 200}, "transmit power index 200"),
        ({"mode": 55}, "mode index 55"),
    ],
)
def test_a_rospec_the_reader_cannot_do_is_refused_with_a_reason(
    caller: Caller, change: dict[str, object], says: str
) -> None:
    spec = rospec(caller)
    part = spec["AISpec"][0]  # type: ignore[index]
    configuration = part["InventoryParameterSpec"][0]["AntennaConfiguration"][0]
    if "power" in change:
        configuration["RFTransmitter"]["TransmitPower"] = change["power"]
    elif "mode" in change:
        configuration["C1G2InventoryCommand"][0]["C1G2RFControl"] = {"ModeIndex": change["mode"], "Tari": 0}
    else:
        part.update(change)
    status = caller.ask("ADD_ROSPEC", 30, ROSpec=spec)["LLRPStatus"]
    assert status["StatusCode"] == "FieldError"  # type: ignore[index]
    assert says in status["ErrorDescription"].decode()  # type: ignore[index]


def test_the_same_rospec_twice_and_an_unknown_one_are_refused(caller: Caller) -> None:
    spec = rospec(caller)
    assert caller.status("ADD_ROSPEC", 30, ROSpec=spec) == "Success"
    assert caller.status("ADD_ROSPEC", 30, ROSpec=spec) == "A_Invalid"
    assert caller.status("ENABLE_ROSPEC", 34, ROSpecID=9) == "A_Invalid"
    assert caller.status("DELETE_ROSPEC", 31, ROSpecID=0) == "Success"
    assert caller.status("ENABLE_ROSPEC", 34, ROSpecID=1) == "A_Invalid"


def test_keepalives_come_as_configured(caller: Caller) -> None:
    spec = {"KeepaliveTriggerType": 1, "TimeInterval": 100}
    assert (
        caller.status("SET_READER_CONFIG", 13, ResetToFactoryDefaults=True, KeepaliveSpec=spec) == "Success"
    )
    assert caller.next(frames.KEEPALIVE).body == b""
    assert caller.ask("GET_READER_CONFIG", 12, RequestedData=0)["KeepaliveSpec"] == {
        "KeepaliveTriggerType": "Immediate",
        "TimeInterval": 100,
    }


def test_a_second_client_is_refused_and_the_first_is_told(reader: SimulatedReader, caller: Caller) -> None:
    second = Caller(reader.port)
    event = decode_message(second.next(frames.READER_EVENT_NOTIFICATION))["ReaderEventNotificationData"]
    assert event["ConnectionAttemptEvent"]["Status"].startswith("Failed (a Client initiated")
    assert second.socket.recv(10) == b""
    told = decode_message(caller.next(frames.READER_EVENT_NOTIFICATION))["ReaderEventNotificationData"]
    assert told["ConnectionAttemptEvent"]["Status"] == "Another connection attempted"
    second.socket.close()


def test_close_is_answered_before_the_connection_ends(caller: Caller) -> None:
    assert caller.status("CLOSE_CONNECTION", 4) == "Success"
    assert caller.socket.recv(10) == b""


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (999, b"", "UnsupportedMessage"),
        (1023, struct.pack("!IB", 1, 1), "UnsupportedMessage"),
    ],
)
def test_what_the_reader_does_not_know_gets_an_error_message(
    caller: Caller, kind: int, body: bytes, code: str
) -> None:
    caller.socket.sendall(LlrpFrame(kind, 3, body).encode())
    answer = caller.next(frames.ERROR_MESSAGE)
    assert answer.message_id == 3
    assert decode_message(answer)["LLRPStatus"]["StatusCode"] == code


def test_a_malformed_request_is_an_error_status_not_an_end(caller: Caller) -> None:
    caller.socket.sendall(LlrpFrame(frames.ADD_ROSPEC, 4, b"\x00\xb1\x00\x50\x00").encode())
    assert decode_message(caller.next(30))["LLRPStatus"]["StatusCode"] == "ParameterError"
    caller.socket.sendall(LlrpFrame(frames.GET_READER_CAPABILITIES, 5, b"").encode())
    assert decode_message(caller.next(11))["LLRPStatus"]["StatusCode"] == "ParameterError"


def test_a_version_it_does_not_speak_is_refused(caller: Caller) -> None:
    caller.socket.sendall(LlrpFrame(frames.GET_ROSPECS, 4, b"", version=2).encode())
    assert (
        decode_message(caller.next(frames.ERROR_MESSAGE))["LLRPStatus"]["StatusCode"] == "UnsupportedVersion"
    )


def test_a_taken_port_and_an_unknown_fault_are_one_sentence(reader: SimulatedReader) -> None:
    with pytest.raises(ReaderError, match="cannot listen"):
        SimulatedReader(small_store(), port=reader.port)
    with pytest.raises(ReaderError, match="fault 'earthquake' is unknown"):
        reader.fault("earthquake")


def test_an_aispec_that_ends_after_n_tags_reports_at_its_end(caller: Caller) -> None:
    spec = rospec(caller, "Immediate")
    spec["ROReportSpec"]["N"] = 0  # type: ignore[index]
    trigger = {"TriggerType": "UponNTags", "NumberOfTags": 3, "NumberOfAttempts": 0, "T": 0, "Timeout": 0}
    spec["AISpec"][0]["AISpecStopTrigger"] = {  # type: ignore[index]
        "AISpecStopTriggerType": "Tag observation",
        "TagObservationTrigger": trigger,
    }
    caller.ask("ADD_ROSPEC", 30, ROSpec=spec)
    caller.ask("ENABLE_ROSPEC", 34, ROSpecID=1)
    assert len(decode_report(caller.next(frames.RO_ACCESS_REPORT).body)) == 3
