"""What the technician has to mend."""

from __future__ import annotations

from tagsight.errors import TagsightError


class CalibrationError(TagsightError):
    """Points, pictures or reads from which nothing can be measured."""
