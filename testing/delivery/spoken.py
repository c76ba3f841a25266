"""A device that is only its words: events and statuses as JSON by hand, also such as ours would never say."""

from __future__ import annotations

import json
import time
import uuid
import zlib
from typing import Any

from contract.envelope import Origin, rfc3339, uuid7
from testing.delivery.wire_level import RawClient

Event = dict[str, Any]


class SpokenDevice:
    """Speaks as `origin` over a connection of its own, as one stream with one incarnation.

    Usable as a context manager.
    """

    def __init__(self, port: int, origin: Origin) -> None:
        self.origin = origin
        self.stream = str(uuid.uuid4())
        self.incarnation = uuid.uuid4().hex
        self._client = RawClient(port, f"spoken-{origin.device}")

    def visit(self, seq: int, **fields: object) -> Event:
        """A visit with this number; `fields` go before its own."""
        now_s = time.time()
        return {
            "id": uuid7(now_s),
            "site": self.origin.site,
            "device": self.origin.device,
            "stream": self.stream,
            "seq": seq,
            "kind": "visit",
            "time": rfc3339(now_s),
            "rev": 0,
            "key": f"visit/{self.origin.device}/{seq}",
            "retracted": False,
            "time_s": now_s,
            "visitor": f"v{seq}",
            "direction": "in",
            "entrance": "door",
            **fields,
        }

    def say(self, *events: Event, qos: int = 1) -> None:
        """Publish events of one kind: one as it is, more as a deflated array."""
        single = json.dumps(events[0]).encode()
        payload = single if len(events) == 1 else zlib.compress(json.dumps(events).encode())
        self._client.publish(self._topic(events[0]["kind"]), payload, qos=qos)

    def announce(self, last_seq: int, *, qos: int = 1, **fields: object) -> None:
        """Publish the status: online, with this last number; `fields` go before its own."""
        status = {
            "state": "online",
            "site": self.origin.site,
            "device": self.origin.device,
            "time": rfc3339(time.time()),
            "last_seq": last_seq,
            "stream": self.stream,
            "incarnation": self.incarnation,
            **fields,
        }
        self._client.publish(self._topic("status"), json.dumps(status).encode(), qos=qos)

    def _topic(self, leaf: str) -> str:
        return f"tagsight/v1/{self.origin.site}/{self.origin.device}/{leaf}"

    def close(self) -> None:
        """Cut the connection without a word."""
        self._client.close()

    def __enter__(self) -> SpokenDevice:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
