"""Reading a store's config in a process of its own: `python -m runtime.config.reading STORE.yaml`.

A large stock list takes seconds of work, and whoever keeps the processes of the box alive has other things
to do meanwhile. The answer is one `Answer` as MessagePack on standard output.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from runtime.config.loading import load_running
from runtime.config.mistakes import ConfigErrors, Mistake
from runtime.config.model import StoreConfig
from runtime.packing import pack
from tagsight.errors import TagsightError

NICENESS = 5


class ReadingAnswer(msgspec.Struct, frozen=True):
    """The store, None where the file is refused and `why` says for what; `mistakes` are those tolerated."""

    store: StoreConfig | None
    mistakes: list[Mistake]
    why: str = ""


def answer(file: Path) -> ReadingAnswer:
    """What there is to say of the file. A clip that is away is its camera's matter."""
    try:
        store, mistakes = load_running(file, clips_needed=False)
    except ConfigErrors as errors:
        return ReadingAnswer(None, errors.mistakes, str(errors))
    except TagsightError as error:
        return ReadingAnswer(None, [], str(error))
    return ReadingAnswer(store, mistakes)


if __name__ == "__main__":
    os.nice(NICENESS)
    sys.stdout.buffer.write(pack(answer(Path(sys.argv[1]))))
