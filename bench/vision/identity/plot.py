"""The picture of a report: IDF1 by stage, each method a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tagsight.errors import TagsightError


def draw(by_stage: Mapping[str, Sequence[float]], stage_tracks: int, path: Path) -> None:
    """Write the picture. Raises TagsightError where matplotlib is missing."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise TagsightError("drawing needs matplotlib: pip install 'tagsight[train]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.2), dpi=110)
    for method, values in by_stage.items():
        axes.plot([stage_tracks * (at + 1) for at in range(len(values))], values, marker="o", label=method)
    axes.set(xlabel="tracks seen so far", ylabel=f"IDF1 of the last {stage_tracks}", ylim=(0, 1))
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
