"""The root of every error that is meant for a person; each package derives its own in its `errors`."""

from __future__ import annotations

from tagsight.redaction import redact


class TagsightError(Exception):
    """A fault the user can mend: one sentence that names the file, key or value and what would be right.

    The command line prints the sentence and exits with 1; it never shows a traceback for it. Secrets in the
    sentence are struck out.
    """

    def __init__(self, *told: object) -> None:
        super().__init__(*(redact(one) if isinstance(one, str) else one for one in told))
