"""What systemd is told: sd_notify(3) without a library."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Sends state lines to `$NOTIFY_SOCKET`; does nothing where the daemon was not started by systemd."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told at all."""
        return self._socket is not None

    def send(self, *lines: str) -> bool:
        """Send lines such as "READY=1"; False where there is nobody to tell or it could not be told."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return False
        return True


def watchdog_interval_s() -> float | None:
    """How often systemd wants to receive WATCHDOG=1: half of `$WATCHDOG_USEC`, None if it does not."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not usec.isdigit() or pid != str(os.getpid()):
        return None
    return int(usec) / 2e6
