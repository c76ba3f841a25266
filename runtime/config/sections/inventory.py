"""Stock events: where garments are, and when that is told."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from runtime.config.sections.words import Section


class StockEvents(Section, frozen=True, kw_only=True):
    """Whether tags that arrive, move and depart are told, and when."""

    events: Annotated[bool, Meta(description="tell which tags arrive, move and depart")] = False
    hold_s: Annotated[
        float, Meta(ge=20, le=900, description="seconds in which a tag is read at a place to be there")
    ] = 60.0
    margin_db: Annotated[
        float, Meta(ge=0, le=30, description="by so much the new place is louder than the old, dB")
    ] = 3.0
    gone_s: Annotated[
        float,
        Meta(ge=60, le=86_400, description="seconds in which no antenna reads a tag until it has departed"),
    ] = 600.0
