"""The console: the shop in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from runtime.config.sections.words import Section, TcpPort


class Console(Section, frozen=True, kw_only=True):
    """The pages that this box shows in a browser."""

    enabled: Annotated[bool, Meta(description="whether this box has pages at all")] = False
    host: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=45,
            description="address to listen on; 127.0.0.1: this machine only; 0.0.0.0: every network, "
            "always with TLS",
        ),
    ] = "127.0.0.1"
    port: Annotated[TcpPort, Meta(description="TCP port of the pages")] = 8480
    cert: Annotated[
        Path | None, Meta(description="certificate (PEM); empty: beyond this machine a self-signed one")
    ] = None
    key: Annotated[Path | None, Meta(description="the certificate's private key (PEM)")] = None
    names: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=253)]],
        Meta(max_length=20, description="names the pages are called by, such as tagsight.shop.example"),
    ] = field(default_factory=list)
    pictures: Annotated[
        bool, Meta(description="whether a technician may look at camera pictures, with heads blurred")
    ] = True
