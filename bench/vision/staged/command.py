"""`tagsight bench staged`: counts, identities, stays and hands on films of staged scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.vision.staged.films import looks_of
from bench.vision.staged.replay import BusyMachine, Staged, facts, sights, stage
from contract.facts import Dwell, Fact, Flip, Interaction, Visit
from engines.inference.detector import PersonDetector
from engines.scene.reading import load_scene
from engines.scene.truth import passages, stays
from runtime.demo.boutique.score import Counted, Identities, Stays, count, identities
from runtime.demo.boutique.score import stays as judge_stays
from runtime.demo.boutique.store import HERE, SCENE
from runtime.demo.score import score
from tagsight.errors import TagsightError

MACHINES = (BusyMachine(), BusyMachine(0.92, (0.05, 0.3), 1), BusyMachine(0.75, (0.05, 0.5), 2))
"""One that keeps up, and two that do not."""

FactT = TypeVar("FactT", bound=Fact)


class StagedFigures(msgspec.Struct, frozen=True):
    """What one machine made of one scene; `keep` is the share of the frames it looked at."""

    scene: str
    keep: float
    counted: Counted
    identities: Identities
    stays: Stays
    flips_true: int
    flips_found: int
    flips_false: int
    right: int
    wrong: int
    nobody: int


def figures(staged: Staged, told: Sequence[Fact], keep: float) -> StagedFigures:
    """Hold what the store told against the scene."""
    latest = {(fact.kind, fact.key): fact for fact in sorted(told, key=lambda fact: fact.rev)}

    def of(kind: type[FactT]) -> list[FactT]:
        found = [fact for fact in latest.values() if isinstance(fact, kind) and not fact.retracted]
        return sorted(found, key=lambda fact: fact.time_s)

    scene, everybody = staged.scene, staged.everybody
    visits, true = of(Visit), passages(scene, everybody)
    who = score(staged.truth, of(Flip), of(Interaction), staged.paths, 0.0)
    return StagedFigures(
        scene.name,
        keep,
        count(visits, true, 0.0),
        identities(visits, true, 0.0),
        judge_stays(of(Dwell), stays(scene, everybody), 0.0),
        who.true_flips,
        who.found_flips,
        who.false_flips,
        who.right,
        who.wrong,
        who.nobody,
    )


def measure(scene_file: Path, films: Path, detector: PersonDetector, cache: Path) -> list[StagedFigures]:
    """Every machine of `MACHINES` on one scene. Raises TagsightError for a film that is missing."""
    scene = load_scene(scene_file)
    paths = {camera.name: films / f"{camera.name}.mp4" for camera in scene.cameras}
    for path in paths.values():
        if not path.is_file():
            raise TagsightError(f"{path}: there is no such film; a folder that `render` made would be right")
    looks = {name: looks_of(path, detector, cache) for name, path in paths.items()}
    staged = stage(scene, paths)
    return [figures(staged, facts(staged, sights(staged, looks, each)), each.keep) for each in MACHINES]


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--detector", default="person-detector-lite", show_default=True, help="A network of the catalogue."
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path.home() / ".cache/tagsight/staged",
    help="Where what the detector found in a film is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def staged(folders: tuple[Path, ...], detector: str, cache: Path, as_json: bool) -> None:
    """Replay films of staged scenes through tracker, flip detector and store, faster than time: the shipped
    boutique, or FOLDERS that `python -m engines.training.synthetic render` made, each by three machines.

    \b
    Example:
      tagsight bench staged
    """
    network = PersonDetector.open(detector, threads=1)
    pairs = [(folder / "scene.json", folder) for folder in folders] or [(SCENE, HERE)]
    rows = [each for file, films in pairs for each in measure(file, films, network, cache)]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    table = Table(title="Staged scenes, found of true")
    for name in ("scene", "frames", "in", "out", "one id", "stays", "flips", "by whom: right, wrong, nobody"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            row.scene,
            f"{row.keep:.0%}",
            f"{row.counted.in_found} of {row.counted.in_true}",
            f"{row.counted.out_found} of {row.counted.out_true}",
            f"{row.identities.kept} of {row.identities.people}, {row.identities.shared} for two",
            f"{row.stays.found} of {row.stays.true}, {row.stays.other} others",
            f"{row.flips_found} of {row.flips_true}, {row.flips_false} false",
            f"{row.right}, {row.wrong}, {row.nobody}",
        )
    Console().print(table)
