"""No secret is ever shown, wherever it stands in an address and whoever quotes it."""

from __future__ import annotations

import logging
import string
import sys
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.frames.errors import FrameError
from runtime.frames.uri import parse_uri
from runtime.messages import Health
from tagsight.errors import TagsightError
from tagsight.redaction import (
    RedactingFormatter,
    has_hidden_login,
    has_secret_parameter,
    redact,
    redact_traces,
    redact_uri,
)

PLAIN = "Zq9"
"""What every secret here begins and ends with, so that even a piece of it would be seen."""
MIDDLE = st.text(string.ascii_letters + string.digits + "/?#@:%&=;,.!$()*+-_~[]{}\\|^<>'\"`", max_size=12)
SECRETS = st.builds(lambda middle: f"{PLAIN}{middle}{PLAIN}", MIDDLE)
SCHEMES = st.sampled_from(["rtsp", "RTSP", "rtsps", "http", "Https", "mqtt", "mqtts"])
KEYS = st.sampled_from(
    [
        "password",
        "PASSWORD",
        "pwd",
        "passwd",
        "token",
        "access_token",
        "auth",
        "key",
        "api_key",
        "pass",
        "secret",
    ]
)
SENTENCES = st.sampled_from(
    [
        "{}",
        "{}: no answer (Connection refused)",
        "cannot open '{}', sorry",
        "[Errno 111] Connection refused: '{}'; last error log: [tcp] Connection to tcp://127.0.0.1:1 failed",
        'OpenCV(4.10.0) error: (-215) could not open "{}" in function open',
        "http://proxy.example/go?src={}",
    ]
)


@given(SCHEMES, SECRETS, SENTENCES)
@example("rtsp", f"{PLAIN}/secret{PLAIN}", "{}")
@example("rtsp", f"{PLAIN}#12{PLAIN}", "{}")
@example("http", f"{PLAIN}?1{PLAIN}", "{}")
def test_a_login_is_never_shown(scheme: str, secret: str, sentence: str) -> None:
    for written in (secret, quote(secret), quote(secret, safe="")):
        uri = f"{scheme}://admin:{written}@192.0.2.10:554/stream1"
        shown = redact(sentence.format(uri))
        assert PLAIN not in shown
        assert "admin" not in shown, "not even the name: nothing between the scheme and the last @"
        assert "192.0.2.10:554/stream1" in shown, "which camera it is can still be told"
        assert redact(shown) == shown
        assert PLAIN not in redact_uri(uri)


@given(SCHEMES, SECRETS, KEYS, st.sampled_from(["/live?user=admin&{}", "/user=admin&{}", "/x?{}&channel=1"]))
def test_a_secret_in_a_query_or_a_path_is_never_shown(scheme: str, secret: str, key: str, place: str) -> None:
    for written in (quote(secret, safe=""), quote_plus(secret), quote(quote(secret, safe=""), safe="")):
        uri = f"{scheme}://192.0.2.10:554{place.format(f'{key}={written}')}"
        for text in (uri, f"{uri}: refused", f"cannot read '{uri}'.", quote(uri, safe=""), f"{uri}, {uri}"):
            shown = redact(text)
            assert PLAIN not in shown
            assert redact(shown) == shown
        assert has_secret_parameter(uri)


@given(SECRETS)
def test_an_address_in_an_address_hides_its_login_too(secret: str) -> None:
    inner = f"rtsp://admin:{quote(secret, safe='')}@10.0.0.7/x"
    for text in (inner, quote(inner, safe=""), quote(quote(inner, safe=""), safe="")):
        assert PLAIN not in redact(f"http://proxy.example/go?src={text}&transport=tcp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://h/user=admin&password=Zq9&channel=1", "rtsp://h/user=admin&password=***&channel=1"),
        ("rtsp://h/user=admin_password=Zq9_channel=1", "rtsp://h/user=admin_password=***"),
        ("rtsp://h/x?p%61ssword=Zq9", "rtsp://***"),
        ("rtsp:admin:Zq9@h/1", "rtsp:***@h/1"),
        ("Port could not be cast: rtsp://admin:Zq9", "Port could not be cast: rtsp://***"),
        ("'rtsp://admin:Zq9?x#y/z', cut off", "'rtsp://***', cut off"),
        ("no host in admin:Zq9/x@10.0.0.1", "no host in ***@10.0.0.1"),
        ('{"password": "Zq9 Zq9", "a": 1}', '{"password": "***", "a": 1}'),
        ("Authorization: Digest username=a, response=Zq9", "Authorization: ***"),
        ("rtsp://admin:Zq9 Zq9@h/1 is away", "rtsp://***@h/1 is away"),
        ("rtsp://10.0.0.1/x and rtsp://u:Zq9@h/y; then", "rtsp://10.0.0.1/x and rtsp://***@h/y; then"),
    ],
)
def test_what_is_struck_out(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://host:554/1: no answer",
        "[rtsp @ 0x55d0] method DESCRIBE failed: 401 Unauthorized",
        "unknown option key=value; loop=0 or loop=1",
        "the tag 3034257BF7194E50* is read 50 % of the time",
        "file:/clips/a@b.mp4?loop=1&epoch=1763769600",
        "give password_file; http://[fe80::1]:80/x and v4l2:/dev/video0",
        "tagsight/v1/shop/box-1/health 12:30 a=b",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("uri", "hidden"),
    [
        ("rtsp://admin:ab#12@192.0.2.1/x", True),
        ("rtsp://admin:pa/x@192.0.2.1/x", True),
        ("rtsp://admin:12/x@192.0.2.1/x", True),
        ("rtsp://admin:x?1@192.0.2.1/x", True),
        ("rtsp://admin:Zq9", True),
        ("rtsp://admin:P@ss@192.0.2.1/x", False),
        ("rtsp://192.0.2.1:554/live@main", False),
        ("rtsp://cam.local/live?a=1@2", False),
        ("rtsp://cam:554/live", False),
        ("rtsp://[fe80::1]:554/live", False),
    ],
)
def test_a_login_that_breaks_its_address_is_known(uri: str, hidden: bool) -> None:
    assert has_hidden_login(uri) is hidden


def test_errors_health_logs_and_traces_strike_secrets_out(capsys: pytest.CaptureFixture[str]) -> None:
    said = "cannot open rtsp://admin:Zq9/x@h/1?token=Zq9"
    health = Health("camera:door", "connecting", 0.0, 0.0, said)
    assert health.detail == "cannot open rtsp://***@h/1?token=***"
    assert "Zq9" not in str(TagsightError(said)) + repr(TagsightError(said)) + str(TagsightError(said).args)
    try:
        raise ValueError(said)
    except ValueError as error:
        record = logging.LogRecord("a", logging.ERROR, "f", 1, "%s", (said,), sys.exc_info())
        logged = RedactingFormatter().format(record)
        hook, thread_hook = sys.excepthook, __import__("threading").excepthook
        redact_traces()
        sys.excepthook(ValueError, error, error.__traceback__)
        sys.excepthook, __import__("threading").excepthook = hook, thread_hook
    printed = capsys.readouterr().err
    assert "Traceback" in logged and "Traceback" in printed
    assert "Zq9" not in logged.replace('"cannot', "") and "Zq9" not in printed


@pytest.mark.parametrize(
    "uri", ["rtsp://admin:Zq9/x@h/1", "admin:Zq9@h/1", "rstp://admin:Zq9@h", "http://a:Zq9?1@h"]
)
def test_an_address_that_cannot_be_one_does_not_show_its_login(uri: str) -> None:
    try:
        shown = parse_uri(uri).label
    except FrameError as error:
        shown = str(error)
    assert "Zq9" not in shown and "admin" not in shown


@pytest.mark.parametrize(
    "piece", ["a://", "password", "%41", "key=", "a@", "rtsp://a:b:c ", '"', 'password="', "/?"]
)
def test_a_hostile_text_costs_little(piece: str) -> None:
    """A text that is four times as long takes about four times as long, not sixteen."""

    def cost_s(size: int) -> float:
        text = piece * (size // len(piece))
        began_s = time.process_time()
        redact(text)
        return time.process_time() - began_s

    assert min(cost_s(60_000) for _ in range(3)) < 12 * min(cost_s(15_000) for _ in range(3)) + 0.05
