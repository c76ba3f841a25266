"""Cameras are found by a datagram in this machine's own network."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest
from click.testing import CliRunner

pytest.importorskip("lxml", reason="the extra onvif is not installed")
pytest.importorskip("ifaddr", reason="the extra onvif is not installed")

from runtime.commands.cameras import cameras
from runtime.network_cameras import finding
from runtime.network_cameras.errors import OnvifError
from runtime.network_cameras.finding import FoundCamera, find, read_answer
from testing.cameras.fake_onvif import ADDRESSING, DISCOVERY, SOAP, Beacon, probe_match

SCOPES = "onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/D4 urn:other odd://%zz"
RUBBISH = ("", "no XML", "<a/>", f'<s:Envelope xmlns:s="{SOAP}"/>', probe_match("ftp://192.0.2.7/"))


def answered(text: str, host: str = "192.0.2.10") -> FoundCamera | None:
    return read_answer(text.replace("MESSAGE", "urn:uuid:ours").encode(), "urn:uuid:ours", host)


def test_a_camera_in_the_network_is_found_among_rubbish() -> None:
    own = finding.own_addresses()
    if not own:
        pytest.skip("this machine is in no network")
    right = f"http://{own[0]}:8000/onvif/device_service"
    answer = probe_match(f"http://203.0.113.9/onvif/device_service {right}", SCOPES)
    try:
        beacon = Beacon(str(own[0]), *RUBBISH, answer)
    except OSError as error:
        pytest.skip(f"no multicast here ({error})")
    with beacon:
        found = find(3.0, own[:1])
    assert found == [FoundCamera(right, "Front door", "D4", "")]


def test_of_several_addresses_the_one_that_answers_is_taken() -> None:
    found = answered(probe_match("http://203.0.113.9/a http://192.0.2.10/b"))
    assert found is not None and found.address == "http://192.0.2.10/b"
    routed = answered(probe_match("http://203.0.113.9/a"))
    assert routed is not None and routed.address == "http://203.0.113.9/a"


@pytest.mark.parametrize(
    "text",
    [
        *RUBBISH,
        probe_match("http://192.0.2.10/a").replace("MESSAGE", "urn:uuid:somebody's"),
        probe_match("http://192.0.2.10/a", types="dn:Printer"),
        probe_match("http://192.0.2.10:port/a"),
        probe_match("http://192.0.2.10/" + "a" * 500),
        '<!DOCTYPE a [<!ENTITY x "y">]>' + probe_match("http://192.0.2.10/&x;"),
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:d="{DISCOVERY}"><s:Header><a:RelatesTo>'
        "MESSAGE</a:RelatesTo></s:Header></s:Envelope>",
    ],
)
def test_what_is_no_answer_is_passed_by(text: str) -> None:
    found = answered(text)
    assert found is None or "y" not in found.address


def test_what_a_camera_calls_itself_is_shortened_and_printable() -> None:
    found = answered(probe_match("http://192.0.2.10/a", "onvif://www.onvif.org/name/%1b[2Jx" + "y" * 9999))
    assert found is not None and found.name.startswith("[2Jx") and len(found.name) <= finding.MAX_TEXT


def test_no_more_are_listed_than_a_shop_has(monkeypatch: pytest.MonkeyPatch) -> None:
    own = finding.own_addresses()
    if not own:
        pytest.skip("this machine is in no network")
    monkeypatch.setattr(finding, "MAX_CAMERAS", 2)
    many = [probe_match(f"http://203.0.113.{last}/onvif/device_service") for last in range(1, 6)]
    try:
        beacon = Beacon(str(own[0]), *many)
    except OSError as error:
        pytest.skip(f"no multicast here ({error})")
    with beacon:
        assert len(find(2.0, own[:1])) == 2


def test_without_a_network_that_is_said() -> None:
    with pytest.raises(OnvifError, match="no network interface can be asked"):
        find(0.5, [IPv4Address("203.0.113.1")])


def test_nobody_answered_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "find", lambda seconds: [])
    result = CliRunner().invoke(cameras, ["find", "--seconds", "1"])
    assert result.exit_code == 0 and "no camera answered within 1 s" in result.stderr
    assert json.loads(CliRunner().invoke(cameras, ["find", "--json"]).stdout) == []


def test_they_are_listed_in_order_of_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        FoundCamera("http://192.0.2.9/x", "hall", "", "back"),
        FoundCamera("http://192.0.2.10/x", "", "D4", ""),
    ]
    monkeypatch.setattr(finding, "find", lambda seconds: found)
    lines = CliRunner().invoke(cameras, ["find"]).stdout.splitlines()
    assert lines == ["http://192.0.2.9/x  hall  back", "http://192.0.2.10/x  D4"]
    assert (
        sorted(["http://192.0.2.10/x", "http://192.0.2.9/x"], key=finding._order)[0] == "http://192.0.2.9/x"
    )
