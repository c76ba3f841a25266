"""The root of the errors for people, where the rooms of `runtime` take it from."""

from tagsight.errors import TagsightError

__all__ = ["TagsightError"]
