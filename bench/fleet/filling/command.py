"""`tagsight bench filling`: missing hours filled by a distributed join, shuffled against broadcast."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from fleet.errors import FleetError

JOB = Path(__file__).with_name("job.py")
SHARE = 75
"""Of so many hours one is told, as in the join that this answers to."""


class JoinWay(msgspec.Struct, frozen=True):
    """One way of joining: what it found, and what it cost."""

    way: str
    hours: int
    total: int
    cpu_s: float
    wall_s: float


class Filling(msgspec.Struct, frozen=True):
    """`ratio` of CPU time and of wall time: the shuffled join to the broadcast one, and to that by hashes."""

    hours: int
    told: int
    ways: list[JoinWay]
    broadcast_ratio: float
    hashed_ratio: float
    broadcast_wall_ratio: float
    hashed_wall_ratio: float
    differing: int


def expected(hours: int) -> int:
    """The sum of all counts, without any join."""
    return sum(1 + number % 9 for number in range(hours // SHARE))


def measure(python: str, hours: int, folder: Path) -> Filling:
    """Raises FleetError where PySpark ends otherwise."""
    done = subprocess.run(
        [python, str(JOB), str(hours), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise FleetError(f"{python}: PySpark has ended with {done.returncode}: {last}")
    ways = [msgspec.json.decode(line, type=JoinWay) for line in done.stdout.splitlines()]
    shuffled, broadcast, hashed = ways
    total = expected(hours)
    return Filling(
        hours,
        hours // SHARE,
        ways,
        round(shuffled.cpu_s / broadcast.cpu_s, 2),
        round(shuffled.cpu_s / hashed.cpu_s, 2),
        round(shuffled.wall_s / broadcast.wall_s, 2),
        round(shuffled.wall_s / hashed.wall_s, 2),
        sum((way.hours, way.total) != (hours, total) for way in ways),
    )


@click.command()
@click.option(
    "--hours", type=click.IntRange(100_000), default=10_000_000, show_default=True, help="To be filled."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def filling(hours: int, as_json: bool) -> None:
    """Missing hours filled by a join in PySpark: shuffled, broadcast, and broadcast by hashed keys.

    One hour of 75 is told. Needs SPARK_PYTHON and JAVA_HOME as scripts/fetch-spark prints them; one core,
    2 GB. Ends with 1 where a join differs from the sum that is known without one.

    \b
    Example:
      eval "$(scripts/fetch-spark)"; export JAVA_HOME SPARK_PYTHON
      tagsight bench filling --hours 10000000
    """
    python = os.environ.get("SPARK_PYTHON", "")
    if not python:
        raise FleetError('SPARK_PYTHON is not set; eval "$(scripts/fetch-spark)" and export it')
    with tempfile.TemporaryDirectory(prefix="tagsight-filling-") as folder:
        found = measure(python, hours, Path(folder))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for way in found.ways:
            click.echo(f"{way.way:10} {way.cpu_s:8.1f} s CPU {way.wall_s:8.1f} s")
        click.echo(
            f"shuffled to broadcast {found.broadcast_ratio} by CPU, {found.broadcast_wall_ratio} by clock;"
            f" to hashed {found.hashed_ratio}, {found.hashed_wall_ratio}; {found.differing} of 3 differ"
        )
    if found.differing:
        sys.exit(1)
