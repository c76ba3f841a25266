"""Log records for systemd's journal: one entry a record, with fields, however many lines it has.

The journal's native protocol (systemd, "Native Journal Protocol"): a datagram of fields; a value with a line
break is preceded by its length in 64 bits, little endian.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from pathlib import Path

from tagsight.redaction import RedactingFormatter

SOCKET = "/run/systemd/journal/socket"
MAX_MESSAGE = 48_000
"""Characters: with the other fields a datagram that every kernel takes."""
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
DEBUG_PRIORITY = 7


def goes_to_journal() -> bool:
    """Whether standard error is connected to the journal (systemd.exec(5), $JOURNAL_STREAM)."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        stream = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(stream.st_dev), str(stream.st_ino))


def priority_of(level: int) -> int:
    """The syslog priority of a logging level."""
    return next((priority for least, priority in PRIORITIES if level >= least), DEBUG_PRIORITY)


class JournalHandler(logging.Handler):
    """Sends records to the journal; what it does not take goes to standard error, with a priority."""

    def __init__(self, address: str = SOCKET) -> None:
        super().__init__()
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._fallback = logging.StreamHandler()
        self._fallback.setFormatter(PriorityFormatter("%(processName)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """As logging asks of a handler."""
        try:
            self._socket.sendto(entry(record, self.format(record)), self._address)
        except OSError:
            self._fallback.emit(record)


class PriorityFormatter(RedactingFormatter):
    """One line that begins with its syslog priority, as of sd-daemon(3)."""

    def format(self, record: logging.LogRecord) -> str:
        """Lines of a trace are joined by a bar."""
        return f"<{priority_of(record.levelno)}>" + " | ".join(super().format(record).splitlines())


def entry(record: logging.LogRecord, text: str) -> bytes:
    """The datagram of one record. `TAGSIGHT_PROCESS` says which process of the box speaks."""
    fields = {
        "MESSAGE": f"{record.processName}: {text}"[:MAX_MESSAGE],
        "PRIORITY": str(priority_of(record.levelno)),
        "SYSLOG_IDENTIFIER": "tagsight",
        "TAGSIGHT_PROCESS": str(record.processName),
        "TAGSIGHT_LOGGER": record.name,
        "CODE_FILE": Path(record.pathname).name,
        "CODE_LINE": str(record.lineno),
    }
    return b"".join(_field(name, value) for name, value in fields.items())


def _field(name: str, value: str) -> bytes:
    data = value.encode(errors="replace")
    if "\n" not in value:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
