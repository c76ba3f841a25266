"""A camera is asked for its streams over real HTTP, by a SOAP library that is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("zeep", reason="the extra onvif is not installed")

from runtime.commands.cameras import cameras
from runtime.config import load_at_work
from runtime.network_cameras import soap
from runtime.network_cameras.errors import OnvifError
from runtime.network_cameras.probing import device_address, probe
from testing.cameras.fake_onvif import FakeOnvifCamera, OnvifManner

LINES = "\n\n"
"""Between what the camera is and the lines for store.yaml."""


def ask(camera: FakeOnvifCamera, *more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cameras, ["probe", camera.address, *more])
    said = str(result.exception) if isinstance(result.exception, OnvifError) else result.stderr
    return result.exit_code, result.stdout, said


def login(folder: Path, password: str = "geheim") -> list[str]:
    file = folder / "door.password"
    file.write_text(password + "\n")
    file.chmod(0o600)
    return ["--username", "ann", "--password-file", str(file)]


def test_the_streams_of_a_camera_and_lines_for_store_yaml(tmp_path: Path) -> None:
    with FakeOnvifCamera() as camera:
        code, said, warned = ask(camera, *login(tmp_path), "--name", "hall: left")
    assert code == 0 and warned == ""
    assert "Acme Dome 4, firmware 1.2.3" in said
    assert "  sub: H264 640 x 360, 10 frames a second, rtsp://192.0.2.10:554/stream2" in said
    assert "geheim" not in said
    (entry,) = yaml.safe_load(said.partition(LINES)[2])["cameras"]
    assert entry == {
        "name": "hall: left",
        "uri": "rtsp://192.0.2.10:554/stream1",
        "substream": "rtsp://192.0.2.10:554/stream2",
        "username": "ann",
        "password_file": str(tmp_path / "door.password"),
    }


def test_the_lines_are_sound_in_store_yaml(tmp_path: Path) -> None:
    with FakeOnvifCamera() as camera:
        _, said, _ = ask(camera, *login(tmp_path))
    store = tmp_path / "store.yaml"
    floor = "floor: {extent_m: [0, 0, 8, 6]}"
    site = "site: {name: shop, device: box, timezone: Europe/Paris}"
    store.write_text("\n".join((site, floor, said.partition(LINES)[2])))
    assert load_at_work(store).cameras[0].substream == "rtsp://192.0.2.10:554/stream2"


def test_as_json(tmp_path: Path) -> None:
    with FakeOnvifCamera() as camera:
        found = json.loads(ask(camera, *login(tmp_path), "--json")[1])
    assert [one["coding"] for one in found["streams"]] == ["H264", "H264", "JPEG"]
    assert found["streams"][0]["fps"] == 25.0 and abs(found["clock_off_s"]) < 2.0


@pytest.mark.parametrize("off_s", [-4000.0, 4000.0])
def test_a_camera_whose_clock_is_wrong_is_asked_by_its_own_clock(tmp_path: Path, off_s: float) -> None:
    with FakeOnvifCamera(OnvifManner(clock_off_s=off_s)) as camera:
        code, said, warned = ask(camera, *login(tmp_path))
    assert code == 0 and "stream1" in said
    assert f"s {'ahead of' if off_s > 0 else 'behind'} this machine's" in warned


def test_a_camera_that_knows_the_old_question_only(tmp_path: Path) -> None:
    with FakeOnvifCamera(OnvifManner(old=True)) as camera:
        assert ask(camera, *login(tmp_path))[0] == 0
    assert "GetCapabilities" in camera.asked


def test_a_camera_behind_an_address_translation_is_asked_where_it_answered(tmp_path: Path) -> None:
    with FakeOnvifCamera(OnvifManner(named_host="192.0.2.99:80")) as camera:
        assert ask(camera, *login(tmp_path))[0] == 0


def test_a_login_of_http_besides_onvifs(tmp_path: Path) -> None:
    with FakeOnvifCamera(OnvifManner(wants_http_login=True)) as camera:
        assert ask(camera, *login(tmp_path))[0] == 0
        assert "refuses this login" in ask(camera, *login(tmp_path, "falsch"))[2]


def test_nobody_else_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FakeOnvifCamera() as other:
        monkeypatch.setenv("http_proxy", f"http://{other.address}")
        onward = f"http://{other.address}/onvif/device_service"
        with FakeOnvifCamera(OnvifManner(sends_on_to=onward)) as camera:
            code, _, complaint = ask(camera, *login(tmp_path))
        with FakeOnvifCamera() as camera:
            assert ask(camera, *login(tmp_path))[0] == 0
    assert code == 1 and "does not answer as ONVIF does" in complaint
    assert other.asked == []


def test_without_a_login_where_none_is_wanted() -> None:
    with FakeOnvifCamera(OnvifManner(wants_login=False)) as camera:
        code, said, _ = ask(camera)
    assert code == 0 and "username" not in said


def test_a_wrong_password_and_none_are_told_apart(tmp_path: Path) -> None:
    with FakeOnvifCamera() as camera:
        wrong, none = ask(camera, *login(tmp_path, "falsch"))[2], ask(camera)[2]
    assert "refuses this login" in wrong and "falsch" not in wrong
    assert "it wants a login: give --username and --password-file" in none


RUBBISH = {
    "a web page": b"<html><body>login</body></html>",
    "nothing": b"",
    "bytes": b"\xff\x00" * 50,
    "no parts": b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>',
    "entities": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
}


@pytest.mark.parametrize("answers", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_one_sentence(tmp_path: Path, answers: bytes) -> None:
    with FakeOnvifCamera(OnvifManner(answers=answers)) as camera:
        code, said, complaint = ask(camera, *login(tmp_path))
    assert code == 1 and said == "" and "ONVIF" in complaint
    assert "\n" not in complaint.strip() and "root:" not in complaint


@pytest.mark.parametrize("uri", ["", "rtsp://[bad", "rtsp://:554/x", "rtsp://192.0.2.10/\x7f", "x" * 500])
def test_an_address_that_is_none_is_refused(tmp_path: Path, uri: str) -> None:
    with FakeOnvifCamera(OnvifManner(streams=(("main", "H264", 640, 360, 10, uri),))) as camera:
        assert "names no address of a stream" in ask(camera, *login(tmp_path))[2]


HUGE = "1" + "0" * 400


def test_a_clock_and_sizes_beyond_all_numbers_are_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeOnvifCamera() as camera:
        said = camera.answer
        year = f"<tt:Year>{camera.now().year}</tt:Year>".encode()
        no_year = b"<tt:Year>99999999999999999999</tt:Year>"

        def answer(body: bytes) -> tuple[int, bytes]:
            status, text = said(body)
            return status, text.replace(year, no_year).replace(b"<tt:Width>640<", b"<tt:Width>wide<")

        monkeypatch.setattr(camera, "answer", answer)
        code, told, _ = ask(camera, *login(tmp_path))
    assert code == 0 and "sub: H264 size unknown" in told and not caplog.records
    manner = OnvifManner(
        streams=(("main", "H264", 640, 360, HUGE, "rtsp://192.0.2.10/1"),)  # type: ignore[arg-type]
    )
    with FakeOnvifCamera(manner) as camera:
        code, _, complaint = ask(camera, *login(tmp_path))
    assert code == 1 and "its answers are no ONVIF" in complaint


def test_no_video_is_said(tmp_path: Path) -> None:
    with FakeOnvifCamera(OnvifManner(streams=())) as camera:
        assert "it has no profile with video" in ask(camera, *login(tmp_path))[1]


def test_who_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soap, "READ_S", 0.3)
    with FakeOnvifCamera(OnvifManner(silent_s=2.0)) as camera, pytest.raises(OnvifError, match="no answer"):
        probe(camera.address, "ann", "geheim")


def test_who_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soap, "MAX_S", 0.0)
    with FakeOnvifCamera() as camera, pytest.raises(OnvifError, match="gave no whole answer within 0 s"):
        probe(camera.address, "ann", "geheim")


def test_nobody_there_is_said() -> None:
    with pytest.raises(OnvifError, match=r"no answer \(.*refused.*\); is it on"):
        probe("127.0.0.1:1", None, None)


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    answers = b"<a>" * (soap.MAX_ANSWER // 3 + 1)
    with (
        FakeOnvifCamera(OnvifManner(answers=answers)) as camera,
        pytest.raises(OnvifError, match="its answer is longer than 4 MiB"),
    ):
        probe(camera.address, "ann", "geheim")


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("192.0.2.10", "http://192.0.2.10/onvif/device_service"),
        ("192.0.2.10:8000", "http://192.0.2.10:8000/onvif/device_service"),
        ("[2001:db8::1]:81", "http://[2001:db8::1]:81/onvif/device_service"),
        ("http://192.0.2.10:81/onvif/other", "http://192.0.2.10:81/onvif/other"),
        ("https://door.example", "https://door.example/onvif/device_service"),
    ],
)
def test_addresses(address: str, right: str) -> None:
    assert device_address(address) == right


@pytest.mark.parametrize(
    "address",
    ["", "rtsp://192.0.2.10/1", "192.0.2.10:x", "http://", "http://a:b@192.0.2.10", "a:b@192.0.2.10"],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(OnvifError) as caught:
        device_address(address)
    assert "a:b" not in str(caught.value)


def test_a_password_without_a_name_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(cameras, ["probe", "192.0.2.10", *login(tmp_path)[2:]])
    assert result.exit_code == 2 and "give --username too" in result.output


def test_a_password_that_others_can_read_is_remarked_on(tmp_path: Path) -> None:
    given = login(tmp_path)
    Path(given[-1]).chmod(0o644)
    with FakeOnvifCamera() as camera:
        assert "can be read by others" in ask(camera, *given)[2]
