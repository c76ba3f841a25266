"""A process of the box run in a thread, seen from its supervisor and the store process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from runtime import messages
from runtime.messages import Attach, Health, HealthState, Stop

WITHIN_S = 20.0


class InAThread:
    """Begins at once; `control` is the supervisor's end, `store` that of the store process."""

    def __init__(self, main: Callable[[socket.socket, Any], None], spec: object) -> None:
        self.control, theirs = messages.pair()
        self.control.settimeout(WITHIN_S)
        self.thread = threading.Thread(target=main, args=(theirs, spec))
        self.thread.start()
        self.attach_store()

    def attach_store(self) -> None:
        """A store process is there, for the first time or anew."""
        self.store, for_it = messages.pair()
        self.store.settimeout(WITHIN_S)
        messages.send(self.control, Attach("store", "store"), (for_it.fileno(),))
        for_it.close()

    def health(self, state: HealthState) -> Health:
        """Its first word of being in that state."""
        deadline_s = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s:
            message, _ = messages.receive(self.control)
            if isinstance(message, Health) and message.state == state:
                return message
        raise AssertionError(f"never {state}")

    def stop(self) -> float:
        """Ask it to stop; how long that took, seconds."""
        began_s = time.monotonic()
        if self.thread.is_alive():
            messages.send(self.control, Stop())
        self.thread.join(WITHIN_S)
        assert not self.thread.is_alive()
        return time.monotonic() - began_s

    def close(self) -> None:
        """Its supervisor and its store process are gone, which ends it."""
        self.control.close()
        self.store.close()
        self.thread.join(WITHIN_S)
