"""No command prints a secret that an address holds, whatever becomes of the address."""

from __future__ import annotations

import json
import string
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from runtime.cli import main

PLAIN = "Zq9"
SECRETS = st.text(string.ascii_letters + string.digits + "/?#@:%&=;,.! $'()*+-_~[]{}|^", max_size=8).map(
    lambda middle: f"{PLAIN}{middle}{PLAIN}"
)
ADDRESSES = st.sampled_from(
    [
        "rtsp://admin:{plain}@127.0.0.1:1/x",
        "RTSP://admin:{plain}@127.0.0.1:1/x",
        "rtsps://admin:{plain}@127.0.0.1:1/x?channel=1",
        "http://admin:{plain}@127.0.0.1:1/x.mjpg",
        "rtsp://{plain}@127.0.0.1:1/x",
        "rtsp://admin:{plain}",
        "admin:{plain}@127.0.0.1/x",
        "rstp://admin:{plain}@127.0.0.1:1/x",
        "rtsp://127.0.0.1:1/x?user=admin&password={quoted}",
        "rtsp://127.0.0.1:1/user=admin&password={quoted}&channel=1",
        "rtsp://127.0.0.1:1/x?token={quoted}",
        "rtsp://127.0.0.1:1/x?auth={quoted}&x=1",
        "rtsp://127.0.0.1:1/x?key={quoted}",
        "rtsp://127.0.0.1:1/x?PWD={quoted}",
        "http://127.0.0.1:1/go?src=rtsp%3A%2F%2Fadmin%3A{twice}%40127.0.0.1%2Fx",
        "http://127.0.0.1:1/go?src=rtsp://admin:{quoted}@127.0.0.1/x",
        "file:/nowhere.mp4?password={quoted}",
    ]
)
STORE = """
site: {{name: test, device: box}}
floor: {{extent_m: [0, 0, 10, 10]}}
cameras: [{{name: door, uri: {uri}}}]
uplink: {{host: {host}}}
"""


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """All that a command prints, by whatever library."""
    with pytest.raises(SystemExit):
        main(arguments)
    out, err = capfd.readouterr()
    return out + err


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without hardware decoders and without a wait."""
    monkeypatch.setenv("TAGSIGHT_DECODER", "software")


def address(form: str, secret: str) -> str:
    quoted = quote(secret, safe="")
    return form.format(plain=secret, quoted=quoted, twice=quote(quoted, safe=""))


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(form=ADDRESSES, secret=SECRETS)
@example(form="rtsp://admin:{plain}@127.0.0.1:1/x", secret=f"{PLAIN}/secret{PLAIN}")
@example(form="http://admin:{plain}@127.0.0.1:1/x.mjpg", secret=f"{PLAIN}?1#2@3{PLAIN}")
@example(form="rstp://admin:{plain}@127.0.0.1:1/x", secret=f"{PLAIN}12 3{PLAIN}")
@example(form="admin:{plain}@127.0.0.1/x", secret=f"{PLAIN} a/b{PLAIN}")
@example(form="rtsp://127.0.0.1:1/x?user=admin&password={quoted}", secret=f"{PLAIN}@{PLAIN}")
@example(form="rtsp://admin:{plain}", secret=f"{PLAIN}?{PLAIN}")
def test_no_command_prints_what_an_address_holds(
    alone: None, capfd: pytest.CaptureFixture[str], tmp_path: Path, form: str, secret: str
) -> None:
    # What stands behind the last @ is a host, whoever meant it otherwise.
    assume("{quoted}" in form or "{twice}" in form or "@127" in form or "@" not in secret)
    uri = address(form, secret)
    said = printed(capfd, "calibrate", "camera", uri, "--seconds", "0.5")
    said += printed(capfd, "calibrate", "floor", uri, "--point", "1,2=3,4")
    said += printed(capfd, "video", uri)
    config = tmp_path / "store.yaml"
    config.write_text(STORE.format(uri=json.dumps(uri), host="127.0.0.1"))
    said += printed(capfd, "config", "check", str(config))
    said += printed(capfd, "config", "check", str(config), "--json")
    said += printed(capfd, "config", "draw", str(config), "--out", str(tmp_path / "drawn"))
    config.write_text(STORE.format(uri="csi:0", host=json.dumps(uri)))
    said += printed(capfd, "config", "check", str(config))
    said += printed(capfd, "events", "tail", "--config", str(config))
    said += printed(capfd, "calibrate", "floor", "--config", str(config), "--camera", uri)
    assert PLAIN not in said, said


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://admin:ab#12@192.0.2.10:554/stream1",
        "rtsp://admin:pa/x@192.0.2.10:554/stream1",
        "rtsp://admin:x?1@192.0.2.10:554/stream1",
        "rtsp://admin:P@ss/w@192.0.2.10:554/stream1",
        "rtsp://admin:topsecret@192.0.2.10/x",
        "rtsp://192.0.2.10/cam?user=admin&password=topsecret",
        "rtsp://192.0.2.10/user=admin&password=topsecret&channel=1",
        "rtsp://192.0.2.10/user=admin_password=topsecret_channel=1",
        "rtsp://192.0.2.10/x?TOKEN=topsecret",
        "rtsp://192.0.2.10/x?auth=topsecret",
        "rtsp://192.0.2.10/x?api_key=topsecret",
        "http://192.0.2.10/x?userpwd=topsecret",
        "http://192.0.2.10/x?a=1&key=topsecret",
        "rtsp://192.0.2.10/x?p%61ssword=topsecret",
        "admin:topsecret@192.0.2.10/x",
    ],
)
def test_config_check_says_where_a_password_belongs(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, uri: str
) -> None:
    config = tmp_path / "store.yaml"
    config.write_text(STORE.format(uri=json.dumps(uri), host="127.0.0.1"))
    said = printed(capfd, "config", "check", str(config))
    assert "cameras[0].uri" in said and "username and password_file" in said
    for piece in ("topsecret", "ab#12", "pa/x", "x?1", "ss/w"):
        assert piece not in said.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://192.0.2.10:554/stream1?channel=1&subtype=0",
        "rtsp://192.0.2.10/live@main",
        "rtsp://admin:${DOOR_PASSWORD}@192.0.2.10/x",
        "rtsp://192.0.2.10/x?user=a&password=${DOOR_PASSWORD}",
        "rtsp://[2001:db8::1]:554/keyframe=1",
        "rtsp://192.0.2.10/x?transcode=1&hotkey=up&auth=basic&encode=h264",
        "rtsp://192.0.2.10/user=viewer&channel=1",
    ],
)
def test_addresses_without_a_secret_are_sound(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, uri: str
) -> None:
    config = tmp_path / "store.yaml"
    config.write_text(STORE.format(uri=json.dumps(uri), host="127.0.0.1"))
    assert "is sound" in printed(capfd, "config", "check", str(config))


def test_a_login_goes_where_the_address_says(tmp_path: Path) -> None:
    from runtime.config import load, source_uri

    (tmp_path / "door.password").write_text("s/cr@t &1\n")
    (tmp_path / "door.password").chmod(0o600)
    camera = "uri: 'rtsp://192.0.2.10/user={username}&password={password}&channel=1', username: ad min"
    text = STORE.format(uri="csi:0", host="127.0.0.1").replace(
        "uri: csi:0", f"{camera}, password_file: door.password"
    )
    (tmp_path / "store.yaml").write_text(text)
    uri = source_uri(load(tmp_path / "store.yaml").cameras[0])
    assert uri == "rtsp://192.0.2.10/user=ad%20min&password=s%2Fcr%40t%20%261&channel=1"
