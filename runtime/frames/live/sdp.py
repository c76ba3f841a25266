"""What a session description (SDP, RFC 4566) says of a stream's pictures."""

from __future__ import annotations

import re
from typing import NamedTuple

_SPROP = re.compile(r"sprop-[\w-]+=([^;\s]+)")
_STATIC = {"26": "JPEG", "31": "H261", "32": "MPV", "33": "MP2T", "34": "H263"}
"""RTP payload types of RFC 3551 that need no `rtpmap`."""
_DECODED = {"H264", "H265", "JPEG", "MP4V-ES", "MPV", "MP2T", "VP8", "VP9", "AV1", "DV", "THEORA"}
_DECODED |= {"H261", "H263", "H263-1998", "H263-2000"}
_NAMES = {
    "H264": "H.264",
    "H265": "H.265",
    "H266": "H.266",
    "JPEG": "Motion JPEG",
    "MP4V-ES": "MPEG-4 part 2",
}


class Medium(NamedTuple):
    """One `m=` section."""

    kind: str
    """`video`, `audio`, `application`, …"""
    coding: str
    """Its RTP coding as it is registered, such as H264; empty where the description does not name it."""
    control: str
    """Where it is set up: a URI, or what is to be added to the base; empty where nothing is said."""

    @property
    def coding_name(self) -> str:
        """What people call the coding."""
        return _NAMES.get(self.coding.upper(), self.coding)

    @property
    def can_be_decoded(self) -> bool:
        """Whether its coding is known here; where it is not named, only trying tells."""
        return not self.coding or self.coding.upper() in _DECODED


def media(description: str) -> list[Medium]:
    """All sections of a description."""
    found = []
    for section in re.split(r"^m=", description, flags=re.MULTILINE)[1:]:
        words = section.split(None, 4)
        payload = words[3] if len(words) > 3 else ""
        named = re.search(rf"^a=rtpmap:{re.escape(payload)}\s+([\w.+-]+)/", section, re.MULTILINE)
        control = re.search(r"^a=control:(\S+)", section, re.MULTILINE)
        coding = named[1] if named else _STATIC.get(payload, "")
        found.append(Medium(words[0] if words else "", coding, control[1] if control else ""))
    return found


def pictures(description: str) -> Medium | None:
    """The first section with pictures; None where there is none."""
    return next((medium for medium in media(description) if medium.kind == "video"), None)


def parameters(description: str) -> tuple[str, ...]:
    """What the description says of the coded pictures (parameter sets with their size); () if nothing."""
    return tuple(_SPROP.findall(description))
