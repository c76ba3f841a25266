"""What `tagsight config check` says of a drawing, each sentence with the thing and the key it is about."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from pathlib import Path

import msgspec

from runtime.config import ConfigErrors, Mistake
from runtime.config.loading import examine
from runtime.config.mistakes import Weight
from runtime.console.shown import ShownStore
from tagsight.redaction import redact

PLACE = re.compile(r"(?P<section>\w+)(?:\[(?P<index>\d+)\])?(?:\.(?P<key>.*))?")
MAX_SHOWN = 100
CONTEXT_LINES = 2


class PlacedMistake(msgspec.Struct, frozen=True):
    """`section` and `index` say which thing (None: the section as a whole), `key` which of its keys."""

    section: str
    index: int | None
    key: str
    words: str
    weight: Weight
    line: int
    stops: bool
    """Whether the drawing cannot be saved with it."""


class JudgedShop(msgspec.Struct, frozen=True):
    """`shown` is what the pages would show of it; None where nothing would run with it."""

    mistakes: list[PlacedMistake]
    shown: ShownStore | None

    @property
    def is_sound(self) -> bool:
        """Whether it may be saved."""
        return not any(mistake.stops for mistake in self.mistakes)


def judge_shop(text: str, file: Path, stands: str | None = None) -> JudgedShop:
    """The checks of `config check`, in full. What is tolerated and was so in the text that stands, stays."""
    shown, mistakes = _examined(text, file)
    known: Counter[tuple[str, str]] = Counter()
    if stands is not None and any(mistake.weight == "tolerated" for mistake in mistakes):
        known = Counter(map(_kind_of, _examined(stands, file)[1]))
    placed = []
    for mistake in mistakes[:MAX_SHOWN]:
        known[_kind_of(mistake)] -= 1
        stops = mistake.weight == "refused" or (
            mistake.weight == "tolerated" and known[_kind_of(mistake)] < 0
        )
        placed.append(_placed(mistake, stops))
    return JudgedShop(placed, shown)


def _examined(text: str, file: Path) -> tuple[ShownStore | None, list[Mistake]]:
    try:
        store, mistakes = examine(text, file)
    except ConfigErrors as errors:
        return None, errors.mistakes
    return ShownStore.of(store), mistakes


def diff_of(before: str, after: str) -> list[str]:
    """A unified diff, line by line, with secrets struck out; empty where nothing is different."""
    lines = difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        "store.yaml",
        "store.yaml as drawn",
        n=CONTEXT_LINES,
        lineterm="",
    )
    return [redact(line) for line in lines]


def _placed(mistake: Mistake, stops: bool) -> PlacedMistake:
    found = PLACE.fullmatch(mistake.path)
    section = "" if found is None else found["section"]
    index = None if found is None or found["index"] is None else int(found["index"])
    key = "" if found is None or found["key"] is None else found["key"]
    words = f"{mistake.wrong}; {mistake.right}"
    return PlacedMistake(section, index, key, words, mistake.weight, mistake.line, stops)


def _kind_of(mistake: Mistake) -> tuple[str, str]:
    """A mistake without its place in a list, which moves when others are taken out."""
    return re.sub(r"\[\d+\]", "[]", mistake.path), mistake.wrong
