"""Files that only their owner reads: written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from web.errors import WebError

KEY_BYTES = 32
MAX_BYTES = 1_000_000


def write_private(path: Path, data: bytes) -> None:
    """Replace the file in one step, mode 0600. Raises WebError where the disk refuses; the old one stays."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise WebError(f"{path}: cannot be written ({error.strerror}); nothing was changed") from error


def read_private(path: Path) -> bytes | None:
    """What is in the file; None where there is none. Raises WebError where others may read it too."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise WebError(f"{path}: can be read by others (mode {mode & 0o777:04o}); chmod 600 {path}")
            return file.read(MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WebError(f"{path}: cannot be read ({error.strerror})") from error


def signing_key(path: Path) -> bytes:
    """The key that cookies and links are signed with, made where there is none. Raises WebError."""
    found = read_private(path)
    if found is None:
        write_private(path, secrets.token_bytes(KEY_BYTES))
        found = read_private(path)
    if found is None or len(found) != KEY_BYTES:
        raise WebError(
            f"{path}: not a key of {KEY_BYTES} bytes; remove it, a new one is made at the next start"
        )
    return found
