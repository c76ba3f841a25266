"""The gate that every request passes: right host, right origin, not too often, not too large.

It also says to the browser, with every answer, what the page may load: nothing but files of ours, no scripts
or styles within a page, no frame around it.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Collection, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.security.limits import RateLimit

SAFE = ("GET", "HEAD")
METHODS = (*SAFE, "POST")
MAX_BODY_BYTES = 64 * 1024
BURST, EVERY_S = 240, 0.05
"""Requests of one address: so many at once, then 20 a second."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Frame-Options": "DENY",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


class Guard:
    """ASGI around an application. `names` are what the pages may be called by, beside addresses.

    A name that is not among them may be anybody's that points here (DNS rebinding). With `loopback` only the
    names of this machine serve. `larger` are paths to which more than MAX_BODY_BYTES
    may be sent, and how much.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Collection[str] = (),
        loopback: bool = True,
        secure: bool = False,
        larger: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._names = names
        self._loopback = loopback
        self._secure = secure
        self._larger = larger
        self._limit = RateLimit(BURST, EVERY_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, self._with_headers(send))
            return
        await self._app(scope, _limited(receive, self._most(scope)), self._with_headers(send))

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers, method = Headers(scope=scope), str(scope["method"])
        address = str((scope.get("client") or ("",))[0])
        if not is_called(headers.get("host", ""), self._names, loopback=self._loopback):
            return PlainTextResponse("These pages are not called by that name.\n", 421)
        if method not in METHODS:
            return PlainTextResponse("No such method.\n", 405)
        if wait_s := self._limit.wait_s(address):
            return PlainTextResponse(
                "Too many requests; try again in a moment.\n", 429, {"Retry-After": f"{wait_s + 1:.0f}"}
            )
        return None if method in SAFE else self._change_refusal(headers, address, self._most(scope))

    def _most(self, scope: Scope) -> int:
        """Bytes of a body that may come to that path."""
        return self._larger.get(str(scope["path"]), MAX_BODY_BYTES)

    def _change_refusal(self, headers: Headers, address: str, most: int) -> PlainTextResponse | None:
        ours = f"{'https' if self._secure else 'http'}://{headers.get('host', '')}"
        if headers.get("origin", "") != ours:
            log.warning("a change from another origin was refused, asked for by %s", address)
            return PlainTextResponse("This came from another page than ours; nothing was changed.\n", 403)
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > most:
            return PlainTextResponse("Too much at once; nothing was changed.\n", 413)
        return None

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if self._secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return sending


def is_called(host: str, names: Collection[str], *, loopback: bool) -> bool:
    """Whether a Host header says one of `names`, this machine, or with `loopback` off any address."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in LOOPBACK or name in {one.lower() for one in names}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return not loopback


def _limited(receive: Receive, most: int) -> Receive:
    """No more of a body than may come, whatever was announced."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            return {"type": "http.disconnect"}
        return message

    return receiving
