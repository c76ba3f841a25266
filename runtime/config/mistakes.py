"""What is wrong with a config, said to the person who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from runtime.errors import TagsightError

MOST_SHOWN = 50


@dataclass(frozen=True)
class Mistake:
    """One mistake: where (`cameras[0].uri`; line 0: unknown), what is wrong, what would be right."""

    path: str
    wrong: str
    right: str
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.wrong}; {self.right}"


class ConfigErrors(TagsightError):
    """All mistakes of one config file, in the order of its lines."""

    def __init__(self, file: Path, mistakes: list[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.line)
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        lines = [f"{self._place(mistake)}: {mistake}" for mistake in self.mistakes[:MOST_SHOWN]]
        if len(self.mistakes) == 1:
            return lines[0]
        if len(self.mistakes) > MOST_SHOWN:
            lines.append(f"and {len(self.mistakes) - MOST_SHOWN} more")
        return "\n  ".join([f"{self.file} has {len(self.mistakes)} mistakes:", *lines])

    def _place(self, mistake: Mistake) -> str:
        return f"{self.file}:{mistake.line}" if mistake.line else f"{self.file}"


def did_you_mean(word: str, known: list[str], *, otherwise: str) -> str:
    """`did you mean 'x'?` when a known word is close, else the words in `otherwise`."""
    close = get_close_matches(word.lower(), [name.lower() for name in known], n=1, cutoff=0.6)
    if not close:
        return otherwise
    meant = next(name for name in known if name.lower() == close[0])
    return f"did you mean '{meant}'?"
