"""What a daemon tells systemd: the receiving end of sd_notify(3)."""

from __future__ import annotations

import socket
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 65_536
LOOK_EVERY_S = 0.2


class Notice(NamedTuple):
    """One datagram: when it came (monotonic, seconds), and its lines."""

    at_s: float
    lines: tuple[str, ...]


class Notified:
    """Listens at `path`; `environment` makes a daemon tell it, with a watchdog of `watchdog_s`."""

    def __init__(self, path: Path, watchdog_s: float = 30.0) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": f"{watchdog_s * 1e6:.0f}"}
        self.notices: list[Notice] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(LOOK_EVERY_S)
        self._closing = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closing:
            try:
                text = self._socket.recv(MAX_BYTES).decode(errors="replace")
            except TimeoutError:
                continue
            self.notices.append(Notice(time.monotonic(), tuple(text.splitlines())))

    def said(self, line: str) -> bool:
        """Whether it was told exactly this, such as "READY=1"."""
        return any(line in notice.lines for notice in self.notices)

    def longest_silence_s(self, since_s: float, line: str = "WATCHDOG=1") -> float:
        """The longest time from `since_s` (monotonic) until now in which it was not told this."""
        times = [notice.at_s for notice in self.notices if line in notice.lines and notice.at_s > since_s]
        return max(after - before for before, after in pairwise([since_s, *times, time.monotonic()]))

    def close(self) -> None:
        """Listen no more."""
        self._closing = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Notified:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
