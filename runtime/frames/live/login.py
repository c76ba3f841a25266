"""Logging in as RTSP and HTTP do it: Basic (RFC 7617) and Digest (RFC 7616), MD5 and SHA-256."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, unquote

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))')
_SEVERAL = re.compile(r",\s*(?=(?:Basic|Digest)\s)", re.IGNORECASE)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


_HASHES: dict[str, Callable[[bytes], str]] = {"MD5": _md5, "SHA-256": _sha256, "SHA-512-256": _sha512_256}
_SESSION = "-SESS"
_STRENGTH = ("SHA-512-256", "SHA-256", "MD5")


class Login(NamedTuple):
    """A user name and a password."""

    user: str
    password: str


class Challenge(NamedTuple):
    """One way to log in that a server offers."""

    scheme: str
    """`basic`, `digest`, or what the server calls it, in small letters."""
    algorithm: str
    """Of a digest: `MD5`, `SHA-256`, `MD5-SESS`, …; else empty."""
    fields: dict[str, str]

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.scheme.capitalize()} {self.algorithm}".strip()

    @property
    def strength(self) -> int:
        """The higher the better; 0 where it is not known here."""
        if self.scheme == "basic":
            return 1
        hashed = self.algorithm.removesuffix(_SESSION)
        known = self.scheme == "digest" and hashed in _STRENGTH
        return 2 + len(_STRENGTH) - _STRENGTH.index(hashed) if known else 0


def login_of(parts: SplitResult) -> Login | None:
    """The login that an address holds; None if none."""
    if parts.username is None:
        return None
    return Login(unquote(parts.username), unquote(parts.password or ""))


def challenges(headers: Sequence[str]) -> list[Challenge]:
    """What the WWW-Authenticate headers of an answer offer; a header may hold several."""
    found = []
    for offer in (offer for header in headers for offer in _SEVERAL.split(header)):
        scheme, _, rest = offer.strip().partition(" ")
        fields = {match[1].lower(): match[2] or match[3] or "" for match in _PARAMETER.finditer(rest)}
        digest = scheme.lower() == "digest"
        algorithm = (fields.get("algorithm") or "MD5").upper() if digest else ""
        found.append(Challenge(scheme.lower(), algorithm, fields))
    return found


def authorization(offered: Sequence[Challenge], login: Login, method: str, uri: str) -> str | None:
    """The Authorization header for the best of the ways offered; None where none is known here."""
    best = max(offered, key=lambda challenge: challenge.strength, default=None)
    if best is None or not best.strength:
        return None
    if best.scheme == "basic":
        return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    return _digest(best, login, method, uri)


def _digest(challenge: Challenge, login: Login, method: str, uri: str) -> str:
    given, cnonce = challenge.fields, secrets.token_hex(8)
    hashed = _HASHES[challenge.algorithm.removesuffix(_SESSION)]
    realm, nonce = given.get("realm", ""), given.get("nonce", "")

    def digest(*words: str) -> str:
        return hashed(":".join(words).encode())

    secret = digest(login.user, realm, login.password)
    if challenge.algorithm.endswith(_SESSION):
        secret = digest(secret, nonce, cnonce)
    protections = [word.strip() for word in given.get("qop", "").split(",")]
    wanted = next((word for word in ("auth", "auth-int") if word in protections), "")
    # With auth-int the body is digested too: our requests have none.
    request = digest(method, uri, digest("")) if wanted == "auth-int" else digest(method, uri)
    fields = f'username="{login.user}", realm="{realm}", nonce="{nonce}", uri="{uri}"'
    if wanted:
        response = digest(secret, nonce, "00000001", cnonce, wanted, request)
        fields += f', qop={wanted}, nc=00000001, cnonce="{cnonce}"'
    else:
        response = digest(secret, nonce, request)
        if challenge.algorithm.endswith(_SESSION):
            fields += f', cnonce="{cnonce}"'
    fields += f', response="{response}"'
    if "opaque" in given:
        fields += f', opaque="{given["opaque"]}"'
    if "algorithm" in given:
        fields += f", algorithm={given['algorithm']}"
    return f"Digest {fields}"
