"""What a run writes down: loss and validation tables (CSV), and their curves as a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

NOT_DRAWN = {"step", "minutes"}


class TrainingLog:
    """Appends rows to `loss.csv` and `validation.csv` in a run's folder and draws `curves.png`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, table: str, values: Mapping[str, float]) -> None:
        """Adds a row to `<table>.csv` and prints it."""
        path = self._folder / f"{table}.csv"
        row = {name: round(value, 4) for name, value in values.items()}
        new = not path.exists()
        with path.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(f"{table}: " + "  ".join(f"{name} {value:g}" for name, value in row.items()), flush=True)

    def draw(self) -> None:
        """Draws every column of both tables over the step."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 4), layout="constrained")
        for place, table in enumerate(("loss", "validation")):
            path = self._folder / f"{table}.csv"
            if not path.exists():
                continue
            with path.open(newline="") as stream:
                rows = list(csv.DictReader(stream))
            axes = figure.add_subplot(1, 2, place + 1)
            steps = [float(row["step"]) for row in rows]
            for name in rows[0]:
                if name not in NOT_DRAWN:
                    axes.plot(steps, [float(row[name]) for row in rows], label=name)
            axes.set_xlabel("step")
            axes.set_title(table)
            axes.legend()
            axes.grid(alpha=0.3)
        figure.savefig(self._folder / "curves.png", dpi=110)
