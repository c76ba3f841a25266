"""What a camera section means: its address with credentials, and its map from picture to floor."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import numpy as np

from runtime.config.secret_files import read_secret
from runtime.config.sections import Camera
from runtime.geometry import Homography

STREAM_SCHEMES = ("rtsp", "rtsps")
DEVICE_SCHEMES = ("v4l2", "csi")
NAME_HERE, PASSWORD_HERE = "{username}", "{password}"
"""In an address: where a camera wants its login in the path or the query."""


def scheme_of(uri: str) -> str:
    """`rtsp`, `v4l2`, `csi`, `file` (also for a bare path), or the unknown word before the colon."""
    head, colon, _ = uri.partition(":")
    return head.lower() if colon and head.isalnum() else "file"


def file_of(uri: str) -> Path | None:
    """The file that a `file:` URI or a bare path names, without its options; None for streams and devices."""
    if scheme_of(uri) != "file":
        return None
    rest = uri[len("file:") :] if uri.lower().startswith("file:") else uri
    if rest.startswith("//"):
        rest = rest[2:]
    return Path(rest.partition("?")[0] if uri.lower().startswith("file:") else rest)


def resolve_uri(uri: str, folder: Path) -> str:
    """The URI with a relative file path made absolute from `folder`; other URIs as they are."""
    file = file_of(uri)
    if file is None:
        return uri
    absolute = str(folder / file.expanduser())
    if not uri.lower().startswith("file:"):
        return absolute
    options = uri.partition("?")[2]
    return f"file:{absolute}?{options}" if options else f"file:{absolute}"


def takes_login(uri: str) -> bool:
    """Whether the address itself says where name and password go, as `...?user={username}&pwd={password}`."""
    return PASSWORD_HERE in uri or NAME_HERE in uri


def source_uri(camera: Camera) -> str:
    """The camera's URI with the user name and the password from its file filled in (secret: never log it)."""
    if camera.username is None:
        return camera.uri
    scheme, _, rest = camera.uri.partition("://")
    name = quote(camera.username, safe="")
    password = None if camera.password_file is None else quote(read_secret(camera.password_file), safe="")
    if takes_login(camera.uri):
        return camera.uri.replace(NAME_HERE, name).replace(PASSWORD_HERE, password or "")
    credentials = name if password is None else f"{name}:{password}"
    return f"{scheme}://{credentials}@{rest}"


def image_to_floor(camera: Camera, size: tuple[int, int] | None = None) -> Homography | None:
    """The camera's map from pixels to floor metres, None when it has none.

    `size` is the (width, height) of the pictures it will be used on: where they are a scaled version of
    `image_size`, the map is scaled with them. Raises GeometryError for points that fix no homography.
    """
    if camera.points:
        found = Homography.from_points(
            np.array([pair.image for pair in camera.points]), np.array([pair.floor for pair in camera.points])
        )
        matrix = found.matrix
    elif camera.homography is not None:
        matrix = np.array(camera.homography, dtype=np.float64)
    else:
        return None
    measured = camera.image_size or size
    floor_pixel = (measured[0] / 2, measured[1] - 1.0) if measured else None
    if size is not None and camera.image_size is not None and size != camera.image_size:
        to_measured = np.diag([camera.image_size[0] / size[0], camera.image_size[1] / size[1], 1.0])
        matrix = matrix @ to_measured
        floor_pixel = (size[0] / 2, size[1] - 1.0)
    return Homography(matrix) if floor_pixel is None else Homography(matrix, floor_pixel)
