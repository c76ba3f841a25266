"""Where benchmarks find what is not in this repository: the sample clip, other people's weights."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tagsight.errors import TagsightError

REPO = Path(__file__).resolve().parent.parent
FETCH_CLIP = REPO / "scripts" / "fetch-clip"
FETCH_LIMIT_S = 600.0


def shared_file(name: str, option: str) -> Path:
    """A file of the development data. Raises TagsightError that names the option to give another with."""
    folder = Path(os.environ.get("TAGSIGHT_SHARED", REPO.parent / "shared")) / "data"
    if not (folder / name).is_file():
        raise TagsightError(f"{folder / name} is not there: set TAGSIGHT_SHARED or give {option}")
    return folder / name


def sample_clip() -> Path:
    """PETS 2009 S2.L1: Debian's vtest.avi, fetched into the cache if need be. Raises TagsightError."""
    try:
        found = subprocess.run(
            [FETCH_CLIP], capture_output=True, text=True, timeout=FETCH_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TagsightError(f"{FETCH_CLIP}: {error}; give a video with --clip") from error
    if found.returncode:
        reason = (found.stderr.strip().splitlines() or ["it failed"])[-1]
        raise TagsightError(f"the sample clip cannot be had ({reason}); give a video with --clip")
    return Path(found.stdout.strip())
