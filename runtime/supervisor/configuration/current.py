"""The configuration in force: read at the start, read again when asked, kept where the new one is broken."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runtime.config import ConfigErrors, Mistake, StoreConfig
from runtime.config.mistakes import placed
from runtime.config.reading import ReadingAnswer
from runtime.supervisor.configuration.changes import changes
from runtime.supervisor.configuration.reader import ConfigReader
from tagsight.errors import TagsightError

MAX_CHANGES_LOGGED = 40
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

log = logging.getLogger(__name__)


class Configuration:
    """`current` is in force; `fault` says what is wrong with a newer one on disk, if anything is.

    `mistakes` are those of the one in force that are tolerated, for an upgrade stops no shop; a newer one may
    not bring more of them. With `verbose` everything is logged, whatever the configuration says.
    """

    def __init__(
        self, path: Path, current: StoreConfig, verbose: bool, mistakes: Sequence[Mistake] = ()
    ) -> None:
        self.current = current
        self.fault = ""
        self._path = path
        self._verbose = verbose
        self._reader: ConfigReader | None = None
        self._asked_again = False
        self._tolerated: list[Mistake] = []
        self._log_mistakes(mistakes)

    @property
    def log_level(self) -> int:
        """How much to log, as logging counts it."""
        return logging.DEBUG if self._verbose else LEVELS[self.current.log.level]

    def faults(self) -> Iterator[str]:
        """What health says of the configuration; nothing where all is well."""
        if self._tolerated:
            first, more = self._tolerated[0], len(self._tolerated) - 1
            also = f" (and {more} more: tagsight config check)" if more else ""
            yield f"the configuration in force has a mistake: {placed(first, self._path)}: {first}{also}"
        if self.fault:
            yield self.fault

    def ask(self) -> None:
        """Begin to read the file again, in a process of its own; `poll` says when it is done."""
        if self._reader is not None:
            self._asked_again = True
            return
        try:
            self._reader = ConfigReader(self._path)
        except OSError as error:
            self._refuse(f"{self._path}: no process to read it can be started ({error.strerror})")

    @property
    def is_reloading(self) -> bool:
        """Whether the file is being read at this moment."""
        return self._reader is not None

    def poll(self, accept: Callable[[StoreConfig], None] = lambda _: None) -> bool:
        """True where another configuration has just come into force. Says for every key what it changes.

        `accept` raises TagsightError where the box cannot go over to it.
        """
        answer = None if self._reader is None else self._reader.poll()
        if answer is None:
            return False
        self._reader = None
        if self._asked_again:
            self._asked_again = False
            self.ask()
            return False
        return self._judge(answer, accept)

    def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _judge(self, answer: ReadingAnswer, accept: Callable[[StoreConfig], None]) -> bool:
        if answer.store is None:
            self._refuse(answer.why)
            return False
        known = Counter(map(_kind_of, self._tolerated))
        found = [mistake for mistake in answer.mistakes if mistake.weight == "tolerated"]
        if Counter(map(_kind_of, found)) - known:
            self._refuse(str(ConfigErrors(self._path, found)))
            return False
        try:
            accept(answer.store)
        except TagsightError as error:
            self._refuse(str(error))
            return False
        differences = changes(self.current, answer.store)
        self.current, self.fault = answer.store, ""
        logging.getLogger().setLevel(self.log_level)
        for change in differences[:MAX_CHANGES_LOGGED]:
            log.info("%s", change.summary())
        if len(differences) > MAX_CHANGES_LOGGED:
            log.info("and %d changes more", len(differences) - MAX_CHANGES_LOGGED)
        log.info("configuration reloaded from %s, %d changes", self._path, len(differences))
        self._log_mistakes(answer.mistakes)
        return True

    def _log_mistakes(self, mistakes: Sequence[Mistake]) -> None:
        self._tolerated = [mistake for mistake in mistakes if mistake.weight == "tolerated"]
        for mistake in mistakes:
            level = logging.WARNING if mistake.weight == "tolerated" else logging.INFO
            log.log(level, "%s: %s", placed(mistake, self._path), mistake)

    def _refuse(self, why: str) -> None:
        log.error("the configuration was not reloaded, the old one stays: %s", why)
        self.fault = f"the configuration on disk is broken, an older one is in force: {why}"


def _kind_of(mistake: Mistake) -> tuple[str, str]:
    """A mistake without its place in a list, which moves when others are taken out."""
    return re.sub(r"\[\d+\]", "[]", mistake.path), mistake.wrong
