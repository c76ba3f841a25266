"""How a fake network camera behaves, faults included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Stamps = Callable[[float, int], float]
"""Seconds that frame `number`, taken `taken_s` after the start, is stamped with."""
Delivery = Callable[[float, int], float]
"""When that frame is sent, seconds after the start."""


@dataclass(frozen=True)
class Manner:
    """How a camera behaves."""

    fps: float = 25.0
    login: tuple[str, ...] = ()
    """Ways to log in that it offers, in that order: Basic, MD5, SHA-256, or another word."""
    user: str = "ann"
    password: str = "geheim"
    transports: tuple[str, ...] = ("tcp", "udp")
    statuses: dict[str, str] = field(default_factory=dict)
    """By method, an answer in place of 200, such as {"SETUP": "453 Not Enough Bandwidth"}."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with those answers."""
    description: str = ""
    """SDP in place of its own."""
    parameter_sets: bool = True
    """Whether the description holds them."""
    stamps: Stamps = lambda taken_s, number: taken_s
    delivery: Delivery = lambda taken_s, number: taken_s
    sends: bool = True
    """Whether pictures come at all after PLAY."""
    coding: str = "H264"
    path: str = "/live"
    base: str = "{uri}/"
    """The Content-Base of its description: {uri} is what was asked for, {root} scheme, host and port of it;
    empty where it sends none."""
    control: str = "track1"
    """Where its description says that the pictures are set up."""
    track: str = ""
    """The one address at which they can be set up, {root} as above; empty where any will do."""
    nonces: int = 1_000_000
    """So many requests are answered before a nonce runs out."""
    protection: str = ""
    """The `qop` of a digest: auth, auth-int, both with a comma, or nothing."""
    extension: bool = False
    """Whether each packet has a header extension, as ONVIF's replays have (RFC 3550, 5.3.1)."""
    padding: int = 0
    """Bytes behind the payload of each packet that are to be left out."""
    first_sequence: int = 0
    """Number of the first packet, of 16 bits."""
    new_source_at: int | None = None
    """From this picture on the packets are of another source (SSRC), numbered anew."""
    asks: bool = False
    """Whether it sends requests to the viewer, one a second, as some do to see that it is there."""
    stray: bool = False
    """Whether it sends packets on a channel that nobody has set up."""
    session: str = "1"
    """What it names the session."""
    small_letters: bool = False
    """Whether it writes its headers in small letters."""
    channel: int = 0
    """On which the pictures come over TCP, whatever the viewer asked for."""
    reports: Stamps | None = None
    """What its reports (RTCP, one a second) say of its clock, in seconds; None where it sends none."""
