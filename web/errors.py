"""What goes wrong with pages, in a sentence for who runs them."""

from __future__ import annotations

from tagsight.errors import TagsightError


class WebError(TagsightError):
    """One clear sentence: what is wrong, and what would be right."""
