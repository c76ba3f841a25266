"""What a device concludes from what others say under its name. Pure.

A retained status, a status of somebody who is online now, or the cloud's acknowledgement can show that a copy
of this outbox has been at work: the same stream with an incarnation, or a number, that this outbox does not
know. Then this outbox goes on as a new stream. Another stream under the same name is what this device had
before it got a new outbox, or a second device with the same name.
"""

from __future__ import annotations

from contract.wire import Ack, Status
from runtime.uplink.outbox.identity import COPIED, REPLACED, Identity, Succession

MOST_AHEAD = 10_000_000
"""No copy is further ahead: that is months of a busy store. Who claims more is believed so far."""


def copy_in_status(identity: Identity, status: Status, last_seq: int) -> Succession | None:
    """The request that follows where `status` comes from a copy of this outbox.

    `last_seq` is the last number in this outbox.
    """
    if status.stream != identity.stream:
        return None
    if status.last_seq <= last_seq and not identity.strangers([status.incarnation]):
        return None
    return Succession(identity.stream, 1, min(status.last_seq, last_seq + MOST_AHEAD), COPIED, True)


def copy_in_ack(identity: Identity, ack: Ack, last_seq: int) -> Succession | None:
    """The same for an acknowledgement. Before it was told of the present incarnation, the cloud cannot have
    had a number that this incarnation was the first to use."""
    if ack.stream != identity.stream:
        return None
    had_before = ack.incarnations.get(identity.incarnation, 0)
    if ack.last <= last_seq and had_before <= identity.began and not identity.strangers(ack.incarnations):
        return None
    return Succession(identity.stream, 1, min(ack.last, last_seq + MOST_AHEAD), COPIED, True)


def predecessor_in_status(identity: Identity, status: Status) -> Succession | None:
    """The request that follows where `status` was left by the outbox that this one replaces."""
    if not status.stream or status.stream == identity.stream or status.last_seq < 1:
        return None
    first = min(status.delivered_seq + 1, status.last_seq)
    return Succession(status.stream, first, status.last_seq, REPLACED, False)


def is_namesake(identity: Identity, status: Status) -> bool:
    """Somebody else is online under this device's name."""
    return status.state == "online" and status.incarnation != "" and status.stream != identity.stream
