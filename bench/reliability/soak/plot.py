"""The soak as a picture: memory, descriptors and threads of every process, and when a fault struck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.reliability.soak.figures import MB, Sample
from tagsight.errors import TagsightError

SIZE_INCHES = (10.0, 8.0)
DOTS_PER_INCH = 80


def draw(
    samples: Mapping[str, Sequence[Sample]], strikes: Sequence[tuple[float, str]], begin_s: float, out: Path
) -> None:
    """Write the picture. Raises TagsightError where matplotlib is missing.

    A line breaks off where its process ended and begins again with the next one.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise TagsightError("drawing needs matplotlib: pip install 'tagsight[train]'") from error
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 1, sharex=True, figsize=SIZE_INCHES, layout="constrained")
    for name, course in sorted(samples.items()):
        minutes, memory, descriptors, threads = _columns(course, begin_s)
        axes[0].plot(minutes, memory, label=name, linewidth=1)
        axes[1].plot(minutes, descriptors, linewidth=1)
        axes[2].plot(minutes, threads, linewidth=1)
    for axis, title in zip(axes, ("private memory, MB", "descriptors", "threads"), strict=True):
        axis.set_ylabel(title)
        axis.set_ylim(bottom=0)
        for time_s, _ in strikes:
            axis.axvline((time_s - begin_s) / 60, color="0.85", linewidth=0.6, zorder=0)
    axes[0].legend(fontsize=7, ncols=2, loc="upper right")
    axes[0].set_title(f"each grey line a fault, {len(strikes)} in all")
    axes[-1].set_xlabel("minutes")
    figure.savefig(out, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def _columns(course: Sequence[Sample], begin_s: float) -> tuple[list[float], ...]:
    """Minutes, MB, descriptors, threads; not a number between two lives of a process."""
    columns: tuple[list[float], ...] = ([], [], [], [])
    before = None
    for one in course:
        if before is not None and before.pid != one.pid:
            for column in columns:
                column.append(float("nan"))
        values = ((one.time_s - begin_s) / 60, one.memory / MB, one.descriptors, one.threads)
        for column, value in zip(columns, values, strict=True):
            column.append(float(value))
        before = one
    return columns
