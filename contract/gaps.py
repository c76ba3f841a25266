"""The event that says which other events will not come, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from contract.facts import Fact
from contract.fields import about
from contract.ranges import MAX_SEQ

MAX_GAP_RANGES = 200
"""A gap event names at most so many ranges; more holes make more gap events."""


class Gap(Fact, frozen=True, kw_only=True, tag="gap"):
    """Events that had to be dropped, all between `from_seq` and `to_seq`; `ranges` names exactly which.

    `kinds` counts them by kind where that is known. With `of_stream` the numbers are those of an earlier
    stream of this device, which this one follows: what it had not delivered will not come under its name.
    """

    from_seq: Annotated[int, about("first sequence number that is missing", 1043, "1")]
    to_seq: Annotated[int, about("last sequence number that is missing", 1051, "1")]
    why: Annotated[str, about("why events were dropped, in words", "the outbox reached its size limit")]
    ranges: Annotated[
        tuple[tuple[int, int], ...],
        about(
            "what is missing, [first, last] each; empty: everything from first to last",
            [[1043, 1045], [1051, 1051]],
            "1",
        ),
    ] = ()
    kinds: Annotated[
        dict[str, int], about("how many are missing, by kind where that is known", {"health": 4}, "{event}")
    ] = msgspec.field(default_factory=dict)
    of_stream: Annotated[
        str, about("the stream whose numbers these are; empty: the event's own stream", "")
    ] = ""

    def named(self) -> tuple[tuple[int, int], ...]:
        """The ranges, or the whole stretch where there are none."""
        return self.ranges or ((self.from_seq, self.to_seq),)

    def __post_init__(self) -> None:
        for first, last in self.named():
            if not 1 <= first <= last <= MAX_SEQ:
                raise ValueError(f"{first} to {last} is no range of sequence numbers")


def gap_of_stream(stream: str, first: int, last: int, why: str, time_s: float) -> Gap:
    """By this event a stream says that it follows `stream`, whose `first` to `last` will not come."""
    return Gap(
        key=f"gap/{stream}/{first}-{last}",
        time_s=time_s,
        from_seq=first,
        to_seq=last,
        why=why,
        ranges=((first, last),),
        of_stream=stream,
    )


def gap_facts(
    lost: Sequence[tuple[int, int]], why: str, time_s: float, kinds: dict[str, int] | None = None
) -> list[Gap]:
    """The gap events that name the sequence numbers in the sorted ranges `lost`."""
    gaps = []
    for start in range(0, len(lost), MAX_GAP_RANGES):
        ranges = tuple(lost[start : start + MAX_GAP_RANGES])
        from_seq, to_seq = ranges[0][0], ranges[-1][1]
        gaps.append(
            Gap(
                key=f"gap/{from_seq}-{to_seq}",
                time_s=time_s,
                from_seq=from_seq,
                to_seq=to_seq,
                why=why,
                ranges=ranges,
                kinds=dict(kinds or {}) if start == 0 else {},
            )
        )
    return gaps
