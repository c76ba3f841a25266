"""What a check found, and how checks are run: side by side, each with its own time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tagsight.errors import TagsightError
from tagsight.redaction import redact

Verdict = Literal["ok", "weak", "absent", "missing"]
"""ok; works, but should be mended; not there, and not needed; needed, and not there or broken."""


@dataclass(frozen=True)
class Finding:
    """One thing checked: a verdict, what was found, and what to do about it (empty when nothing is).

    Secrets in `found` are struck out.
    """

    verdict: Verdict
    found: str
    remedy: str = ""
    subject: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", redact(self.found))


@dataclass(frozen=True)
class Check:
    """Something to check. `run` raises one of our own errors, or OSError, when it is missing or broken."""

    subject: str
    run: Callable[[], Finding]
    remedy: str = "see the sentence before"


def run_checks(checks: Sequence[Check], limit_s: float) -> list[Finding]:
    """Runs all checks at once; a check that takes longer than `limit_s` is missing. Order is kept.

    A check that hangs in a library cannot be stopped: its thread is a daemon and ends with the program.
    """
    found: list[Finding | None] = [None] * len(checks)

    def run(index: int) -> None:
        found[index] = _looked(checks[index])

    threads = [
        threading.Thread(target=run, args=(index,), name=f"check {check.subject}", daemon=True)
        for index, check in enumerate(checks)
    ]
    end_s = time.monotonic() + limit_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))
    return [
        replace(finding, subject=check.subject)
        if finding is not None
        else Finding("missing", f"no answer within {limit_s:g} s", check.remedy, check.subject)
        for check, finding in zip(checks, list(found), strict=True)
    ]


def _looked(check: Check) -> Finding:
    try:
        return check.run()
    except TagsightError as error:
        return Finding("missing", str(error), check.remedy)
    except OSError as error:
        return Finding("missing", str(error.strerror or error).lower(), check.remedy)
    except Exception as error:  # noqa: BLE001  (a doctor reports what breaks, whatever it is)
        return Finding("missing", f"the check itself broke ({type(error).__name__}: {error})", check.remedy)
