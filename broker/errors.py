"""What goes wrong with a broker, in a sentence."""

from __future__ import annotations

from tagsight.errors import TagsightError


class BrokerError(TagsightError):
    """A fault of the broker, its address, its certificates or password file that the user can mend."""
