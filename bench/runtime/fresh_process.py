"""One repetition of a measurement in a process of its own: nothing of the one before is left in it."""

from __future__ import annotations

import multiprocessing as mp
from collections.abc import Callable

from tagsight.errors import TagsightError

LIMIT_S = 300.0


def answer_of(measure: Callable[..., None], *arguments: object, fault: str) -> object:
    """What `measure(*arguments, connection)` sends.

    Raises TagsightError, `fault` and why, where it sends a text, sends nothing within LIMIT_S, or dies.
    """
    context = mp.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(*arguments, there))
    process.start()
    there.close()
    try:
        answer = here.recv() if here.poll(LIMIT_S) else f"nothing after {LIMIT_S:.0f} s"
    except EOFError:
        answer = "its process ended"
    process.join(5.0)
    if process.is_alive():
        process.kill()
    if isinstance(answer, str):
        raise TagsightError(f"{fault}: {answer}")
    return answer
