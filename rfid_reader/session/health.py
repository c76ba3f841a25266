"""What a session knows about its reader, counted since the session started."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace

import numpy as np

RATE_WINDOW_S = 10.0
MAX_TAGS_COUNTED = 4_096


@dataclass(frozen=True)
class ReaderHealth:
    """A snapshot of one session.

    state: "connecting", "configuring", "reading", "waiting" or "stopped". detail: the last error, or what is
    missing (for example that the reader gives no phase), with the `remarks` on its reports. ignored: reports
    that are no reads, by reason (`reports_ignored` in all). `progress_s` is the host time of the last whole
    frame. Rates are reads a second over the last 10 s. Antennas in `antennas_lost` were reported
    disconnected.
    """

    state: str = "connecting"
    detail: str = ""
    progress_s: float = 0.0
    connects: int = 0
    connected: int = 0
    reads: int = 0
    malformed: int = 0
    unknown_messages: int = 0
    reports_ignored: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    link_monitored: bool = False
    overflows: int = 0
    buffer_percent: int = 0
    clock_steps: int = 0
    clock_offset_s: float | None = None
    phase_known: bool | None = None
    antennas_lost: tuple[int, ...] = ()
    read_rate: float = 0.0
    antenna_rates: dict[int, float] = field(default_factory=dict)
    tag_rates: dict[str, float] = field(default_factory=dict)
    tags_seen: int = 0


def figures(health: ReaderHealth) -> dict[str, float]:
    """A session's health as named numbers; what is unknown is left out.

    tag_reads_per_s_*: of the tags heard in the last 10 s, the rate that a tenth, half and nine tenths of them
    stay below. antenna_N_lost: 1 for an antenna that the reader said was disconnected.
    """
    found = {
        "reads_per_s": health.read_rate,
        "tags_seen": float(health.tags_seen),
        "connects": float(health.connects),
        "malformed": float(health.malformed),
        "unknown_messages": float(health.unknown_messages),
        "overflows": float(health.overflows),
        "reports_ignored": float(health.reports_ignored),
        "buffer_percent": float(health.buffer_percent),
        "clock_steps": float(health.clock_steps),
    }
    if health.clock_offset_s is not None:
        found["clock_offset_s"] = health.clock_offset_s
    if health.phase_known is not None:
        found["phase_known"] = float(health.phase_known)
    for antenna, rate in health.antenna_rates.items():
        found[f"antenna_{antenna}_reads_per_s"] = rate
    for antenna in health.antennas_lost:
        found[f"antenna_{antenna}_lost"] = 1.0
    if health.tag_rates:
        shares = np.quantile(list(health.tag_rates.values()), (0.1, 0.5, 0.9)).tolist()
        for share, rate in zip((10, 50, 90), shares, strict=True):
            found[f"tag_reads_per_s_p{share}"] = rate
    return found


class RateMeter:
    """Reads a second per antenna and tag over the last RATE_WINDOW_S, in one-second buckets.

    At most MAX_TAGS_COUNTED tags a bucket are told apart, those of the bucket before always among them: a
    flood of EPCs that are read once drives out none that are read again. Reads of further tags count for
    their antenna only.
    """

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, Counter[int], Counter[str]]] = deque()
        self._start_s: float | None = None

    def count(self, now_s: float, antennas: list[int], epcs: list[str]) -> None:
        if self._start_s is None:
            self._start_s = now_s
        second = int(now_s)
        if not self._buckets or self._buckets[-1][0] != second:
            self._buckets.append((second, Counter(), Counter()))
            while self._buckets[0][0] < second - RATE_WINDOW_S:
                self._buckets.popleft()
        _, by_antenna, by_tag = self._buckets[-1]
        by_antenna.update(antennas)
        before = self._buckets[-2][2] if len(self._buckets) > 1 else by_tag
        for epc in epcs:
            if epc in by_tag or (epc in before and len(by_tag) < 2 * MAX_TAGS_COUNTED):
                by_tag[epc] += 1
            elif len(by_tag) < MAX_TAGS_COUNTED:
                by_tag[epc] = 1

    def rated(self, health: ReaderHealth, now_s: float) -> ReaderHealth:
        """`health` with its rates filled in."""
        recent = [bucket for bucket in self._buckets if bucket[0] >= now_s - RATE_WINDOW_S]
        span_s = min(RATE_WINDOW_S, max(1.0, now_s - (self._start_s or now_s)))
        by_antenna: Counter[int] = Counter()
        by_tag: Counter[str] = Counter()
        for _, antennas, tags in recent:
            by_antenna.update(antennas)
            by_tag.update(tags)
        return replace(
            health,
            read_rate=sum(by_antenna.values()) / span_s,
            antenna_rates={antenna: count / span_s for antenna, count in sorted(by_antenna.items())},
            tag_rates={epc: count / span_s for epc, count in sorted(by_tag.items())},
            tags_seen=len(by_tag),
        )
