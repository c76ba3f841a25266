"""The store's own tags, small enough to be given to every reader: digests of EPCs, and patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import numpy as np

DIGEST_BYTES = 8


def digest_of(epc: str) -> int:
    """A number of 64 bits that stands for an EPC (lower-case hex)."""
    return int.from_bytes(blake2b(epc.encode(), digest_size=DIGEST_BYTES).digest(), "big")


def digests_of(epcs: Iterable[str]) -> bytes:
    """Sorted digests of EPCs, DIGEST_BYTES each (100,000 tags are 800 KB)."""
    return np.sort(np.array([digest_of(epc) for epc in epcs], np.uint64)).tobytes()


class StockTags:
    """Whether an EPC is of the store's stock.

    digests: as `digests_of` makes them; patterns: hex digits, where * stands for any. Two EPCs share a digest
    with a chance of 1 in 10^13 for 100,000 tags; then a tag is taken for one of the stock.
    """

    def __init__(self, digests: bytes = b"", patterns: Iterable[str] = ()) -> None:
        self._digests = np.frombuffer(digests, np.uint64)
        parts = [re.escape(pattern).replace(r"\*", "[0-9a-f]*") for pattern in patterns]
        self._pattern = re.compile("|".join(parts)) if parts else None
        self.has = lru_cache(maxsize=8192)(self._has)

    def __len__(self) -> int:
        return len(self._digests)

    def _has(self, epc: str) -> bool:
        digest = np.uint64(digest_of(epc))
        place = int(np.searchsorted(self._digests, digest))
        if place < len(self._digests) and self._digests[place] == digest:
            return True
        return self._pattern is not None and self._pattern.fullmatch(epc) is not None
