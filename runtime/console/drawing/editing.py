"""store.yaml as pages change it: judged before it is written, written once, taken up by the daemon."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import anyio
from starlette.exceptions import HTTPException

from runtime.console.drawing.document import Drawing, ShopDocument
from runtime.console.drawing.judging import JudgedShop, judge_shop
from runtime.console.drawing.store_file import ChangedMeanwhile, StoreFile, StoreText
from web.errors import WebError

log = logging.getLogger(__name__)


class ShopEditor:
    """Around the file, if it is known where it is. `reload` asks the daemon to read it again.

    Its answers to a browser: 400 for a drawing with mistakes, 409 where somebody else was quicker, 507 where
    the disk refuses.
    """

    def __init__(self, file: StoreFile | None, reload: Callable[[], None]) -> None:
        self._file = file
        self._reload = reload
        self._working = anyio.CapacityLimiter(1)

    @property
    def file(self) -> StoreFile:
        """Raises HTTPException where there is none."""
        if self._file is None:
            raise HTTPException(404, "This console knows no store.yaml.")
        return self._file

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """One such work at a time, beside the server's loop."""
        return await anyio.to_thread.run_sync(work, limiter=self._working)

    def judged(self, drawing: Drawing) -> tuple[StoreText, str, JudgedShop]:
        """What stands, the text with the drawing in it, and what is to be said of that. Blocks."""
        stands = self.file.read()
        text = ShopDocument(stands.text).with_drawing(drawing)
        return stands, text, judge_shop(text, self.file.path, stands.text)

    async def save(self, drawing: Drawing, version: str, who: str) -> StoreText:
        """Put a drawing in the place of that version."""

        def saving() -> StoreText:
            stands, text, judged = self.judged(drawing)
            if stands.version != version:
                raise ChangedMeanwhile(
                    "Somebody else has saved the shop since you looked at it. Nothing was overwritten: what "
                    "you made is still on this page."
                )
            if stops := [mistake for mistake in judged.mistakes if mistake.stops]:
                where = f"{stops[0].section}: " if stops[0].section else ""
                raise HTTPException(400, f"Nothing was saved: {where}{stops[0].words}.")
            return self.file.replace(text, version, who)

        return await self.written(saving, who)

    async def written(self, saving: Callable[[], StoreText], who: str) -> StoreText:
        """Do the work that writes the file, and let the daemon take it up."""
        try:
            saved: StoreText = await self.in_thread(saving)
        except ChangedMeanwhile as error:
            raise HTTPException(409, str(error)) from None
        except WebError as error:
            log.error("%s", error)
            raise HTTPException(507, str(error)) from None
        log.info("%s saved the shop (%s)", who, self.file.path)
        self._reload()
        return saved
