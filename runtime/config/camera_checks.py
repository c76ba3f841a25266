"""Whether a camera's address can be one and its map from picture to floor is believable."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from runtime.config.cameras import (
    DEVICE_SCHEMES,
    PASSWORD_HERE,
    STREAM_SCHEMES,
    file_of,
    image_to_floor,
    scheme_of,
    takes_login,
)
from runtime.config.draft import Draft
from runtime.config.mistakes import did_you_mean
from runtime.config.sections import Camera
from runtime.geometry import GeometryError, Homography, in_polygon
from runtime.redaction import has_hidden_login, has_secret_parameter, is_bare_login

SCHEMES = ("file", *STREAM_SCHEMES, *DEVICE_SCHEMES)
FILE_OPTIONS = {
    "loop": (re.compile("[01]"), "loop=0 or loop=1"),
    "pace": (re.compile("real"), "pace=real; as fast as it can be read is what tagsight video does"),
    "epoch": (re.compile(r"\d{1,12}(\.\d{1,9})?"), "epoch=UTC_SECONDS"),
}
FROM_ENVIRONMENT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
WORST_POINT_M = 1.0
LOGIN_BESIDE = "write username and password_file beside the uri instead"
LOGIN_WITHIN = (
    f"{LOGIN_BESIDE}; where the camera wants them in the path or the query, write {{username}} and "
    "{password} there"
)


def check_cameras(draft: Draft) -> None:
    """Addresses, credentials and floor maps of all cameras."""
    mirrored: dict[bool, str] = {}
    for index, camera in draft.cameras:
        path = f"cameras[{index}]"
        _check_uri(draft, camera, f"{path}.uri")
        _check_login(draft, camera, path)
        floor_map = _check_map(draft, camera, path)
        if floor_map is not None:
            mirrored.setdefault(_is_mirrored(floor_map, camera), camera.name)
            if len(mirrored) == 2:
                first = mirrored.pop(_is_mirrored(floor_map, camera))
                other = next(iter(mirrored.values()))
                wrong = f"{first!r} sees the floor mirrored against {other!r}"
                draft.note(f"{path}.{_map_key(camera)}", wrong, "x and y were swapped or one was negated")


def _check_uri(draft: Draft, camera: Camera, path: str) -> None:
    scheme = scheme_of(camera.uri)
    if is_bare_login(camera.uri):
        draft.note(path, "a login, and no kind of source before it", f"begin with rtsp://; {LOGIN_BESIDE}")
    elif scheme not in SCHEMES:
        listed = "a file, rtsp://, rtsps://, v4l2:/dev/video0 or csi:0"
        draft.note(
            path, f"unknown kind of source {scheme!r}", did_you_mean(scheme, list(SCHEMES), otherwise=listed)
        )
    elif scheme in STREAM_SCHEMES:
        _check_stream(draft, camera.uri, path)
    elif scheme == "v4l2" and not camera.uri.startswith("v4l2:/dev/"):
        draft.note(path, f"{camera.uri!r} names no video device", "v4l2:/dev/video0")
    elif scheme == "csi" and not camera.uri[len("csi:") :].isdigit():
        draft.note(path, f"{camera.uri!r} names no CSI sensor", "csi:0 for the first sensor")
    elif scheme == "file":
        _check_file(draft, camera.uri, path)


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
    options = uri.partition("?")[2] if uri.lower().startswith("file:") else ""
    for key, value in parse_qsl(options, keep_blank_values=True):
        pattern, _ = FILE_OPTIONS.get(key, (None, ""))
        if pattern is None or not pattern.fullmatch(value):
            right = ", ".join(words for _, words in FILE_OPTIONS.values())
            draft.note(path, f"unknown option {key}={value}", right)


def _check_login(draft: Draft, camera: Camera, path: str) -> None:
    if camera.password_file is not None and camera.username is None:
        draft.note(f"{path}.password_file", "a password without a name", "give username too")
    if takes_login(camera.uri) and camera.username is None:
        draft.note(f"{path}.uri", "a place for a login, and no login", LOGIN_BESIDE)
    elif PASSWORD_HERE in camera.uri and camera.password_file is None:
        draft.note(f"{path}.uri", "{password} in the address, and no password", "give password_file")
    if camera.username is not None and scheme_of(camera.uri) not in STREAM_SCHEMES:
        draft.note(
            f"{path}.username", "only network streams have a login", "leave username and password_file out"
        )


def _map_key(camera: Camera) -> str:
    return "points" if camera.points else "homography"


def _check_map(draft: Draft, camera: Camera, path: str) -> Homography | None:
    """The camera's floor map when it is sound, None when there is none or it was noted as a mistake."""
    if camera.points and camera.homography is not None:
        draft.note(
            f"{path}.points", "both points and homography", "keep the points: the map is fitted to them"
        )
        return None
    place = f"{path}.{_map_key(camera)}"
    try:
        floor_map = image_to_floor(camera)
    except GeometryError as error:
        draft.note(place, str(error), "tagsight calibrate floor measures and draws it")
        return None
    if floor_map is None:
        return None
    before = len(draft.notes.mistakes)
    _check_points(draft, camera, floor_map, place)
    _check_horizon(draft, camera, floor_map, place)
    return floor_map if len(draft.notes.mistakes) == before else None


def _check_points(draft: Draft, camera: Camera, floor_map: Homography, place: str) -> None:
    for number, pair in enumerate(camera.points):
        found = floor_map.to_floor(pair.image)[0]
        error_m = float(np.hypot(*(found - np.array(pair.floor))))
        if not error_m <= WORST_POINT_M:
            wrong = f"the fitted floor map misses this point by {error_m:.1f} m"
            draft.note(f"{place}[{number}]", wrong, "its picture or floor position is wrong, or another's")


def _check_horizon(draft: Draft, camera: Camera, floor_map: Homography, place: str) -> None:
    """The lower half of the picture shows floor, and some of it lies on the plan."""
    if camera.image_size is None:
        return
    width, height = camera.image_size
    corners = [(0, height - 1), (width - 1, height - 1), (0, height / 2), (width - 1, height / 2)]
    lower_half = floor_map.to_floor(corners)
    if not np.isfinite(lower_half).all():
        draft.note(
            place, "the horizon runs through the lower half of the picture", "measure the points again"
        )
    elif draft.floor is not None and draft.floor.extent_m is not None:
        u, v = np.meshgrid(np.linspace(0, width - 1, 16), np.linspace(height / 2, height - 1, 9))
        seen = floor_map.to_floor(np.stack([u.ravel(), v.ravel()], axis=1))
        x0, y0, x1, y1 = draft.floor.extent_m
        if not in_polygon(seen, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]).any():
            draft.note(place, "the camera sees nothing of the floor plan", "measure in the plan's own metres")


def _is_mirrored(floor_map: Homography, camera: Camera) -> bool:
    """Whether left and right are swapped between picture and plan: the sign of the map's orientation."""
    if camera.points:
        middle = np.mean([pair.image for pair in camera.points], axis=0)
    else:
        width, height = camera.image_size or camera.max_size
        middle = np.array([width / 2, height - 1.0])
    return bool(np.linalg.det(floor_map.jacobian(middle)[0]) < 0)
