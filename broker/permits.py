"""What a broker lets a client do: said at connect (MQTT 5), or learned from how it refuses.

Sources: MQTT 5.0, sections 3.2.2.3 (properties of CONNACK) and 2.4 (reason codes).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

BAD_CLIENT_ID = 133
TOPIC_REFUSED = 144
TOO_LARGE = 149
QUOTA_EXCEEDED = 151
NO_RETAIN = 154
NO_QOS = 155
NOT_AUTHORISED = 135
SHORT_ID_CHARS = 20
"""With "ts" before them: 22 digits and letters; every MQTT 3.1.1 broker takes 23 (section 3.1.3.1)."""
MOST_STRIKES = 3
"""How often an event that was alone under way may end a connection before it is given up."""
LEAST_BATCH_BYTES = 512


@dataclass
class Permits:
    """What one broker permits; outlives the connections to it.

    `max_packet` is None where there is no limit.
    """

    can_retain: bool = True
    max_qos: int = 1
    max_packet: int | None = None
    _id_form: int = 0

    def receive(self, properties: Any) -> None:
        """Take over what a CONNACK says."""
        self.can_retain = self.can_retain and bool(getattr(properties, "RetainAvailable", 1))
        self.max_qos = min(self.max_qos, int(getattr(properties, "MaximumQoS", 1)))
        self.max_packet = getattr(properties, "MaximumPacketSize", None)

    def refused(self, code: int, properties: Any) -> bool:
        """A connection was refused with this reason; True where another way is left to try."""
        if code == NO_RETAIN and self.can_retain:
            self.can_retain = False
        elif code == NO_QOS and self.max_qos > 0:
            self.max_qos = int(getattr(properties, "MaximumQoS", 0))
        elif code == BAD_CLIENT_ID and self._id_form < len(_ID_FORMS) - 1:
            self._id_form += 1
        else:
            return False
        return True

    def closed_unanswered(self) -> None:
        """An MQTT 3.1.1 broker closed the connection without a word: next time, ask for less, or again for
        all."""
        if self.can_retain and self.max_qos > 0:
            self.can_retain = False
        elif self.max_qos > 0:
            self.max_qos = 0
        else:
            self.can_retain, self.max_qos = True, 1

    def client_id(self, wanted: str) -> str:
        """The client id to connect with: the wanted one, a short one, or none (the broker gives one)."""
        return _ID_FORMS[self._id_form](wanted)


def _short(wanted: str) -> str:
    return "ts" + hashlib.sha256(wanted.encode()).hexdigest()[:SHORT_ID_CHARS]


_ID_FORMS = (str, _short, lambda wanted: "")


@dataclass
class Fit:
    """How large a message may be where the broker does not say it. Pure.

    A connection that ends while a message is under way that is larger than any this broker ever took makes
    that message suspect: a batch is made smaller; a single event goes alone, after all others, and is given
    up after MOST_STRIKES.
    """

    batch_bytes: int | None = None
    largest_taken: int = 0
    strikes: dict[int, int] = field(default_factory=dict)

    def taken(self, size: int, seqs: tuple[int, ...]) -> None:
        """The broker has acknowledged a message of `size` bytes."""
        self.largest_taken = max(self.largest_taken, size)
        for seq in seqs if self.strikes else ():
            self.strikes.pop(seq, None)

    def broke(self, under_way: list[tuple[int, tuple[int, ...]]]) -> None:
        """The connection ended with these messages (bytes, events) not acknowledged."""
        suspects = [(size, seqs) for size, seqs in under_way if size > self.largest_taken]
        for size, seqs in suspects:
            if len(seqs) > 1:
                smaller = max(size // 2, LEAST_BATCH_BYTES)
                self.batch_bytes = min(self.batch_bytes or smaller, smaller)
        singles = [seqs[0] for _, seqs in suspects if len(seqs) == 1]
        alone = len(under_way) == 1
        for seq in singles:
            self.strikes[seq] = self.strikes.get(seq, 0) + (1 if alone else 0)

    def learned(self) -> tuple[int | None, int]:
        """What has been learned so far: changes when a connection has taught something."""
        return self.batch_bytes, sum(self.strikes.values()) + len(self.strikes)

    def is_suspect(self, seq: int) -> bool:
        """This event is to go alone, after all others."""
        return seq in self.strikes

    def is_hopeless(self, seq: int) -> bool:
        """This event has ended too many connections."""
        return self.strikes.get(seq, 0) >= MOST_STRIKES


def advice(code: int) -> str:
    """What to do about a message that the broker refuses with this MQTT 5 reason."""
    return {
        TOPIC_REFUSED: "the topic is not valid there: shorten site.name and site.device",
        TOO_LARGE: "it permits only smaller messages",
        QUOTA_EXCEEDED: "its quota is used up: raise it, or send less (intervals)",
    }.get(code, "allow the topic in the ACL")


UNEXPLAINED = (
    "MQTT 3.1.1 gives no reason: a message larger than the broker permits, no retained messages, no QoS 1, a "
    "topic or client id that it does not take, an ACL, or another client with the same id"
)
