"""The configuration in force: read at the start, read again when asked, kept where the new one is broken."""

from __future__ import annotations

import logging
from pathlib import Path

from runtime.config import StoreConfig, load
from runtime.errors import TagsightError
from runtime.supervisor.changes import changes

MOST_CHANGES_TOLD = 40
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

log = logging.getLogger("tagsight.supervisor")


class Configuration:
    """`current` is in force; `fault` says what is wrong with a newer one on disk, if anything is.

    With `verbose` everything is logged, whatever the configuration says.
    """

    def __init__(self, path: Path, current: StoreConfig, verbose: bool) -> None:
        self.current = current
        self.fault = ""
        self._path = path
        self._verbose = verbose

    @property
    def log_level(self) -> int:
        """How much to log, as logging counts it."""
        return logging.DEBUG if self._verbose else LEVELS[self.current.log.level]

    @property
    def crash_folder(self) -> Path:
        """Where processes leave the traces of their end."""
        return self.current.state_dir / "crash"

    def reload(self) -> bool:
        """Read the file again; True where it is in force now. Says for every key what its change means."""
        try:
            # A clip that is away for the moment is that camera's matter, as an unplugged camera is.
            config = load(self._path, clips_needed=False)
        except TagsightError as error:
            log.error("the configuration was not reloaded, the old one stays: %s", error)
            self.fault = f"the configuration on disk is broken, an older one is in force: {error}"
            return False
        found = changes(self.current, config)
        self.current, self.fault = config, ""
        logging.getLogger().setLevel(self.log_level)
        for change in found[:MOST_CHANGES_TOLD]:
            log.info("%s", change.sentence())
        if len(found) > MOST_CHANGES_TOLD:
            log.info("and %d changes more", len(found) - MOST_CHANGES_TOLD)
        log.info("configuration reloaded from %s, %d changes", self._path, len(found))
        return True
