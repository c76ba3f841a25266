"""What is asked about a network, and the answer."""

from __future__ import annotations

import msgspec

from engines.catalogue import Recipe
from engines.errors import WeightsError


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A network to judge."""

    file: str
    backend: str
    recipe: Recipe = Recipe()
    """What the user has said; everything else is found out."""
    picture: str | None = None
    """A picture with persons in it; None: the one that comes with tagsight. Boxes beside it
    (`shop.txt` for `shop.jpg`, YOLO labels) are used where there are some."""
    persons: int | None = None
    """How many persons the picture shows, where no boxes say so."""
    memory_bytes: int = 4 << 30
    """What the network may have at most."""
    threads: int = 0


class NetworkVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What was found out; `reason` is one sentence."""

    accepted: bool
    decoder: str | None
    persons_found: int
    persons_there: int
    reason: str
    recipe: Recipe = Recipe()
    """How to feed and read it, where it was accepted."""
    lasting: bool = True
    """Whether the file alone decides; False where the machine does too, by the memory that is free."""


class NetworkRefused(WeightsError):
    """A network that was judged and is not taken in."""

    def __init__(self, verdict: NetworkVerdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict
