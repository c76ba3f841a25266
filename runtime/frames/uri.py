"""One URI for any source.

/clips/door.mp4                       a file, paced in real time, once
file:/clips/door.mp4?loop=1           again and again; time goes on
file:/clips/door.mp4?pace=fast        as fast as it can be read
file:/clips/door.mp4?loop=1&epoch=1763769600
                                      frame k is due at epoch + k / fps: whoever joins is in phase
rtsp://user:${DOOR_PASSWORD}@host/1
                                      a network camera; rtsps:// over TLS
http://host/video.mjpg                Motion JPEG of a camera's web server; https:// over TLS
v4l2:/dev/video0                      a USB camera
csi:0                                 a camera on the board's own connector
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

from runtime.frames.errors import FrameError
from tagsight.file_uri import file_parts
from tagsight.redaction import has_hidden_login, is_bare_login, redact, redact_uri

__all__ = ["Kind", "Pace", "SourceUri", "parse_uri", "redact"]

Kind = Literal["file", "rtsp", "http", "v4l2", "csi"]
Pace = Literal["real", "fast"]

_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class SourceUri:
    """A source, taken apart. `target` may hold a password; `label` is what may be shown."""

    kind: Kind
    target: str
    label: str
    loop: bool = False
    pace: Pace = "real"
    epoch_s: float | None = None

    def __repr__(self) -> str:
        return f"SourceUri({self.label})"


def parse_uri(uri: str, environment: Mapping[str, str] = os.environ) -> SourceUri:
    """Take a URI apart and fill in `${NAME}` from the environment. Raises FrameError."""
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.lower() if colon and scheme.isalnum() else ""
    if scheme in ("rtsp", "rtsps", "http", "https"):
        return _stream(uri, environment, "http" if scheme.startswith("http") else "rtsp")
    if scheme == "v4l2":
        if not rest.startswith("/dev/"):
            raise FrameError(f"{uri}: no video device; v4l2:/dev/video0 would be one")
        return SourceUri("v4l2", rest, uri)
    if scheme == "csi":
        if not rest.isdigit():
            raise FrameError(f"{uri}: no number of a sensor; csi:0 is the first")
        return SourceUri("csi", rest, uri)
    if scheme == "file":
        return _file(uri)
    if scheme and "/" not in scheme and rest.startswith("//"):
        raise FrameError(
            f"{redact_uri(uri)}: {scheme} is no kind of source; file, rtsp, http, v4l2 and csi are"
        )
    if not uri:
        raise FrameError("the address of the source is empty; a file or rtsp://host/path would be one")
    if is_bare_login(uri) and not Path(uri).exists():
        raise FrameError(f"{redact_uri(uri)}: a login, and no kind of source before it; begin with rtsp://")
    return SourceUri("file", uri, redact_uri(uri))


def _file(uri: str) -> SourceUri:
    path, query = file_parts(uri)
    if not path:
        raise FrameError(f"{uri}: no file is named")
    options = dict(parse_qsl(query, keep_blank_values=True))
    loop, pace, epoch = options.pop("loop", "0"), options.pop("pace", "real"), options.pop("epoch", None)
    if options or loop not in ("0", "1") or pace not in ("real", "fast"):
        raise FrameError(f"{uri}: the options of a file are loop=0|1, pace=real|fast and epoch=SECONDS")
    try:
        epoch_s = None if epoch is None else float(epoch)
    except ValueError as error:
        raise FrameError(f"{uri}: epoch={epoch} is not a number of UTC seconds") from error
    return SourceUri("file", path, uri, loop == "1", "fast" if pace == "fast" else "real", epoch_s)


def _stream(uri: str, environment: Mapping[str, str], kind: Kind) -> SourceUri:
    def fill(match: re.Match[str]) -> str:
        value = environment.get(match[1])
        if value is None:
            raise FrameError(f"{redact_uri(uri)}: the environment has no {match[1]}")
        return quote(value, safe="")

    if has_hidden_login(uri):
        raise FrameError(
            f"{redact_uri(uri)}: the password in the address breaks it; in store.yaml username and "
            "password_file beside the uri hold any password, and here / is written %2F, ? %3F, # %23, @ %40"
        )
    target = _ENVIRONMENT.sub(fill, uri)
    try:
        parts = urlsplit(target)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise FrameError(f"{redact_uri(uri)}: not an address; rtsp://host:554/path would be one") from error
    if not host:
        raise FrameError(f"{redact_uri(uri)}: no host is named; rtsp://host:554/path would be right")
    return SourceUri(kind, target, redact_uri(uri))
