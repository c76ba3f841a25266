"""Whether a camera's address can be one, and its login stands where it belongs."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from runtime.config.cameras import (
    DEVICE_SCHEMES,
    PASSWORD_HERE,
    STREAM_SCHEMES,
    file_of,
    scheme_of,
    takes_login,
)
from runtime.config.mistakes import did_you_mean
from runtime.config.parsing.draft import Draft
from runtime.config.sections import Camera
from tagsight.file_uri import file_parts
from tagsight.redaction import has_hidden_login, has_secret_parameter, is_bare_login

SCHEMES = ("file", *STREAM_SCHEMES, *DEVICE_SCHEMES)
FILE_OPTIONS = {
    "loop": (re.compile("[01]"), "loop=0 or loop=1"),
    "pace": (re.compile("real"), "pace=real; as fast as it can be read is what tagsight video does"),
    "epoch": (re.compile(r"\d{1,12}(\.\d{1,9})?"), "epoch=UTC_SECONDS"),
}
FROM_ENVIRONMENT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
LOGIN_BESIDE = "write username and password_file beside the uri instead"
LOGIN_WITHIN = (
    f"{LOGIN_BESIDE}; where the camera wants them in the path or the query, write {{username}} and "
    "{password} there"
)


def check_cameras(draft: Draft) -> None:
    """Addresses and credentials of all cameras."""
    first: dict[str, str] = {}
    for index, camera in draft.cameras:
        path = f"cameras[{index}]"
        twin = first.setdefault(camera.uri, camera.name)
        if twin != camera.name and scheme_of(camera.uri) != "file":
            wrong = f"the same address as camera {twin!r}"
            right = "the address of a camera of its own: who is in that picture is followed twice"
            draft.note(f"{path}.uri", wrong, right, "remark")
        _check_uri(draft, camera.uri, f"{path}.uri")
        _check_substream(draft, camera, path)
        _check_login(draft, camera, path)


def _check_substream(draft: Draft, camera: Camera, path: str) -> None:
    place = f"{path}.substream"
    if camera.substream is None:
        return
    if scheme_of(camera.uri) not in STREAM_SCHEMES:
        draft.note(place, "only network cameras have a second stream", "leave substream out")
    elif scheme_of(camera.substream) not in STREAM_SCHEMES:
        draft.note(place, "not the address of a network stream", "rtsp://host:554/path of the second stream")
    elif camera.substream == camera.uri:
        draft.note(place, "the same address as uri", "the address of the camera's second stream")
    else:
        _check_uri(draft, camera.substream, place)


def _check_uri(draft: Draft, uri: str, path: str) -> None:
    scheme = scheme_of(uri)
    if is_bare_login(uri):
        draft.note(path, "a login, and no kind of source before it", f"begin with rtsp://; {LOGIN_BESIDE}")
    elif scheme not in SCHEMES:
        listed = "a file, rtsp://, rtsps://, http://, v4l2:/dev/video0 or csi:0"
        draft.note(
            path, f"unknown kind of source {scheme!r}", did_you_mean(scheme, list(SCHEMES), otherwise=listed)
        )
    elif scheme in STREAM_SCHEMES:
        _check_stream(draft, uri, path)
    elif scheme == "v4l2" and not uri.startswith("v4l2:/dev/"):
        draft.note(path, f"{uri!r} names no video device", "v4l2:/dev/video0")
    elif scheme == "csi" and not uri[len("csi:") :].isdigit():
        draft.note(path, f"{uri!r} names no CSI sensor", "csi:0 for the first sensor")
    elif scheme == "file":
        _check_file(draft, uri, path)


def _check_stream(draft: Draft, uri: str, path: str) -> None:
    if has_hidden_login(uri):
        draft.note(path, "a password in the address, with characters that break it", LOGIN_BESIDE)
        return
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        draft.note(path, "the address cannot be read", "rtsp://host:554/path")
        return
    if has_secret_parameter(uri):
        draft.note(path, "a password in the clear in the address", LOGIN_WITHIN, "tolerated")
        return
    if parts.password is not None and not FROM_ENVIRONMENT.fullmatch(parts.password):
        draft.note(path, "a password in the clear", LOGIN_BESIDE)
    elif parts.username is not None and parts.password is None:
        draft.note(path, "a user name in the address", "write username beside the uri instead")
    elif not host:
        draft.note(path, "no host in the address", "rtsp://host:554/path")


def _check_file(draft: Draft, uri: str, path: str) -> None:
    file = file_of(uri)
    if draft.clips_needed and (file is None or not file.is_file()):
        what = "is a folder" if file is not None and file.is_dir() else "there is no such file"
        draft.note(path, f"{file}: {what}", f"a video file; relative paths start at {draft.folder}")
    for key, value in parse_qsl(file_parts(uri)[1], keep_blank_values=True):
        pattern, _ = FILE_OPTIONS.get(key, (None, ""))
        if pattern is None or not pattern.fullmatch(value):
            right = ", ".join(words for _, words in FILE_OPTIONS.values())
            given = f"{key}={value}" if pattern is not None else key
            draft.note(path, f"unknown option {given}", right)


def _check_login(draft: Draft, camera: Camera, path: str) -> None:
    if camera.password_file is not None and camera.username is None:
        draft.note(f"{path}.password_file", "a password without a name", "give username too")
    if takes_login(camera.uri) and camera.username is None:
        draft.note(f"{path}.uri", "a place for a login, and no login", LOGIN_BESIDE)
    elif PASSWORD_HERE in camera.uri and camera.password_file is None:
        draft.note(f"{path}.uri", "{password} in the address, and no password", "give password_file")
    if camera.transport != "auto" and scheme_of(camera.uri) not in ("rtsp", "rtsps"):
        draft.note(f"{path}.transport", "only rtsp:// has a choice of transports", "leave transport out")
    if camera.username is not None and scheme_of(camera.uri) not in STREAM_SCHEMES:
        draft.note(
            f"{path}.username", "only network streams have a login", "leave username and password_file out"
        )
