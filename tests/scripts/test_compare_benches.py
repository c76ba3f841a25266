"""The table in which `scripts/compare-benches` holds a tree against an earlier commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ASKED = """
import compare_benches as compared
def told(bgr, whole):
    return {"costs": {"ours": {"bgr_ms": bgr, "decode_ms": 1.0}}, "process_ms": whole}
turns = [{"camera": (told(2.0, 4.0), told(1.0, 4.0))}, {"camera": (told(2.0, 4.0), told(3.0, 4.0))},
         {"camera": (told(4.0, 4.0), told(4.0, 5.0))}]
print(compared.table(turns, "abc"))
"""


def test_each_figure_has_its_medians_and_the_ratio_turn_by_turn(repo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=repo / "scripts" / "lib",
        capture_output=True,
        text=True,
        check=True,
    )
    _, _, *rows = done.stdout.strip().splitlines()
    assert [row.split(" | ")[0] for row in rows] == ["| camera"] * 3, "no bench that did not run"
    assert rows[0].endswith("| 2 ms | 3 ms | 1.00 (0.50 to 1.50) |") and "less is better" in rows[0]
    assert rows[2].endswith("| 4 ms | 4 ms | 1.00 (1.00 to 1.25) |")
