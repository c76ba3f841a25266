"""What can be wrong with what box and fleet tell each other, in a sentence."""

from __future__ import annotations

import msgspec

from tagsight.errors import TagsightError

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What JSON from outside can raise: not JSON or not ours, not UTF-8, nested too deep."""


class ContractError(TagsightError):
    """One sentence that says what is wrong with an event, a payload or a stored schema, and what is right."""


class PayloadError(ContractError):
    """Bytes that claim to be events and are not."""
