"""What strikes the wall clock of the whole box: years off at the start, and years at a step."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from bench.reliability.faults.box import NoBox
from bench.reliability.faults.rig import Outcome
from bench.reliability.faults.trial import fresh_trial

SAID = 40
STEPS = ("+5y", "-1y", "+0")
"""Of libfaketime: years from the true time; the box starts three years behind."""


def clock_years_off(times: int) -> Outcome:
    """The clock is three years behind at the start, then five ahead, one behind, and right."""
    library = find_faketime()
    with fresh_trial() as trial:
        clock = trial.folder / "clock"
        clock.write_text("-3y\n")
        environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        assert trial.box.start(env=environment), f"the daemon does not come up: {trial.last_words()}"
        trial.say(SAID)
        for _ in range(times):
            for step in STEPS:
                before = len(trial.box.said())
                clock.write_text(f"{step}\n")
                trial.box_says(r"the wall clock was set by \S+ s", before)
                trial.say(SAID)
        began_s = time.monotonic()
        outcome = trial.settle("clock years off, and stepping", times, "begins anew on the new time", began_s)
        assert trial.streams() == 1, "a step of the clock was taken for a copy of the outbox"
        # An event's id carries the clock: at each of the `times` steps back one pair is the other way round.
        account = outcome.account
        disorder = max(0, account.out_of_order - times)
        return msgspec.structs.replace(
            outcome, account=msgspec.structs.replace(account, out_of_order=disorder)
        )


def find_faketime() -> Path:
    """libfaketime: $TAGSIGHT_FAKETIME, the system's, or what scripts/fetch-faketime left in the cache.

    Raises NoBox where there is none.
    """
    given = os.environ.get("TAGSIGHT_FAKETIME")
    cache_home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(os.environ.get("TAGSIGHT_CACHE") or Path(cache_home, "tagsight")) / "faketime"
    found = (
        [Path(given)] if given else [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), *_below(cache)]
    )
    for library in found:
        if os.access(library, os.R_OK):
            return library
    raise NoBox("no libfaketime here; run scripts/fetch-faketime (no root needed)")


def _below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("faketime/libfaketime.so.1")) if folder.is_dir() else []
