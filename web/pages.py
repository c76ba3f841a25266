"""Templates and files of pages: those that all pages share, and a room's own beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from web.security.sessions import Sessions, WebSession

HERE = Path(__file__).parent
FOREVER = "public, max-age=31536000, immutable"


class Pages:
    """Renders the templates of `folder`/templates and serves `folder`/static, beside those of `web`.

    `links` are the pages of the menu: path -> title; only technicians are shown those `for_technicians`.
    `title` stands on every page. `filters` are further ones of the templates.
    """

    def __init__(
        self,
        folder: Path,
        sessions: Sessions,
        title: str,
        links: Mapping[str, str],
        for_technicians: Collection[str] = (),
        filters: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._sessions = sessions
        self._files = {
            f"{room}/{file.name}": file
            for room, static in (("web", HERE / "static"), ("room", folder / "static"))
            for file in sorted(static.iterdir())
            if file.suffix in (".js", ".css", ".svg")
        }
        self._digests = {
            name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for name, file in self._files.items()
        }
        self._environment = Environment(
            loader=ChoiceLoader(
                [FileSystemLoader(folder / "templates"), FileSystemLoader(HERE / "templates")]
            ),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(filters or {})
        self._environment.globals.update(
            zip=zip,
            static=self.static,
            site_title=title,
            links=dict(links),
            for_technicians=tuple(for_technicians),
        )

    def static(self, name: str) -> str:
        """The address of a file, another one whenever the file is another."""
        return f"/static/{self._digests[name]}/{name}"

    def render(self, request: Request, template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
        """The page for who asks."""
        session: WebSession = request.state.session
        return HTMLResponse(
            self._environment.get_template(template).render(
                session=session, token=self._sessions.token(session), path=request.url.path, **context
            ),
            status,
        )

    def routes(self) -> list[BaseRoute]:
        """Where the files are."""
        return [Route("/static/{digest}/{name:path}", self._serve)]

    async def _serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        return FileResponse(file, headers=Headers({"Cache-Control": FOREVER}))
