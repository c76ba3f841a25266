"""Files that are run, in effect: who may have written them.

A network or a plan steers what a process does with the camera's images, and a plan is machine code. So
both are read only where nobody but their owner could have changed them, and the owner is this user, root, or
whoever installed tagsight.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from pathlib import Path

from engines.errors import StoreError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def make_private_folder(path: Path) -> None:
    """Make a folder that only this user may enter, or see that it is one. Raises StoreError."""
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made ({error.strerror})") from error
    check_private_folder(path)


def check_private_folder(path: Path) -> None:
    """Raises StoreError unless it is a folder (no link) of this user's that nobody else may enter."""
    found = _look(path)
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{path}: must be a folder, not a link or a file")
    if found.st_uid != os.geteuid():
        raise StoreError(
            f"{path}: belongs to {_user(found.st_uid)}, not to {_user(os.geteuid())} who runs this"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise StoreError(f"{path}: other users may enter it; chmod 700 it, and build again what is in it")


def read_private(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a file that only this user could have written. Raises StoreError.

    What is returned is what was checked: the file is opened once, and links are not followed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path}: is no plain file")
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
            raise StoreError(f"{path}: could have been written by another user; it is not loaded")
        if found.st_size > limit_bytes:
            raise StoreError(f"{path}: {found.st_size:,} bytes is more than the {limit_bytes:,} it may have")
        return stream.read(limit_bytes + 1)


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by this user only, and on disk when this returns."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        handle = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE
        )
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
        settle(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise StoreError(f"{path}: cannot be written ({error.strerror})") from error


def settle(folder: Path) -> None:
    """Have the names in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_weights(path: Path) -> None:
    """Raises StoreError where somebody else could have changed a network file or swapped it in its folder.

    The owner may be this user, root, or the owner of the installed program.
    """
    owners = {os.geteuid(), 0, _look(Path(__file__)).st_uid}
    for place in (path, path.parent):
        try:
            found = place.stat()
        except OSError as error:
            raise StoreError(f"{place}: cannot be looked at ({error.strerror})") from error
        if found.st_uid not in owners:
            raise StoreError(
                f"{place}: belongs to {_user(found.st_uid)}; weights are loaded from our own folders"
            )
        if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _own_group(found)):
            raise StoreError(f"{place}: other users may write to it; chmod go-w it")


def _own_group(found: os.stat_result) -> bool:
    """The group is the owner's own, as many systems make it for each user."""
    try:
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    return owner.pw_gid == found.st_gid and set(group.gr_mem) <= {owner.pw_name}


def _look(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise StoreError(f"{path}: cannot be looked at ({error.strerror})") from error


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
