"""store.yaml on disk: read with its version, replaced in one step, the versions before it kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from web.errors import WebError
from web.security.private_files import write_private

KEPT = 10
MAX_BYTES = 4 << 20


class StoreFileError(WebError):
    """The file could not be read or written; what is on disk is as it was."""


class ChangedMeanwhile(StoreFileError):
    """Somebody else has written the file since it was read."""


class KeptVersion(msgspec.Struct, frozen=True):
    """An earlier text: `saved_s` is when it was replaced, UTC seconds, and `by` whom."""

    number: str
    saved_s: float
    by: str
    text: str


@dataclass(frozen=True)
class StoreText:
    """A text and the version to name when it is replaced."""

    text: str
    version: str


class StoreFile:
    """The configuration at `path`; earlier versions are kept in `folder`, which nobody else reads."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path.absolute()
        self._folder = folder

    def read(self) -> StoreText:
        """The file as it is. Raises StoreFileError."""
        try:
            with self.path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise StoreFileError(f"{self.path}: larger than {MAX_BYTES >> 20} MiB")
            return StoreText(data.decode("utf-8-sig"), version_of(data))
        except UnicodeDecodeError as error:
            raise StoreFileError(f"{self.path}: byte {error.start} is not UTF-8 text") from error
        except OSError as error:
            raise StoreFileError(f"{self.path}: cannot be read ({error.strerror})") from error

    def replace(self, text: str, version: str, by: str) -> StoreText:
        """Write `text` where the file still has that version, and keep what it replaces.

        Raises ChangedMeanwhile where it has another one, StoreFileError where the disk refuses; then the file
        is as it was.
        """
        with self._alone():
            stands = self.read()
            if stands.version != version:
                raise ChangedMeanwhile(
                    "Somebody else has saved the shop since you opened it. Nothing was overwritten: what you "
                    "drew is still on this page."
                )
            if stands.text == text:
                return stands
            self._keep(stands, by)
            self._write(text.encode())
            return self.read()

    def kept(self) -> list[KeptVersion]:
        """Earlier versions, the newest first."""
        found = []
        for file in sorted(self._folder.glob("*.json"), reverse=True):
            try:
                found.append(msgspec.json.decode(file.read_bytes(), type=KeptVersion))
            except (OSError, msgspec.DecodeError, RecursionError):
                continue
        return found[:KEPT]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, also of other processes."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreFileError(_refusal(self._folder, error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _keep(self, stands: StoreText, by: str) -> None:
        now_s = time.time()
        number = f"{time.time_ns():020d}"
        kept = msgspec.json.encode(KeptVersion(number, now_s, by, stands.text))
        write_private(self._folder / f"{number}.json", kept)
        for old in sorted(self._folder.glob("*.json"), reverse=True)[KEPT:]:
            old.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        target = self.path.resolve()
        new = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            stands = target.stat()
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, stands.st_mode & 0o777)
                if (stands.st_uid, stands.st_gid) != (os.getuid(), os.getgid()):
                    os.fchown(descriptor, stands.st_uid, stands.st_gid)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            new.replace(target)
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise StoreFileError(_refusal(target, error)) from error


def version_of(data: bytes) -> str:
    """Of the bytes of a file: the same ones, the same version."""
    return hashlib.sha256(data).hexdigest()[:24]


def _refusal(file: Path, error: OSError) -> str:
    return (
        f"{file} cannot be written ({error.strerror}); it is as it was, and what you drew is still on this "
        "page: take it away as a file, or make room and save again"
    )
