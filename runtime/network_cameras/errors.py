"""What can go wrong with ONVIF, for people."""

from __future__ import annotations

from tagsight.errors import TagsightError


class OnvifError(TagsightError):
    """A camera cannot be asked, or answers what is no ONVIF."""
