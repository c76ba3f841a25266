"""What the technician has to mend."""

from __future__ import annotations

from runtime.errors import TagsightError


class CalibrationError(TagsightError):
    """Points, pictures or reads from which nothing can be measured."""
