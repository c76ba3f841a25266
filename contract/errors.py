"""What can be wrong with bytes that claim to be events, in a sentence."""

from __future__ import annotations

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What JSON from outside can raise: not JSON or not ours, not UTF-8, nested too deep."""


class PayloadError(Exception):
    """Bytes that claim to be events and are not."""
