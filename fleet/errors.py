"""The warehouse's error that is meant for a person."""

from __future__ import annotations

from tagsight.errors import TagsightError


class FleetError(TagsightError):
    """A fault the user can mend: one sentence that names the file, key or value and what would be right."""
