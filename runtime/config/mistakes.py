"""What is wrong with a config, said to the person who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from tagsight.errors import TagsightError
from tagsight.redaction import redact

MOST_SHOWN = 50

Weight = Literal["refused", "tolerated", "remark"]
"""What a mistake does. `refused`: nothing runs with it. `tolerated`: `config check` and a reload refuse it as
new, but a box that was running with it goes on and says so, for an upgrade stops no shop. `remark`: it is
said, and may be as it should be.
"""


@dataclass(frozen=True)
class Mistake:
    """One mistake: where (`cameras[0].uri`; line 0: unknown), what is wrong, what would be right.

    `file` is where it stands if not in store.yaml itself. Secrets are struck out.
    """

    path: str
    wrong: str
    right: str
    line: int = 0
    weight: Weight = "refused"
    file: Path | None = None

    def __post_init__(self) -> None:
        for key in ("path", "wrong"):
            object.__setattr__(self, key, redact(getattr(self, key)))

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.wrong}; {self.right}"


class ConfigErrors(TagsightError):
    """All mistakes of one config file, in the order of its lines."""

    def __init__(self, file: Path, mistakes: list[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.file is not None, mistake.line))
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        lines = [f"{placed(mistake, self.file)}: {mistake}" for mistake in self.mistakes[:MOST_SHOWN]]
        if len(self.mistakes) == 1:
            return lines[0]
        if len(self.mistakes) > MOST_SHOWN:
            lines.append(f"and {len(self.mistakes) - MOST_SHOWN} more")
        return "\n  ".join([f"{self.file} has {len(self.mistakes)} mistakes:", *lines])


def placed(mistake: Mistake, file: Path) -> str:
    """`FILE:LINE` of a mistake in the config `file`."""
    where = mistake.file or file
    return f"{where}:{mistake.line}" if mistake.line else f"{where}"


def did_you_mean(word: str, known: list[str], *, otherwise: str) -> str:
    """`did you mean 'x'?` when a known word is close, else the words in `otherwise`."""
    close = get_close_matches(word.lower(), [name.lower() for name in known], n=1, cutoff=0.6)
    if not close:
        return otherwise
    meant = next(name for name in known if name.lower() == close[0])
    return f"did you mean '{meant}'?"
