"""What every fact has, and what several kinds share: keys, revisions, coverage, tags, places."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from contract.fields import about

Point: TypeAlias = tuple[float, float]
Quality: TypeAlias = Annotated[
    Literal["good", "degraded", "blind"],
    about("good; degraded: partly blind or looked at too seldom; blind: unknown, not zero", "good"),
]
"""Whether a count can be relied on; the rule is that of `runtime.store.counts.quality`."""
CutShort: TypeAlias = Annotated[
    bool, about("the interval was cut short by start, stop or another configuration", False)
]
Epc: TypeAlias = Annotated[str, about("the tag's EPC, hexadecimal", "3034257bf400b7800004cb2f")]
Sku: TypeAlias = Annotated[
    str | None,
    about("the article the tag is sewn into; null where the shop lists no such tag", "SHIRT-M-BLUE"),
]
Fixture: TypeAlias = Annotated[
    str | None,
    about("the rack or shelf the article belongs to; null where the shop lists no such tag", "rack 1"),
]


class Coverage(msgspec.Struct, frozen=True):
    """How well one camera saw an interval: analysed frames per second, and seconds it saw nothing at all."""

    camera: Annotated[str, about("the camera, as in store.yaml", "door")]
    effective_fps: Annotated[float, about("frames analysed per second of the whole interval", 9.8, "1/s")]
    blind_s: Annotated[float, about("seconds of the interval in which it saw nothing at all", 0.0, "s")]
    wanted_fps: Annotated[
        float | None, about("frames per second that were to be analysed; null where not told", 10.0, "1/s")
    ] = None


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One conclusion. `key` is what `rev` counts; `time_s` is when it happened or its interval ended."""

    key: Annotated[str, about("the fact's stable key: what `rev` counts", "footfall/door/1772186400")]
    time_s: Annotated[
        float, about("when it happened, or when its interval ended; UTC seconds", 1772187300.25, "s")
    ]
    rev: Annotated[int, about("correction of the fact `key`, from 0; the highest holds", 0, "1")] = 0
    retracted: Annotated[bool, about("the fact turned out not to be one", False)] = False

    @property
    def kind(self) -> str:
        """The event kind, as in the topic."""
        return str(self.__struct_config__.tag)
