"""Makes the store process write down every record of persons as it comes, before it is taken in.

Imported in the daemon's fork server, so that the store process that is forked from it does so, and so that
all processes tell what each part of a frame's way takes (`bench.paced.parts`). The file is that of the
environment variable `TAP`: a JSON array a record, the time it came (UTC seconds) first.
"""

from __future__ import annotations

import os
import socket
from io import FileIO

import msgspec

from bench.paced import parts
from runtime.messages import Message, PersonsSeen
from runtime.processes import store
from runtime.processes.store_spec import StoreSpec

TAP = "TAGSIGHT_BENCH_TAP"
KEEP_BYTES = 1 << 16


class TappedStore(store.StoreProcess):
    """The store process, with a file of what it was told."""

    def __init__(self, control: socket.socket, spec: StoreSpec) -> None:
        super().__init__(control, spec)
        self._file = FileIO(os.environ[TAP], "ab")
        self._unwritten = bytearray()

    def _take(self, record: Message, name: str) -> None:
        if isinstance(record, PersonsSeen):
            self._unwritten += msgspec.json.encode((self.clock.now(), record)) + b"\n"
            if len(self._unwritten) > KEEP_BYTES:
                self._write()
        super()._take(record, name)

    def finish(self) -> None:
        """As usual; what is noted is written."""
        super().finish()
        self._write()

    def _write(self) -> None:
        self._file.write(self._unwritten)
        self._unwritten.clear()


def main(control: socket.socket, spec: StoreSpec) -> None:
    """In place of the store process's own."""
    TappedStore(control, spec).run()


store.main = main
parts.install()
