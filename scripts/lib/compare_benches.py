"""Runs the benches that guard speed on an earlier commit and on this tree, turn by turn, and prints ratios.

Both run with the packages of this environment. Whatever else the machine does hits both alike, so the ratio
of a turn says more than either figure; its median over the turns is what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
LIMIT_S = 600


@dataclass(frozen=True)
class Figure:
    """One figure of a bench; `more` says that a larger one is better."""

    name: str
    unit: str
    more: bool
    of: Callable[[Any], float]


def line(name: str) -> Callable[[Any], float]:
    return lambda found: float(next(one for one in found if one["name"] == name)["events_per_s"])


BENCHES: dict[str, tuple[list[str], list[Figure]]] = {
    "throughput": (
        ["--repetitions", "1", "--frames", "120"],
        [
            Figure(
                "our loop, CPU a frame",
                "ms",
                False,
                lambda found: 1e3 * found["runs"]["ours"][0]["cpu_s"] / found["runs"]["ours"][0]["frames"],
            ),
            Figure("less CPU a frame than the peer", "times", True, lambda found: float(found["cpu_ratio"])),
        ],
    ),
    "camera": (
        ["--size", "768", "576", "--fps", "50", "--repetitions", "1"],
        [
            Figure(
                "RTSP, as BGR, CPU a picture", "ms", False, lambda found: found["costs"]["ours"]["bgr_ms"]
            ),
            Figure(
                "RTSP, only decoded, CPU a picture",
                "ms",
                False,
                lambda found: found["costs"]["ours"]["decode_ms"],
            ),
            Figure("whole camera process, CPU a picture", "ms", False, lambda found: found["process_ms"]),
        ],
    ),
    "ring": (
        ["--rounds", "200"],
        [
            Figure("read a frame", "ms", False, lambda found: found["methods"]["ring"]["read"]["median_ms"]),
            Figure(
                "hand a frame over",
                "ms",
                False,
                lambda found: found["methods"]["ring"]["handover"]["median_ms"],
            ),
        ],
    ),
    "uplink": (
        ["--events", "20000", "--drain", "50000"],
        [
            Figure("into the outbox", "events/s", True, line("outbox")),
            Figure("through outbox and broker", "events/s", True, line("through")),
            Figure("drain", "events/s", True, line("drain")),
        ],
    ),
    "flips": (
        ["--cost", "--seconds", "60"],
        [
            Figure("share of a core", "", False, lambda found: found["big_store"]["core_share"]),
            Figure("reads decoded and judged", "1/s", True, lambda found: found["decoded_and_judged_per_s"]),
        ],
    ),
}


def call(words: list[str], tree: Path, text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Runs a command in a source tree, whose packages come first."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(  # noqa: S603
        words, cwd=tree, env=environment, input=text, capture_output=True, timeout=LIMIT_S, check=False
    )


def run(tree: Path, bench: str) -> Any:
    """What a bench prints, run in a source tree."""
    words = [sys.executable, "-m", "runtime", "bench", bench, *BENCHES[bench][0], "--json"]
    done = call(words, tree)
    if done.returncode:
        sys.exit(f"{tree}: bench {bench} failed: {done.stderr.decode().strip()[-400:]}")
    return json.loads(done.stdout)


def run_together(trees: tuple[Path, Path], bench: str) -> dict[Path, Any]:
    """The same for both at once: for figures of CPU time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(trees, pool.map(lambda tree: run(tree, bench), trees), strict=True))


def table(turns: list[dict[str, tuple[Any, Any]]], revision: str) -> str:
    """A row a figure: its medians before and now, and now / before turn by turn."""
    rows = [
        f"| bench | figure | {revision} | now | now / {revision}, median (least to most) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for bench in turns[0]:
        for figure in BENCHES[bench][1]:
            pairs = [(figure.of(turn[bench][0]), figure.of(turn[bench][1])) for turn in turns]
            before, now = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratios = sorted(b / a for a, b in pairs)
            better = "more is better" if figure.more else "less is better"
            ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            both = f"{before:,.4g} {figure.unit} | {now:,.4g} {figure.unit}"
            rows.append(f"| {bench} | {figure.name} ({better}) | {both} | {ratio} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/compare-benches", description=__doc__.partition("\n")[0])
    parser.add_argument("revision", help="commit to compare with; one of this repository")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument(
        "--bench", action="append", choices=list(BENCHES), help="only this one; may be repeated"
    )
    parser.add_argument("--together", action="store_true", help="both at once: steadier, for CPU time only")
    parser.add_argument("--out", type=Path, help="a file for the table, Markdown")
    given = parser.parse_args()
    found = call(["git", "rev-parse", "--short", f"{given.revision}^{{commit}}"], REPO)
    if found.returncode:
        sys.exit(f"{given.revision}: no such commit here; git log lists them")
    revision = found.stdout.decode().strip()
    turns, loads = [], []
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder)
        call(["tar", "-x"], before, call(["git", "archive", revision], REPO).stdout)
        for number in range(given.turns):
            turn = {}
            for bench in given.bench or BENCHES:
                order = (before, REPO) if number % 2 == 0 else (REPO, before)
                if given.together:
                    told = run_together(order, bench)
                else:
                    told = {tree: run(tree, bench) for tree in order}
                turn[bench] = (told[before], told[REPO])
                loads.append(os.getloadavg()[0])
                sys.stderr.write(f"turn {number + 1} of {given.turns}: {bench}\n")
            turns.append(turn)
    text = (
        f"{given.turns} turns, {os.cpu_count()} cores, load {min(loads):.1f} to {max(loads):.1f}\n\n"
        f"{table(turns, revision)}\n"
    )
    sys.stdout.write(text)
    if given.out is not None:
        title = f"# The benches that guard speed, {revision} and now"
        given.out.write_text(f"{title}\n\n`scripts/compare-benches {revision}`: {text}")


if __name__ == "__main__":
    main()
