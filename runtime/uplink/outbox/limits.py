"""What an outbox may cost and hold, and where it stands."""

from __future__ import annotations

import msgspec


class OutboxLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a power cut may cost (`group_*`), how big the file may grow, how long sent events stay."""

    group_events: int = 256
    group_delay_s: float = 0.02
    max_bytes: int = 512 * 1024 * 1024
    keep_s: float = 7 * 86_400.0


class OutboxState(msgspec.Struct, frozen=True, kw_only=True):
    """Figures for health: `fault` is empty while the disk takes what it is given.

    Every number after `committed_seq` is `waiting` in memory, the writer's hand included, or `dropped`.
    """

    appended_seq: int
    committed_seq: int
    waiting: int
    used_bytes: int
    dropped: int
    fault: str
