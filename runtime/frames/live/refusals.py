"""Why a stream does not play, in words: what its server said, or that it said nothing. Pure.

Each is one sentence that says what was answered and what would be right.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from runtime.frames.live import sdp
from runtime.frames.live.addresses import joined
from runtime.frames.live.login import Challenge
from runtime.frames.sources import SourceFault, SourceState
from tagsight.redaction import redact_uri

SPEAKS_HTTP = "it does not speak RTSP there: a web server answers; the port of RTSP is usually 554"
SPEAKS_TLS = "it speaks TLS there; rtsps:// would be right"
SPEAKS_NO_TLS = "it does not speak TLS there; {}:// would be right"
SPEAKS_NO_HTTP = "it does not speak HTTP there; the port of HTTP is usually 80"
SPEAKS_OTHERWISE = "it does not speak RTSP there; the port of RTSP is usually 554"
HUNG_UP = "it hung up without an answer"

_ASKED_TOO_MUCH = (
    "too many viewers at once, or its limit of bandwidth; close other viewers or use its substream"
)
_STEPS: dict[int, str] = {
    400: "it does not understand the address; look up the path in the camera's manual",
    403: "access is forbidden; give this user the right to view, or put this machine on the camera's list",
    405: "this address cannot be played; look up the path in the camera's manual",
    406: "it cannot describe this stream; look up the path in the camera's manual",
    408: "the camera waited for us in vain; try again",
    451: "it does not understand a parameter; look up the path in the camera's manual",
    453: _ASKED_TOO_MUCH,
    454: "it does not know the session that it has just opened; restart the camera",
    455: "it is not in a state to play; restart the camera, or close other viewers",
    457: "it does not play this stream from its beginning; use that of its live stream",
    459: "it wants the whole stream set up at once, this address is of one part; use the stream's own",
    460: "it wants each part of the stream set up, this address is of the whole; use that of its video",
    461: "it refuses the transport",
    462: "it cannot reach the place its pictures are to go to; use transport: tcp",
    500: "the camera has a fault of its own; restart it",
    501: "the camera cannot do that; is it an RTSP camera?",
    503: _ASKED_TOO_MUCH,
    505: "it speaks another version of RTSP",
}
_NO_TLS = ("WRONG_VERSION_NUMBER", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
_OTHER = {"tcp": "udp", "udp": "tcp"}


class Answered(Protocol):
    """An answer of a server."""

    @property
    def status(self) -> int:
        """RTSP's or HTTP's number for it."""

    @property
    def reason(self) -> str:
        """The server's own words."""

    @property
    def body(self) -> str:
        """What came with it."""


def no_answer(label: str, uri: str, error: OSError | ValueError) -> SourceFault:
    """Nobody there, or nobody who can be understood."""
    parts = urlsplit(uri)
    host, port = parts.hostname or "", parts.port or _port(parts)
    state = SourceState.CONNECTING
    match error:
        case socket.gaierror():
            why = f"no answer (no host {host} is known; is the name right, and does this machine have DNS?)"
        case ConnectionRefusedError():
            why = f"no answer (nobody listens at port {port} of {host}; is {_service(parts)} switched on?)"
        case TimeoutError():
            why = f"no answer ({host} is silent at port {port}; is it switched on, is a firewall between?)"
        case ssl.SSLError():
            state, why = SourceState.UNUSABLE, f"no answer ({_tls(error, parts.scheme)})"
        case ValueError():
            if str(error) in (SPEAKS_HTTP, SPEAKS_TLS, SPEAKS_OTHERWISE, SPEAKS_NO_HTTP):
                state = SourceState.UNUSABLE
            why = f"no answer ({error})"
        case _:
            why = f"no answer ({(error.strerror or str(error)).lower()})"
    return SourceFault(state, f"{label}: {why}")


def judge_description(label: str, uri: str, answer: Answered, offered: Sequence[Challenge]) -> None:
    """What DESCRIBE was answered with. Raises SourceFault for everything but pictures to be decoded."""
    parts = urlsplit(uri)
    if answer.status == 401:
        raise login_refused(label, parts, offered)
    if answer.status in (404, 410):
        raise SourceFault(
            SourceState.NO_SUCH_FILE,
            f"{label}: the camera has no stream {parts.path or '/'} (RTSP {answer.status}); "
            "look up the path in its manual",
        )
    if answer.status != 200:
        raise refused(label, "DESCRIBE", answer)
    found = sdp.media(answer.body)
    pictures = sdp.pictures(answer.body)
    if pictures is None:
        kinds = ", ".join(dict.fromkeys(medium.kind for medium in found)) or "nothing"
        raise SourceFault(
            SourceState.UNUSABLE,
            f"{label}: no pictures in the stream, only {kinds}; use another path",
        )
    if not pictures.can_be_decoded:
        raise SourceFault(
            SourceState.UNUSABLE,
            f"{label}: the camera sends {pictures.coding_name}, which cannot be decoded here; "
            "set it to H.264 or H.265",
        )


def login_refused(label: str, parts: SplitResult, offered: Sequence[Challenge]) -> SourceFault:
    """The answer was 401."""
    ways = ", ".join(dict.fromkeys(challenge.name for challenge in offered)) or "none"
    if offered and not any(challenge.strength for challenge in offered):
        why = f"the camera wants a login by {ways}, which is not known here; set it to Digest or Basic"
    elif parts.username is None:
        why = f"the camera refuses the password (none was given); it wants a login by {ways}"
    else:
        why = f"the camera refuses this user name and password (login by {ways})"
    return SourceFault(SourceState.WRONG_PASSWORD, f"{label}: {why}")


def login_over_udp(label: str) -> SourceFault:
    """The relay that logs in for the decoder carries TCP only."""
    return SourceFault(
        SourceState.UNUSABLE,
        f"{label}: the camera's way to log in needs TCP; use transport: tcp, or set it to Digest MD5",
    )


def judge_web_answer(label: str, parts: SplitResult, status: int, reason: str, kind: str) -> None:
    """What GET was answered with; `kind` is its content type. Raises SourceFault for all but a stream."""
    said = f"{status} {reason}".strip()
    if status in (404, 410):
        raise SourceFault(
            SourceState.NO_SUCH_FILE,
            f"{label}: the camera has no {parts.path or '/'} (HTTP {said}); look up the path in its manual",
        )
    if status == 403:
        raise SourceFault(
            SourceState.WRONG_PASSWORD, f"{label}: the camera answers HTTP {said}: {_STEPS[403]}"
        )
    if status != 200:
        why = _ASKED_TOO_MUCH if status == 503 else _STEPS[500] if status >= 500 else "look up the path"
        raise SourceFault(SourceState.CONNECTING, f"{label}: the camera answers HTTP {said}: {why}")
    if kind != "multipart/x-mixed-replace":
        named = {"image/jpeg": "a single picture", "text/html": "a web page"}.get(kind, kind)
        raise SourceFault(
            SourceState.UNUSABLE,
            f"{label}: this is {named}, not Motion JPEG (multipart/x-mixed-replace); "
            "look up the path, or use the camera's rtsp:// address",
        )


def refused(label: str, step: str, answer: Answered, transport: str = "") -> SourceFault:
    """The server refuses a step, with words of its own."""
    said = f"{answer.status} {answer.reason}".strip()
    why = _STEPS.get(answer.status)
    if answer.status == 461 and transport:
        why = f"it refuses the transport {transport.upper()}; use transport: {_OTHER[transport]} or auto"
    if why is None:
        why = _STEPS[500] if answer.status >= 500 else "it refuses; look up the path in the camera's manual"
    state = SourceState.CONNECTING
    if answer.status == 403:
        state = SourceState.WRONG_PASSWORD
    elif answer.status == 461:
        state = SourceState.UNUSABLE
    return SourceFault(state, f"{label}: the camera answers {step} with RTSP {said}: {why}")


def not_played(
    label: str, transport: str, refusal: tuple[str, Answered] | None, coding: bool, reason: str
) -> SourceFault:
    """The decoder could not open what the server describes.

    `refusal` is the step that the server refuses and its answer; without one it agrees to everything, and
    `reason` is the decoder's, who cannot decode the pictures where `coding` says so.
    """
    if refusal is not None:
        step, answer = refusal
        return refused(label, step, answer, transport)
    if coding:
        return SourceFault(SourceState.UNUSABLE, f"{label}: {reason}; set the camera to H.264 or H.265")
    hint = "is a firewall between?" if transport == "udp" else "restart the camera"
    return SourceFault(
        SourceState.CONNECTING,
        f"{label}: the camera agrees, but no pictures come over {transport.upper()} ({reason}); {hint}",
    )


def moved_to(label: str, uri: str, location: str) -> str:
    """The address we are sent to, with our login. Raises SourceFault if it is another server's."""
    before, after = urlsplit(uri), urlsplit(joined(uri, location))
    kin = after.scheme.removesuffix("s") == before.scheme.removesuffix("s")
    if not location or not kin or after.hostname != before.hostname:
        where = redact_uri(after.geturl()) if location else "nowhere"
        raise SourceFault(
            SourceState.UNUSABLE,
            f"{label}: the camera sends us on to {where}; write that address if it is right",
        )
    login, at, _ = before.netloc.rpartition("@")
    return after._replace(netloc=login + at + after.netloc.rpartition("@")[2]).geturl()


def _tls(error: ssl.SSLError, scheme: str) -> str:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if error.reason in _NO_TLS:
        return SPEAKS_NO_TLS.format(scheme.removesuffix("s"))
    return f"TLS fails: {reason}"


def _service(parts: SplitResult) -> str:
    return "HTTP" if parts.scheme.startswith("http") else "RTSP"


def _port(parts: SplitResult) -> int:
    return {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}.get(parts.scheme, 0)
