"""Where an RTSP stream and its parts are set up, as cameras mean it.

RFC 2326 (C.1.1) resolves the `control` of a part against Content-Base, Content-Location, or what was asked
for. Cameras write these relative, without a final slash, with the address that they have in a network of
their own, and expect now the resolved address, now one put together of the two. So there are several, the
likeliest first, to be tried in turn. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from runtime.frames.live import sdp

ELSEWHERE = {400, 403, 404, 405, 410, 451, 454, 455, 459, 460}
"""Statuses with which cameras say that they do not know an address."""

_WHOLE = ("", "*")


class Addresses(NamedTuple):
    """Each is a choice, the likeliest first."""

    whole: tuple[str, ...]
    """Where the stream is played."""
    pictures: tuple[tuple[str, ...], ...]
    """Where each part with pictures is set up, in the order of the description."""


def addresses(asked: str, base: str, description: str) -> Addresses:
    """Of the stream at `asked`, without a login; `base` is its Content-Base or Content-Location, if any."""
    bases = _choices(asked, [joined(asked, base), asked] if base else [asked])
    session = re.search(r"^a=control:(\S+)", description.partition("\nm=")[0], re.MULTILINE)
    if session is not None and session[1] not in _WHOLE:
        bases = _choices(asked, [*_places(bases, session[1]), *bases])
    parts = [medium.control for medium in sdp.media(description) if medium.kind == "video"]
    return Addresses(bases, tuple(_choices(asked, _places(bases, control)) for control in parts))


def joined(base: str, reference: str) -> str:
    """The reference resolved against the base (RFC 3986), for rtsps too, which not each Python knows."""
    scheme, colon, rest = base.partition(":")
    if urlsplit(reference).scheme or not colon:
        return reference
    return scheme + urljoin(f"http:{rest}", reference).removeprefix("http")


def _places(bases: Iterable[str], control: str) -> list[str]:
    """Where something with that `control` may be: resolved, or put together."""
    if control in _WHOLE:
        return [place for base in bases for place in (base, _closed(base))]
    if urlsplit(control).scheme:
        return [control]
    return [place for base in bases for place in (_closed(base) + control, joined(base, control))]


def _closed(base: str) -> str:
    return base if base.endswith("/") else base + "/"


def _choices(asked: str, places: Iterable[str]) -> tuple[str, ...]:
    """Each place once, and each that is of another host at the one that was asked as well."""
    ours = urlsplit(asked).netloc
    either = [each for place in places for each in (place, urlsplit(place)._replace(netloc=ours).geturl())]
    return tuple(dict.fromkeys(either))
