"""Server-sent events: what happens, to every browser that looks, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.responses import StreamingResponse

MAX_WAITING = 32
"""Messages that wait for a slow browser; beyond it the oldest go, and it is told all anew."""
KEEP_ALIVE_S = 15.0
MAX_VIEWERS = 24


class Feed:
    """Browsers that listen. Used by one event loop.

    `snapshot` gives everything as it is now, for one who begins to listen; `on_viewers` hears how many do.
    """

    def __init__(self, snapshot: Callable[[], Any], on_viewers: Callable[[int], None]) -> None:
        self._snapshot = snapshot
        self._on_viewers = on_viewers
        self._viewers: set[_Viewer] = set()
        self._closed = False

    @property
    def viewers(self) -> int:
        """How many listen."""
        return len(self._viewers)

    def tell(self, name: str, data: Any) -> None:
        """The same to everybody."""
        if self._viewers:
            message = sse(name, data)
            for viewer in self._viewers:
                viewer.put(message)

    def close(self) -> None:
        """Let everybody go; who comes later gets nothing."""
        self._closed = True
        for viewer in self._viewers:
            viewer.queue.put_nowait(b"")

    def response(self, still_may: Callable[[], bool]) -> StreamingResponse | None:
        """The stream for one more browser, which ends once it may no more; None where it is one too many."""
        if len(self._viewers) >= MAX_VIEWERS or self._closed:
            return None
        return StreamingResponse(
            self._listen(_Viewer(), still_may),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _listen(self, viewer: _Viewer, still_may: Callable[[], bool]) -> AsyncIterator[bytes]:
        self._viewers.add(viewer)
        self._on_viewers(len(self._viewers))
        try:
            yield sse("all", self._snapshot())
            while not self._closed and still_may():
                try:
                    message = await asyncio.wait_for(viewer.queue.get(), KEEP_ALIVE_S)
                except asyncio.TimeoutError:
                    message = b": still here\n\n"
                if viewer.lost:
                    viewer.begin_anew()
                    message = sse("all", self._snapshot())
                yield message
        finally:
            self._viewers.discard(viewer)
            self._on_viewers(len(self._viewers))


class _Viewer:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING + 1)
        self.lost = False

    def put(self, message: bytes) -> None:
        if self.queue.qsize() >= MAX_WAITING:
            self.lost = True
        else:
            self.queue.put_nowait(message)

    def begin_anew(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        self.lost = False


def sse(name: str, data: Any) -> bytes:
    """One server-sent event with JSON data, which has no line breaks."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
