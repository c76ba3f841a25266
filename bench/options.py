"""Options that several benchmarks take: sizes as 1920x1080, numbers as 1,2,4."""

from __future__ import annotations

import click

MOST = 64


def size(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """(width, height), or None for nothing."""
    if value is None:
        return None
    width, _, height = value.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise click.BadParameter(f"{value!r} is not a size: write it as 1920x1080", ctx, option)
    return int(width), int(height)


def counts(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Numbers of 1 to 64, smallest first, each once; none for nothing."""
    if value is None:
        return ()
    numbers = {int(part) if part.isdecimal() else 0 for part in value.split(",")}
    if not all(0 < number <= MOST for number in numbers):
        raise click.BadParameter(f"{value!r}: numbers from 1 to {MOST}, as 1,2,4", ctx, option)
    return tuple(sorted(numbers))
