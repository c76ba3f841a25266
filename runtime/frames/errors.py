"""What can go wrong with frames, for people."""

from __future__ import annotations

from tagsight.errors import TagsightError


class FrameError(TagsightError):
    """A fault of a camera's source or of its frame ring."""


class RingError(FrameError):
    """A frame ring cannot be made, attached or used as asked."""
