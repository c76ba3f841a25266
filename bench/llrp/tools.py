"""Where other people's LLRP programs are on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tagsight.errors import TagsightError


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("TAGSIGHT_CACHE") or Path(home, "tagsight"))


def _program(variable: str, places: list[str | Path | None], fetch: str) -> Path:
    given = os.environ.get(variable)
    for place in [given] if given else places:
        if place is not None and os.access(place, os.X_OK):
            return Path(place)
    raise TagsightError(f"not on this machine: run scripts/{fetch} (no root needed), or set {variable}")


def peers_python() -> Path:
    """A Python that has llrpkit, pyllrp and sllurp. Raises TagsightError where there is none."""
    return _program("TAGSIGHT_LLRP_PEERS", [_cache() / "llrp-peers/bin/python"], "fetch-llrp-peers")


def tshark() -> Path:
    """The packet dissector. Raises TagsightError where there is none."""
    places = [shutil.which("tshark"), _cache() / "tshark/bin/tshark"]
    return _program("TAGSIGHT_TSHARK", places, "fetch-tshark")
