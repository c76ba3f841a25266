"""What can be said about a network file before a library opens it."""

from __future__ import annotations

from pathlib import Path

from engines.backends.protocol import MAX_NETWORK_BYTES
from engines.errors import WeightsError


def check_file(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raises WeightsError for a file that is missing, empty, too large or of another kind."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    if path.suffix not in suffixes:
        raise WeightsError(f"{path}: expected a file ending in {' or '.join(suffixes)}")
    size = path.stat().st_size
    if size == 0:
        raise WeightsError(f"{path}: the file is empty")
    if size > MAX_NETWORK_BYTES:
        raise WeightsError(
            f"{path}: {size:,} bytes is more than the {MAX_NETWORK_BYTES:,} a network may have"
        )
