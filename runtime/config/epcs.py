"""EPC patterns: hex digits, where * stands for any digits, and which article a tag belongs to."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec import Struct

from runtime.config.sections import Fixture

PATTERN = re.compile(r"^[0-9a-f*]+$")
PLAIN = re.compile(r"(?:[0-9A-Fa-f]{2})+")
RIGHT = "pairs of hex digits such as 3034257BF7194E4000001A85, or a pattern such as 3034257B*"
MAX_WILDCARDS = 1_000


class Article(Struct, frozen=True):
    """What a tag is sewn into, and the rack or fitting room where it is at home."""

    sku: str
    fixture: str


def canonical(pattern: str) -> str:
    """The pattern in lower case without spaces and dashes, as EPCs are written in read tables."""
    return re.sub(r"[\s-]", "", pattern).lower()


def is_pattern(text: str) -> bool:
    """Whether it is hex digits and *, whole bytes when there is no *, and not * alone."""
    plain = canonical(text)
    if PATTERN.match(plain) is None or plain.strip("*") == "":
        return False
    return "*" in plain or len(plain) % 2 == 0


class ArticleTable:
    """EPC to article. Exact EPCs are looked up; patterns (at most MAX_WILDCARDS) are tried in turn."""

    def __init__(self, entries: Iterable[tuple[str, Article]]) -> None:
        self._exact: dict[str, Article] = {}
        self._patterns: list[tuple[re.Pattern[str], Article]] = []
        for pattern, article in entries:
            plain = canonical(pattern)
            if "*" in plain:
                self._patterns.append((re.compile(plain.replace("*", "[0-9a-f]*")), article))
            else:
                self._exact[plain] = article

    @classmethod
    def of(cls, fixtures: Iterable[Fixture]) -> ArticleTable:
        """The table of a store's fixtures."""
        return cls(
            (epc, Article(sku.sku, fixture.name))
            for fixture in fixtures
            for sku in fixture.skus
            for epc in sku.epcs
        )

    def find(self, epc: str) -> Article | None:
        """The article of a tag, None for a tag the store does not know."""
        plain = canonical(epc)
        found = self._exact.get(plain)
        if found is not None:
            return found
        return next((article for pattern, article in self._patterns if pattern.fullmatch(plain)), None)


def tags_like(pattern: str, tags: list[str]) -> list[str]:
    """Those of the sorted EPCs that fit a pattern; only the ones that begin like it are looked at."""
    head = pattern.partition("*")[0]
    begin, end = bisect_left(tags, head), bisect_left(tags, f"{head}~")
    return [tag for tag in tags[begin:end] if fnmatchcase(tag, pattern)]


def overlap(one: str, other: str) -> bool:
    """Whether some EPC fits both patterns (canonical form, each with a *).

    It does when the beginnings and the ends agree: each * takes in what the other pattern has in the middle.
    """
    head, head_other = one.partition("*")[0], other.partition("*")[0]
    shared = min(len(head), len(head_other))
    if head[:shared] != head_other[:shared]:
        return False
    tail, tail_other = one.rpartition("*")[2], other.rpartition("*")[2]
    shared = min(len(tail), len(tail_other))
    return tail[len(tail) - shared :] == tail_other[len(tail_other) - shared :]
