"""What a machine lacks when the kernel refuses, in words."""

from __future__ import annotations

import errno
import os

TOO_LITTLE_MEMORY = "too little memory"
TOO_MANY_PROCESSES = "too many processes and threads: see TasksMax and ulimit -u"
LIMITS = {
    errno.ENOMEM: TOO_LITTLE_MEMORY,
    errno.EAGAIN: TOO_MANY_PROCESSES,
    errno.EMFILE: "too many open files: see LimitNOFILE and ulimit -n",
    errno.ENFILE: "too many open files on this machine",
}


def refusal_reason(number: int) -> str:
    """Why the kernel gives no process, by its errno."""
    told = os.strerror(number) if number else "unknown error"
    return f"{told} ({LIMITS[number]})" if number in LIMITS else told


def shortage(error: Exception) -> str:
    """What is lacking where that is why a process cannot go on; empty where it is a fault of the program."""
    if isinstance(error, MemoryError):
        return TOO_LITTLE_MEMORY
    if isinstance(error, BlockingIOError):
        # A socket says the same where nothing is lacking.
        return ""
    if isinstance(error, OSError):
        return LIMITS.get(error.errno or 0, "")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return TOO_MANY_PROCESSES
    if isinstance(error, ImportError) and "failed to map segment" in str(error):
        return TOO_LITTLE_MEMORY
    return ""
