"""Asking an RTSP server what it has before the decoder is let loose on it.

The decoder says only "cannot open". One DESCRIBE of our own (RFC 2326, with the digest or basic login of
RFC 2617) tells a wrong password from a wrong path and from nobody at home, and its answer shows later
whether the stream's parameters, and so its picture size, have changed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from runtime.frames.sources import SourceFault, SourceState
from runtime.frames.uri import redact

MAX_ANSWER_BYTES = 65_536
PORTS = {"rtsp": 554, "rtsps": 322}

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^",\s]+))')
_SPROP = re.compile(r"sprop-[\w-]+=([^;\s]+)")


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


@contextmanager
def described(uri: str, timeout_s: float = 5.0) -> Iterator[str]:
    """The session description (SDP, RFC 4566) of the stream at `uri`, which may hold a login.

    The connection stays open inside the `with`: some servers wind a stream down for a moment when the last
    one who asked for it leaves, and answer 503 meanwhile.
    Raises SourceFault: wrong password, no such stream, or nobody there.
    """
    parts = urlsplit(uri)
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if parts.query:
        bare += f"?{parts.query}"
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(_connect(parts, timeout_s))
            answer = _ask(connection, bare, 1, "")
            if answer.status == 401:
                login = _login(answer.headers.get("www-authenticate", ""), parts, bare)
                if login:
                    answer = _ask(connection, bare, 2, login)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SourceFault(SourceState.CONNECTING, f"{redact(uri)}: no answer ({reason})") from error
        yield _judge(answer, parts, uri)


def parameters(sdp: str) -> tuple[str, ...]:
    """What the description says of the coded pictures (parameter sets with their size); () if nothing."""
    return tuple(_SPROP.findall(sdp))


def _judge(answer: _Answer, parts: SplitResult, uri: str) -> str:
    if answer.status == 200:
        return answer.body
    if answer.status in (401, 403):
        whose = f"of user {unquote(parts.username)}" if parts.username else "(none was given)"
        raise SourceFault(
            SourceState.WRONG_PASSWORD, f"{redact(uri)}: the camera refuses the password {whose}"
        )
    if answer.status == 404:
        raise SourceFault(SourceState.NO_SUCH_FILE, f"{redact(uri)}: the camera has no stream {parts.path}")
    raise SourceFault(SourceState.CONNECTING, f"{redact(uri)}: the camera answers with RTSP {answer.status}")


def _connect(parts: SplitResult, timeout_s: float) -> socket.socket:
    address = (parts.hostname or "", parts.port or PORTS[parts.scheme])
    plain = socket.create_connection(address, timeout_s)
    if parts.scheme == "rtsp":
        return plain
    # Cameras sign their own certificates; the decoder does not verify them either.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=parts.hostname)
    except OSError:
        plain.close()
        raise


def _ask(connection: socket.socket, bare: str, sequence: int, login: str) -> _Answer:
    lines = [
        f"DESCRIBE {bare} RTSP/1.0",
        f"CSeq: {sequence}",
        "Accept: application/sdp",
        "User-Agent: tagsight",
    ]
    if login:
        lines.append(f"Authorization: {login}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection, received)
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *header_lines = head.decode("utf-8", "replace").split("\r\n")
    fields = (line.partition(":") for line in header_lines)
    headers: dict[str, str] = {}
    for name, _, value in fields:
        known = headers.get(name.strip().lower())
        # A server that offers both logins sends two of these; digest is the one to use.
        if known is None or not known.lower().startswith("digest"):
            headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {length} bytes")
    while len(body) < length:
        body += _more(connection, body)
    version, status, *_ = [*status_line.split(" "), "", ""]
    if not version.startswith("RTSP/") or not status.isdigit():
        raise ValueError("it does not speak RTSP")
    return _Answer(int(status), headers, body.decode("utf-8", "replace"))


def _more(connection: socket.socket, so_far: bytes) -> bytes:
    if len(so_far) > MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    chunk = connection.recv(8192)
    if not chunk:
        raise ValueError("it hung up")
    return chunk


def _login(challenge: str, parts: SplitResult, bare: str) -> str:
    """The Authorization for a challenge; empty where there is no login or the scheme is unknown."""
    if parts.username is None:
        return ""
    user, password = unquote(parts.username), unquote(parts.password or "")
    scheme = challenge.split(" ", 1)[0].lower()
    if scheme == "basic":
        from base64 import b64encode

        return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    if scheme != "digest":
        return ""
    given = {match[1].lower(): match[2] or match[3] or "" for match in _PARAMETER.finditer(challenge)}
    realm, nonce = given.get("realm", ""), given.get("nonce", "")
    sha = given.get("algorithm", "MD5").upper() == "SHA-256"
    secret = _digest(f"{user}:{realm}:{password}", sha)
    request = _digest(f"DESCRIBE:{bare}", sha)
    fields = f'username="{user}", realm="{realm}", nonce="{nonce}", uri="{bare}"'
    if "auth" in given.get("qop", "").split(","):
        cnonce = secrets.token_hex(8)
        response = _digest(f"{secret}:{nonce}:00000001:{cnonce}:auth:{request}", sha)
        fields += f', qop=auth, nc=00000001, cnonce="{cnonce}"'
    else:
        response = _digest(f"{secret}:{nonce}:{request}", sha)
    fields += f', response="{response}"'
    if "opaque" in given:
        fields += f', opaque="{given["opaque"]}"'
    if "algorithm" in given:
        fields += f", algorithm={given['algorithm']}"
    return f"Digest {fields}"


def _digest(text: str, sha256: bool) -> str:
    data = text.encode()
    if sha256:
        return hashlib.sha256(data).hexdigest()
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
