"""Files of passwords and keys: read, and whether other users of this machine can read them too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tagsight.errors import TagsightError

MAX_SECRET_BYTES = 4_096
OTHERS = stat.S_IRWXG | stat.S_IRWXO
CREDENTIAL_OTHERS = stat.S_IWGRP | stat.S_IRWXO
"""systemd hands credentials over with an access list, which shows as readable by the group."""


def read_secret(file: Path) -> str:
    """The first line of a password file. Raises TagsightError when it cannot be read or is empty."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_SECRET_BYTES)
        secret = raw.decode("utf-8").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError as error:
        raise TagsightError(
            f"{file}: the password file is not text (byte {error.start}); one line of text is right"
        ) from None
    except OSError as error:
        raise TagsightError(
            f"{file}: the password file cannot be read ({error}); one line of text is right"
        ) from error
    if not secret:
        raise TagsightError(f"{file}: the password file is empty; write the password on its first line")
    return secret


def open_to_others(file: Path, what: str) -> str:
    """A sentence where others can read the file of a secret, empty where they cannot. Raises OSError."""
    mode = file.stat().st_mode
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    is_credential = credentials is not None and file.resolve().is_relative_to(Path(credentials).resolve())
    if not mode & (CREDENTIAL_OTHERS if is_credential else OTHERS):
        return ""
    return f"{file}: the {what} can be read by others (mode {stat.S_IMODE(mode):04o}); chmod 600 {file}"
