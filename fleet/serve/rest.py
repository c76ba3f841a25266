"""The warehouse over HTTP: questions by name, SQL, records handed in; described by OpenAPI."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from contract.errors import UNREADABLE
from fleet.errors import FleetError
from fleet.serve.asking import DEFAULT_MINUTES, FIRST_DAY, LAST_DAY, Asked, questions
from fleet.serve.filling import Filler
from fleet.serve.openapi import document
from fleet.serve.reading import Reading
from fleet.serve.settings import ApiUser, FleetSettings
from web.security.guard import is_called

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
EVERYBODY = ApiUser(name="everybody on this machine", token_sha256="0" * 64, sql=True, hands_in=True)
FOREIGN = (
    "without users only this machine is answered; this was asked under another name or by another page: "
    "list users with tokens, or the name under board.names"
)
Handler: TypeAlias = Callable[[Request, ApiUser], Awaitable[Response]]


class NotAllowed(FleetError):
    """A request that is not answered, with its HTTP status."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status


class Api:
    """The handlers; `app` has their routes, and whatever else is asked for is `board`'s."""

    def __init__(
        self, settings: FleetSettings, filler: Filler | None = None, board: ASGIApp | None = None
    ) -> None:
        self._settings = settings
        self._filler = filler
        self._reading = Reading(settings)
        self.app = Starlette(
            routes=[
                Route("/openapi.json", self._open(self.openapi)),
                Route("/v1/health", self._open(self.health)),
                Route("/v1/questions", self._known(self.questions)),
                Route("/v1/answers/{name}", self._known(self.answers)),
                Route("/v1/sql", self._known(self.sql), methods=["POST"]),
                Route("/v1/records", self._known(self.records), methods=["POST"]),
                *([Mount("/", board)] if board is not None else []),
            ]
        )

    async def openapi(self, request: Request) -> Response:
        return _json(document())

    async def health(self, request: Request) -> Response:
        """Whether all sources are read, and when they were looked at last. Says nothing of stores."""
        filler = self._filler
        faults = len(filler.faults) if filler is not None else 0
        told = {
            "state": "degraded" if faults else "ok",
            "faults": faults,
            "looked_s": filler.looked_s if filler is not None else None,
        }
        return _json(told)

    async def questions(self, request: Request, user: ApiUser) -> Response:
        return _json({name: question.about for name, question in questions().items()})

    async def answers(self, request: Request, user: ApiUser) -> Response:
        asked = self._asked(request, user)
        answer = await run_in_threadpool(self._reading.answer, request.path_params["name"], asked)
        told = {"answer": request.path_params["name"], "rows": answer.rows}
        return _json(told | {"cut": answer.is_cut, "replica": answer.is_replica})

    async def sql(self, request: Request, user: ApiUser) -> Response:
        if not user.sql:
            raise NotAllowed(403, f"{user.name} may not put SQL; sql: true in fleet.yaml allows it")
        query = (await _body(request)).decode(errors="replace")
        sites = self._settings.sites_of(user)
        answer, is_replica = await run_in_threadpool(self._reading.sql, query, sites)
        told = {"columns": answer.columns, "rows": answer.rows, "cut": answer.is_cut, "replica": is_replica}
        return _json(told | {"took_s": round(answer.took_s, 3)})

    async def records(self, request: Request, user: ApiUser) -> Response:
        if not user.hands_in or self._filler is None:
            raise NotAllowed(
                403, f"{user.name} may not hand in records; hands_in: true in fleet.yaml allows it"
            )
        body = await _body(request)
        sites = self._settings.sites_of(user)
        if sites is not None:
            _check_sites(body, sites)
        count = await run_in_threadpool(self._filler.hand_in, body)
        return _json({"taken": count}, 202)

    def _asked(self, request: Request, user: ApiUser) -> Asked:
        """Only of stores that the user may see."""
        given = request.query_params
        sites = self._settings.sites_of(user)
        wanted = given.getlist("site")
        if wanted:
            hidden = sorted(set(wanted) - sites) if sites is not None else []
            if hidden:
                raise NotAllowed(403, f"{user.name} may not see {', '.join(hidden)}")
            sites = frozenset(wanted)
        try:
            minutes = float(given.get("minutes", DEFAULT_MINUTES))
            now_s = float(given["now"]) if "now" in given else None
        except ValueError as error:
            raise NotAllowed(400, f"minutes and now are numbers ({error})") from error
        return Asked(sites, given.get("from", FIRST_DAY), given.get("to", LAST_DAY), minutes, now_s)

    def _known(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """For users with a token; where none are listed, for everybody on this machine."""

        async def checked(request: Request) -> Response:
            user = EVERYBODY
            if not self._settings.users:
                if not self._is_of_this_machine(request):
                    return _json({"error": FOREIGN}, 403)
            else:
                scheme, _, token = request.headers.get("authorization", "").partition(" ")
                found = self._settings.user_of(token.strip()) if scheme.lower() == "bearer" else None
                if found is None:
                    return _json({"error": "give your token as Authorization: Bearer TOKEN"}, 401)
                user = found
            try:
                return await handler(request, user)
            except NotAllowed as error:
                return _json({"error": str(error)}, error.status)
            except FleetError as error:
                log.info("%s: %s", user.name, error)
                return _json({"error": str(error)}, 400)

        return checked

    def _is_of_this_machine(self, request: Request) -> bool:
        """Whether no page of somebody else's asks in a browser here: under a name of its own that points to
        this machine, or from its own address."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        return is_called(host, self._settings.board.names, loopback=True) and origin in (
            None,
            f"http://{host}",
        )

    def _open(
        self, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """For everybody: what says nothing of any store."""

        async def opened(request: Request) -> Response:
            return await handler(request)

        return opened


class _Site(msgspec.Struct):
    site: str


def _check_sites(body: bytes, sites: frozenset[str]) -> None:
    try:
        found = {one.site for one in msgspec.json.decode(body, type=list[_Site])}
    except UNREADABLE as error:
        raise NotAllowed(400, f"an array of records is wanted, see tagsight fleet schema: {error}") from error
    if hidden := sorted(found - sites):
        raise NotAllowed(403, f"records of {', '.join(hidden)}, which are not this user's stores")


async def _body(request: Request) -> bytes:
    """At most MAX_BODY_BYTES."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise NotAllowed(413, f"more than {MAX_BODY_BYTES} bytes; hand in less at once")
    return body


def _json(told: object, status: int = 200) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(msgspec.json.encode(told), status, media_type="application/json", headers=headers)
