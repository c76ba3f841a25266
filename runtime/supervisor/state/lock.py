"""Our hold on the state folder: one daemon at a time, and what is wrong with it is tried again."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from runtime.supervisor.state.folder import (
    FOLDER_MODE,
    NAME,
    StateError,
    StateUnwritableError,
    prepare_state_folder,
    restrict_modes,
)

RETRY_S = 3.0
LOCK_TRIES = 5
LOCK_PAUSE_S = 0.05
"""`tagsight doctor` holds the lock for a moment to see whether it is free."""

log = logging.getLogger(__name__)


class StateTakenError(StateError):
    """Another daemon runs on this state folder."""


class StateLock:
    """A state folder and our lock on it, which the kernel frees when this process ends, however it ends.

    `fault` says what is wrong with the folder; empty where it is ready. With a fault, `withheld` says that
    nothing may run on it: what lies there is not ours to touch. Otherwise what would be written there waits.
    """

    def __init__(self, folder: Path, outbox: Path) -> None:
        self.folder = folder
        self.fault = ""
        self.withheld = False
        self._outbox = outbox
        self._lock_fd: int | None = None
        self._ready = False
        self._due_s = 0.0

    @property
    def crash_folder(self) -> Path:
        """Where processes leave the traces of their end."""
        return self.folder / "crash"

    def prepare(self, now_s: float) -> None:
        """Take the folder and make it ready, where that is due or it is another one by now.

        Raises StateTakenError.
        """
        if now_s < self._due_s:
            return
        self._due_s = now_s + RETRY_S
        if self._ready and self._is_locked():
            return
        if self._ready:
            log.error("state_dir %s was removed or replaced while in use", self.folder)
            self.release()
        before = self.fault
        try:
            self._lock()
            prepare_state_folder(self.folder)
            self._lock()
            self.fault, self.withheld, self._ready = "", False, True
            with suppress(OSError):
                self.crash_folder.mkdir(exist_ok=True, mode=FOLDER_MODE)
            restrict_modes(
                [
                    self.folder / NAME,
                    *_files(self._outbox.parent, f"{self._outbox.name}*"),
                    *_files(self.crash_folder, "*.trace"),
                ]
            )
        except StateTakenError:
            raise
        except StateError as error:
            self.fault, self._ready = str(error), False
            self.withheld = not isinstance(error, StateUnwritableError)
        if before and not self.fault:
            log.info("state_dir %s is ready", self.folder)

    def _is_locked(self) -> bool:
        """The folder that lies there is the one that we have locked, or one that we could not even open."""
        if self._lock_fd is None:
            return True
        ours = os.fstat(self._lock_fd)
        try:
            there = self.folder.stat()
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def release(self) -> None:
        """Let another daemon have it."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _lock(self) -> None:
        """Lock the folder itself: that needs no room on a full disk, and no leave to write."""
        if self._lock_fd is not None:
            return
        try:
            fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            # Not there yet, or not for us: preparing it says which.
            return
        for left in reversed(range(LOCK_TRIES)):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if left:
                    time.sleep(LOCK_PAUSE_S)
                    continue
                os.close(fd)
                raise StateTakenError(
                    f"state_dir {self.folder}: another tagsight daemon runs on it; stop that one, or give "
                    "this one a state_dir of its own"
                ) from None
            except OSError as error:
                log.warning("state_dir %s: cannot be locked (%s)", self.folder, error.strerror)
                break
        self._lock_fd = fd


def _files(folder: Path, pattern: str) -> list[Path]:
    """The files there that are called so; none where the folder cannot be read."""
    with suppress(OSError):
        return [file for file in folder.glob(pattern) if file.is_file()]
    return []
