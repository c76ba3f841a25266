"""How far a long piece of work is: a bar on a terminal, a line for every quarter elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

QUARTERS = 4


@contextmanager
def progress(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Says what is being done and how far it is; call what it gives once for each of `total` steps."""
    if not console.is_terminal:
        yield _plain(console, what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _plain(console: Console, what: str, total: int) -> Callable[[], None]:
    console.print(what, highlight=False, soft_wrap=True)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps * QUARTERS // total > (steps - 1) * QUARTERS // total:
            console.print(f"{what}: {100 * steps // total} %", highlight=False, soft_wrap=True)

    return step
