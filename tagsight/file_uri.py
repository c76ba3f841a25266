"""A video file's address, taken apart: `file:/clips/door.mp4?loop=1`."""

from __future__ import annotations


def file_parts(uri: str) -> tuple[str, str]:
    """Path and options of a `file:` URI, or of a bare path, which has none.

    A file's name may hold a question mark itself: the last one begins the options.
    """
    if not uri.lower().startswith("file:"):
        return uri, ""
    path, mark, options = uri[len("file:") :].rpartition("?")
    path, options = (path, options) if mark else (options, "")
    return path.removeprefix("//"), options
