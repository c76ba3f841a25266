"""Strikes secrets out of whatever is about to be shown. The one place that knows what a secret looks like.

Between the scheme of an address and its last `@` nothing is shown: a password with / ? # or @ in it breaks an
address, and only the last `@` is certain to stand behind it. In a query or a path the values of `password=`,
`token=` and their like are struck out, percent-encoded ones too. Where the end of a secret is in doubt, more
is struck out.

Error texts, log records, health and crash reports all pass through here (`tagsight.errors`,
`runtime.messages`, `runtime.supervisor.children.main`, `runtime.cli`).
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from bisect import bisect_left
from collections.abc import Iterator
from urllib.parse import unquote

STRUCK = "***"

_STREAMS = "rtsps?|rtspt|rtspu|rtmps?|rtp|srtp|https?|mqtts?|wss?|ftp|ftps|srt|udp|tcp|tls|onvif"
_SLASH = r"(?:\\*/|%(?:25)*2F)"
_COLON = r"(?::|%(?:25)*3A)"
_SCHEME = re.compile(
    rf"(?P<scheme>(?<![a-z])(?:{_STREAMS}){_COLON}{_SLASH}*(?=\S)"
    rf"|(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{{0,30}}{_COLON}{_SLASH}{{2}}{_SLASH}*)",
    re.IGNORECASE,
)
_ANY_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}:/+", re.IGNORECASE)
_AT = re.compile(r"@|%(?:25)*40", re.IGNORECASE)
_SPACE = re.compile(r"\s")
_BREAK = re.compile(r"[\r\n]|(?<=[\s'\"(\[<,])[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_AUTHORITY_END = re.compile(r"[/?#\s\\]|%(?:25)*2F", re.IGNORECASE)
_PORT = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::\d{0,5})?")

_SURE_HOST = re.compile(r"(?:\[[0-9a-f:.%]+\]|localhost|[^:]+\.[^:]+)(?::\d{1,5})?", re.IGNORECASE)

_EQUALS = r"\s*(?:=|%(?:25)*3D)\s*"
_STRONG = r"password|passwort|passwd|passphrase|passcode|pwd|psw|secret|token"
_WEAK = r"pass|pw|pin|auth|authorization|authentication|credentials?|key|signature|sig|session|sid|jwt"
_PARAMETER = re.compile(
    rf"(?:(?:{_STRONG})[\"']?{_EQUALS}"
    rf"|(?:[?&;/]|%(?:25)*(?:3F|26|2F))[a-z0-9_.-]{{0,40}}?(?:{_WEAK}){_EQUALS})(?P<value>[^\s&]+)",
    re.IGNORECASE,
)
_SURELY_SECRET = re.compile(
    rf"(?:^|[^a-z])(?:[a-z0-9]*(?:{_STRONG})|api_?key|pass|pw|auth|key|credentials?|jwt){_EQUALS}(?P<value>[^\s&]+)",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"\$?\{[A-Za-z_][A-Za-z0-9_]*\}.*|basic|digest|none|on|off|true|false|yes|no|\d", re.IGNORECASE
)
_QUOTED = re.compile(
    rf"(?:{_STRONG}|auth|key)[\"']?\s*[:=]\s*(?P<quote>[\"'])(?P<value>.*?)(?P=quote)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\bauthorization[\"']?\s*:\s*(?P<value>\S.*)", re.IGNORECASE)
_BARE = re.compile(
    rf"(?<![\w/:@.])(?!(?:{_STREAMS}):)(?P<value>[\w.+-]{{1,80}}:[^\s/@]\S*)@(?=[\w\[])", re.IGNORECASE
)
_BARE_LOGIN = re.compile(r"[^/\\:@]+:[^/\\][^\n]*@", re.DOTALL)
_WORD = re.compile(r"\S+")
_CLOSING = "'\"`)]}>,;:."
_WORTH_A_LOOK = re.compile(r"[@=%\"']|:\S|authorization", re.IGNORECASE)
_ROUNDS = 4
MAX_AUTHORITY = 400


def redact(text: str) -> str:
    """The text with every login and secret parameter in it struck out; doing it twice changes nothing."""
    if _WORTH_A_LOOK.search(text) is None:
        return text
    return _WORD.sub(_encoded, _plainly(text))


def redact_uri(uri: str) -> str:
    """As `redact`, for a text that is one address from end to end, whatever characters it holds."""
    if is_bare_login(uri):
        return redact(f"{STRUCK}{uri[uri.rindex('@') :]}")
    found = _SCHEME.match(uri) or _ANY_SCHEME.match(uri)
    if found is None or _is_file(found):
        return redact(uri)
    ats = list(_AT.finditer(uri, found.end()))
    if ats:
        return redact(_without(uri, [(found.end(), ats[-1].start()), *_values(uri)]))
    return f"{found[0]}{STRUCK}" if has_hidden_login(uri) else redact(uri)


def has_hidden_login(uri: str) -> bool:
    """Whether an address has a login that its own characters (/ ? # @) keep from being read as one.

    An `@` behind the host belongs to the path only where what stands before is a host beyond doubt: a name
    with a dot, a number or a bracket, and a port that is one.
    """
    scheme = _SCHEME.match(uri)
    rest = uri[scheme.end() :] if scheme is not None else ""
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    behind = rest[len(authority) :]
    host = authority.rpartition("@")[2]
    is_login = ":" in authority or "@" in authority
    if "@" in behind and is_login:
        return _SURE_HOST.fullmatch(host) is None
    return "@" not in rest and _PORT.fullmatch(authority) is None


def is_bare_login(text: str) -> bool:
    """Whether it is `name:password@host` without a scheme before it."""
    return _SCHEME.match(text) is None and _BARE_LOGIN.match(text) is not None


def is_address(text: str) -> bool:
    """Whether it is meant as the address of something in a network, with a login or a scheme before it."""
    found = _SCHEME.match(text) or _ANY_SCHEME.match(text)
    return is_bare_login(text) if found is None else not _is_file(found)


def has_secret_parameter(uri: str) -> bool:
    """Whether a query or a path holds a password or its like; `${NAME}` and `{password}` are none."""
    for _ in range(_ROUNDS):
        if any(not _NO_SECRET.fullmatch(found["value"]) for found in _SURELY_SECRET.finditer(uri)):
            return True
        uri = unquote(uri)
    return False


class RedactingFormatter(logging.Formatter):
    """A formatter of log records whose text, trace included, is redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging asks of a formatter."""
        return redact(super().format(record))


def redact_traces() -> None:
    """From now on the traces of faults that nobody catches, in any thread, are redacted."""

    def trace(fault: BaseException) -> None:
        sys.stderr.write(redact("".join(traceback.format_exception(fault))))

    sys.excepthook = lambda _, fault, __: trace(fault)
    threading.excepthook = lambda given: trace(given.exc_value) if given.exc_value is not None else None


def _plainly(text: str) -> str:
    """The text without its logins and its secret parameters, as far as they show undecoded."""
    return _without(text, [*_logins(text), *_values(text)])


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with each of the spans struck out, those that overlap as one."""
    shown, at = [], 0
    for begin, end in sorted(spans):
        if begin >= at:
            shown += [text[at:begin], STRUCK]
        at = max(at, end)
    return "".join([*shown, text[at:]])


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Where the values of secret parameters and headers are."""
    for pattern in (_PARAMETER, _QUOTED, _HEADER, _BARE):
        for found in pattern.finditer(text):
            begin, end = found.span("value")
            if pattern is _PARAMETER:
                # What closes a quotation or a sentence stays, for the text to be read on.
                known = len(STRUCK) if text.startswith(STRUCK, begin, end) else 1
                end = begin + known + len(text[begin + known : end].rstrip(_CLOSING))
            yield begin, end


def _logins(text: str) -> Iterator[tuple[int, int]]:
    """Where logins are: from behind a scheme to the last @ of what may be the address."""
    ats = [found.start() for found in _AT.finditer(text)]
    spaces = [found.start() for found in _SPACE.finditer(text)]
    breaks = [found.start() for found in _BREAK.finditer(text)]
    at = 0
    while (found := _SCHEME.search(text, at)) is not None:
        at = found.end()
        if _is_file(found):
            continue
        authority = _AUTHORITY_END.split(text[at : at + MAX_AUTHORITY], maxsplit=1)[0].rstrip(_CLOSING)
        odd = _PORT.fullmatch(authority) is None
        end = _next(breaks if odd else spaces, at, len(text))
        last = bisect_left(ats, end) - 1
        if last >= 0 and ats[last] >= at:
            yield at, ats[last]
            at = ats[last]
        elif odd:
            # What stands for a port is none: half of a login that was cut off.
            end = _next(spaces, at, len(text))
            end = at + max(len(authority), len(text[at:end].rstrip(_CLOSING)))
            yield at, end
            at = end


def _next(positions: list[int], at: int, otherwise: int) -> int:
    index = bisect_left(positions, at)
    return positions[index] if index < len(positions) else otherwise


def _encoded(found: re.Match[str]) -> str:
    """A word in which a secret shows once its percent signs are decoded: only its scheme is left."""
    word = decoded = found[0]
    if "%" not in word:
        return word
    for _ in range(_ROUNDS):
        decoded = unquote(decoded)
        if _plainly(decoded) != decoded:
            scheme = _SCHEME.match(word)
            return f"{scheme[0] if scheme else ''}{STRUCK}"
    return word


def _is_file(found: re.Match[str]) -> bool:
    return found[0].lower().startswith("file")
