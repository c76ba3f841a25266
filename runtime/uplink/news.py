"""What is new to somebody who watches: health and status repeat themselves, and people read changes."""

from __future__ import annotations

import re

from contract.envelope import Event
from contract.facts import ProcessHealth
from contract.wire import Status

MAX_REPORTED = 4096
"""Processes and devices remembered; the one that was reported longest ago is forgotten first."""


class News:
    """Remembers what was reported last of every process and device."""

    def __init__(self) -> None:
        self._reported: dict[tuple[str, ...], tuple[str, ...]] = {}

    def tells(self, event: Event) -> bool:
        """Whether an event says something new: any does but health whose state and words are the same.

        Numbers within the words, as in "next try in 3.1 s", and the figures beside them do not count.
        """
        fact, envelope = event.fact, event.envelope
        if not isinstance(fact, ProcessHealth):
            return True
        words = re.sub(r"\d+(\.\d+)?", "#", fact.detail)
        return self._is_new((envelope.site, envelope.device, fact.process), (fact.state, words))

    def is_new_status(self, status: Status) -> bool:
        """Whether a device is in another state than was reported, or in the same one once more."""
        return self._is_new((status.site, status.device), (status.state, status.reason, status.since))

    def _is_new(self, about: tuple[str, ...], said: tuple[str, ...]) -> bool:
        before = self._reported.pop(about, None)
        self._reported[about] = said
        while len(self._reported) > MAX_REPORTED:
            del self._reported[next(iter(self._reported))]
        return said != before
