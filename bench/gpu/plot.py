"""Figures of a GPU as pictures; the device is named in each title."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.gpu.figures import Density, GpuFigures
from tagsight.errors import TagsightError

SIZE_INCHES = (10.0, 7.0)
DOTS_PER_INCH = 90
TITLE_LETTERS = 100


def draw_settings(figures: GpuFigures, out: Path) -> None:
    """Frames a second and time to the answer of every setting, by batch size. Raises TagsightError."""
    pyplot = _pyplot()
    figure, (rates, times) = pyplot.subplots(2, 1, figsize=SIZE_INCHES, layout="constrained")
    for setting in dict.fromkeys(row.setting for row in figures.settings):
        rows = [row for row in figures.settings if row.setting == setting]
        sizes = [row.batch for row in rows]
        rates.plot(sizes, [row.fps for row in rows], marker="o", label=setting)
        middle = [row.answer_ms.p50 for row in rows]
        reach = [row.answer_ms.p99 - row.answer_ms.p50 for row in rows]
        times.errorbar(sizes, middle, yerr=[[0.0] * len(rows), reach], marker="o", capsize=3, label=setting)
    rates.set_ylabel("frames a second")
    times.set_ylabel("answer, ms (p50, up to p99)")
    times.set_xlabel("batch")
    _finish(pyplot, figure, (rates, times), figures.device, out)


def draw_density(results: Sequence[Density], where: str, out: Path) -> None:
    """Frames a second in all and for each camera, by number of cameras. Raises TagsightError."""
    pyplot = _pyplot()
    figure, (total, each) = pyplot.subplots(2, 1, sharex=True, figsize=SIZE_INCHES, layout="constrained")
    cameras = [result.cameras for result in results]
    total.plot(cameras, [result.fps for result in results], marker="o")
    each.plot(cameras, [result.fps_a_camera for result in results], marker="o")
    total.set_ylabel("frames a second, all cameras")
    each.set_ylabel("frames a second, each camera")
    each.set_xlabel("cameras")
    _finish(pyplot, figure, (total, each), where, out)


def _pyplot() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise TagsightError("drawing needs matplotlib: pip install 'tagsight[train]'") from error
    mpl.use("agg")
    from matplotlib import pyplot

    return pyplot


def _finish(pyplot: Any, figure: Any, axes: Sequence[Any], title: str, out: Path) -> None:
    axes[0].set_title(title if len(title) <= TITLE_LETTERS else title[: TITLE_LETTERS - 1] + "…", fontsize=9)
    for axis in axes:
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.3)
    if axes[0].get_legend_handles_labels()[0]:
        axes[0].legend(fontsize=8)
    figure.savefig(out, dpi=DOTS_PER_INCH)
    pyplot.close(figure)
