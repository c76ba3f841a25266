"""What a camera section means: its address with credentials, and its map from picture to floor."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import numpy as np

from runtime.config.sections.cameras import PointPair
from runtime.config.sections.words import Matrix
from runtime.geometry import Floats, Homography
from tagsight.file_uri import file_parts
from tagsight.secret_files import read_secret

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
DEVICE_SCHEMES = ("v4l2", "csi")
NAME_HERE, PASSWORD_HERE = "{username}", "{password}"
"""In an address: where a camera wants its login in the path or the query."""


def scheme_of(uri: str) -> str:
    """`rtsp`, `v4l2`, `csi`, `file` (also for a bare path), or the unknown word before the colon."""
    head, colon, _ = uri.partition(":")
    return head.lower() if colon and head.isalnum() else "file"


def file_of(uri: str) -> Path | None:
    """The file that a `file:` URI or a bare path names, without its options; None for streams and devices."""
    return Path(file_parts(uri)[0]) if scheme_of(uri) == "file" else None


def resolve_uri(uri: str, folder: Path) -> str:
    """The URI with a relative file path made absolute from `folder`; other URIs as they are."""
    file = file_of(uri)
    if file is None:
        return uri
    absolute = str(folder / file.expanduser())
    if not uri.lower().startswith("file:"):
        return absolute
    options = file_parts(uri)[1]
    return f"file:{absolute}?{options}" if options or "?" in absolute else f"file:{absolute}"


def takes_login(uri: str) -> bool:
    """Whether the address itself says where name and password go, as `...?user={username}&pwd={password}`."""
    return PASSWORD_HERE in uri or NAME_HERE in uri


class WithLogin(Protocol):
    """What has an address and a login: a camera's section, or those of its keys."""

    @property
    def uri(self) -> str: ...
    @property
    def substream(self) -> str | None: ...
    @property
    def username(self) -> str | None: ...
    @property
    def password_file(self) -> Path | None: ...


def source_uri(camera: WithLogin) -> str:
    """The camera's URI with the user name and the password from its file filled in (secret: never log it)."""
    return _with_login(camera.uri, camera)


def substream_uri(camera: WithLogin) -> str | None:
    """As `source_uri`, of the camera's second stream; None if it has none."""
    return None if camera.substream is None else _with_login(camera.substream, camera)


def _with_login(uri: str, camera: WithLogin) -> str:
    if camera.username is None:
        return uri
    scheme, _, rest = uri.partition("://")
    name = quote(camera.username, safe="")
    password = None if camera.password_file is None else quote(read_secret(camera.password_file), safe="")
    if takes_login(uri):
        return uri.replace(NAME_HERE, name).replace(PASSWORD_HERE, password or "")
    credentials = name if password is None else f"{name}:{password}"
    return f"{scheme}://{credentials}@{rest}"


class FloorMapped(Protocol):
    """What has a map from picture to floor: a camera's section, or those of its keys."""

    @property
    def homography(self) -> Matrix | None: ...
    @property
    def points(self) -> list[PointPair]: ...
    @property
    def image_size(self) -> tuple[int, int] | None: ...


def image_to_floor(camera: FloorMapped, size: tuple[int, int] | None = None) -> Homography | None:
    """The camera's map from pixels to floor metres, None when it has none.

    `size` is the (width, height) of the pictures it will be used on: where they are a scaled version of
    `image_size`, the map is scaled with them. Raises GeometryError for points that fix no homography.
    """
    scale = np.ones(3)
    if size is not None and camera.image_size is not None:
        scale[:2] = np.array(camera.image_size) / size
    if camera.points:
        image = np.array([pair.image for pair in camera.points])
        found = Homography.from_points(image, np.array([pair.floor for pair in camera.points]))
        u, v = image.mean(axis=0) / scale[:2]
        return Homography(found.matrix @ np.diag(scale), (float(u), float(v)))
    if camera.homography is None:
        return None
    matrix = np.array(camera.homography, dtype=np.float64) @ np.diag(scale)
    shown = size or camera.image_size
    return Homography(matrix) if shown is None else _right_side_up(matrix, shown)


def _right_side_up(matrix: Floats, size: tuple[int, int]) -> Homography:
    """The map for which the floor is at the bottom of the picture, or for a camera that hangs on its side or
    upside down in the middle of it: whichever of the two a camera above a floor can have.
    """
    found = Homography(matrix, (size[0] / 2, size[1] - 1.0))
    middle = size[0] / 2, size[1] / 2
    is_floor = found.matrix[2] @ (*middle, 1.0) > 0
    return found if is_floor or np.linalg.det(found.matrix) > 0 else Homography(matrix, middle)
