"""What can go wrong between the outbox and the cloud, in a sentence."""

from __future__ import annotations

from tagsight.errors import TagsightError


class UplinkError(TagsightError):
    """A fault of the broker, its address, its certificates or the outbox file that the user can mend."""


class OutboxError(UplinkError):
    """The outbox file cannot be used as it is."""


class StreamEnded(UplinkError):
    """The outbox goes on as a new stream; the connection that spoke for the old one is over."""
