"""What is wrong with a scene."""

from __future__ import annotations

from engines.errors import EngineError


class SceneError(EngineError):
    """A scene file that cannot be staged: the file, the key, the value and what would be right."""
