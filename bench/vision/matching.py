"""`tagsight bench matching`: who turned which tag, on synthetic crowds where the truth is known.

Six people at a time walk over a plaza of 15 x 15 m with racks, at 1 to 1.4 m/s; some who pass within 1.2 m of
a rack turn a garment. Their places are told as cameras tell them (a drifting error of 0.2 m, gaps, now and
then a new number), flips as detectors tell them (ends off by 0.6 s, some false, some by people no camera
sees). The matcher sees only that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from runtime.geometry import Floats
from runtime.store.floorplan import Place
from runtime.store.garments.matching import Match, MatchSettings, TagTurned, match, together
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position
from runtime.store.people.paths import RecentPaths

SIDE_M = 15.0
FPS = 10.0
PEOPLE = 6
SCENE_S = 50.0
"""Short of what paths remember, so that a scene can be judged as a whole."""


@dataclass(frozen=True)
class SimulatedCrowd:
    """How a scene is made."""

    people: int = PEOPLE
    racks: int = 8
    reach_m: float = 1.2
    flip_chance: float = 0.6
    false_share: float = 0.08
    unseen_share: float = 0.05
    place_error_m: float = 0.2
    timing_error_s: float = 0.6
    gaps_per_s: float = 0.05


@dataclass(frozen=True)
class Truth:
    """One flip: what the detector says, and who it was (None: nobody, or someone no camera saw)."""

    told: TagTurned
    person: int | None


@dataclass
class CrowdScene:
    """The paths as the cameras tell them, the flips, and which walker number is which person."""

    paths: RecentPaths = field(default_factory=RecentPaths)
    flips: list[Truth] = field(default_factory=list)
    person_of: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgedMatches:
    """One matched flip against the truth."""

    probability: float
    right: bool
    true_seen: bool
    named: bool


class MatchingReport(msgspec.Struct, frozen=True):
    """What the bench prints. `right_share` is over flips whose person was seen, `named_right_share` over
    matches that name somebody; `brier` and `reliability` (claimed, found, count) are of the best answer.

    The peer that takes the nearest person always names somebody.
    """

    flips: int
    right_share: float
    named_right_share: float
    named_share: float
    brier: float
    log_loss: float
    nearest_right_share: float
    nearest_named_right_share: float
    reliability: tuple[tuple[float, float, int], ...]


def make_scene(rng: np.random.Generator, crowd: SimulatedCrowd) -> CrowdScene:
    """One scene of SCENE_S seconds."""
    times_s = np.arange(0.0, SCENE_S, 1.0 / FPS)
    racks = [
        Place(f"rack {k}", "fixture", ((float(x), float(y)),)) for k, (x, y) in enumerate(_spots(rng, crowd))
    ]
    scene = CrowdScene()
    number = 0
    for person in range(crowd.people):
        way = _walk(rng, times_s)
        seen = rng.random() >= crowd.unseen_share
        _flips_of(rng, crowd, scene, person if seen else None, way, times_s, racks)
        if seen:
            number = _tell(rng, crowd, scene, person, number, way, times_s)
    for _ in range(rng.poisson(crowd.false_share * len(scene.flips))):
        start_s = float(rng.uniform(5, SCENE_S - 5))
        rack = racks[int(rng.integers(len(racks)))]
        told = TagTurned(start_s, start_s + float(rng.uniform(0.5, 2.0)), float(rng.uniform(0.3, 0.8)), rack)
        scene.flips.append(Truth(told, None))
    return scene


def _spots(rng: np.random.Generator, crowd: SimulatedCrowd) -> list[Floats]:
    spots: list[Floats] = []
    while len(spots) < crowd.racks:
        spot = rng.uniform(1.5, SIDE_M - 1.5, 2)
        if all(np.hypot(*(spot - other)) > 2.5 for other in spots):
            spots.append(spot)
    return spots


def _walk(rng: np.random.Generator, times_s: Floats) -> Floats:
    """Places (n, 2) of a person who walks from one random spot to the next."""
    speed = float(rng.uniform(1.0, 1.4))
    spots = [rng.uniform(0.5, SIDE_M - 0.5, 2)]
    at_s = [0.0]
    while at_s[-1] < times_s[-1]:
        spots.append(rng.uniform(0.5, SIDE_M - 0.5, 2))
        at_s.append(at_s[-1] + float(np.hypot(*(spots[-1] - spots[-2]))) / speed)
    table = np.array(spots)
    return np.stack([np.interp(times_s, at_s, table[:, axis]) for axis in (0, 1)], axis=1)


def _flips_of(
    rng: np.random.Generator,
    crowd: SimulatedCrowd,
    scene: CrowdScene,
    person: int | None,
    way: Floats,
    times_s: Floats,
    racks: list[Place],
) -> None:
    """Flips of one person at the racks they pass, as the detector tells them."""
    for rack in racks:
        near = rack.distance_m(way) <= crowd.reach_m
        edges = np.flatnonzero(np.diff(np.concatenate([[0], near.astype(int), [0]])))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            begin_s, finish_s = float(times_s[first]), float(times_s[last - 1])
            if finish_s - begin_s < 0.6 or begin_s < 3 or rng.random() > crowd.flip_chance:
                continue
            start_s = float(rng.uniform(begin_s, finish_s - 0.5))
            end_s = min(finish_s, start_s + float(rng.uniform(0.5, 2.0)))
            told_start_s = start_s + float(rng.normal(0, crowd.timing_error_s))
            told_end_s = max(told_start_s + 0.4, end_s + float(rng.normal(0, crowd.timing_error_s)))
            score = float(rng.uniform(0.5, 1.0))
            scene.flips.append(Truth(TagTurned(told_start_s, told_end_s, score, rack), person))


def _tell(
    rng: np.random.Generator,
    crowd: SimulatedCrowd,
    scene: CrowdScene,
    person: int,
    number: int,
    way: Floats,
    times_s: Floats,
) -> int:
    """Tell one person's way as a camera would; returns the last walker number used."""
    keep = np.exp(-1.0 / FPS)
    drift = rng.normal(0, crowd.place_error_m, 2)
    hidden_until_s = -1.0
    number += 1
    for time_s, place in zip(times_s, way, strict=True):
        drift = keep * drift + rng.normal(0, crowd.place_error_m * np.sqrt(1 - keep**2), 2)
        if time_s < hidden_until_s:
            continue
        if rng.random() < crowd.gaps_per_s / FPS:
            hidden_until_s = time_s + float(rng.exponential(1.0))
            number += int(rng.random() < 0.2)
        x_m, y_m = (place + drift).tolist()
        scene.person_of[number] = person
        scene.paths.observe([TrackPoint(number, ("cam", number), Position(float(time_s), x_m, y_m), True)])
    return number


def judge(scene: CrowdScene, settings: MatchSettings) -> Iterator[JudgedMatches]:
    """Match all flips of a scene as the store does, and hold the answers against the truth."""
    for group in together([(flip.told.start_s, flip.told.end_s) for flip in scene.flips]):
        truths = [scene.flips[index] for index in group]
        answers = match([truth.told for truth in truths], scene.paths, settings)
        for truth, answer in zip(truths, answers, strict=True):
            yield _judged(scene, truth, answer)


def _judged(scene: CrowdScene, truth: Truth, answer: Match) -> JudgedMatches:
    named = scene.person_of[answer.person] if answer.person is not None else None
    return JudgedMatches(
        answer.probability, named == truth.person, truth.person is not None, named is not None
    )


def nearest(scene: CrowdScene, truth: Truth) -> int | None:
    """The peer: whoever is nearest to the tag's place in the middle of the flip."""
    middle = np.array([(truth.told.start_s + truth.told.end_s) / 2])
    assert truth.told.place is not None
    there = [
        (float(truth.told.place.distance_m(where.points)[0]), where.person)
        for where in scene.paths.whereabouts(middle)
    ]
    return scene.person_of[min(there)[1]] if there else None


def measure(settings: MatchSettings, crowd: SimulatedCrowd, scenes: int, seed: int) -> MatchingReport:
    """Figures over `scenes` random scenes."""
    rng = np.random.default_rng(seed)
    made = [make_scene(rng, crowd) for _ in range(scenes)]
    judged = [each for scene in made for each in judge(scene, settings)]
    seen = [each for each in judged if each.true_seen]
    named = [each for each in judged if each.named]
    claimed = np.array([each.probability for each in judged])
    right = np.array([each.right for each in judged], dtype=np.float64)
    near = [
        (nearest(scene, truth) == truth.person, truth.person is not None)
        for scene in made
        for truth in scene.flips
    ]
    chance = np.clip(np.where(right > 0, claimed, 1 - claimed), 1e-3, 1)
    return MatchingReport(
        flips=len(judged),
        right_share=_mean([each.right for each in seen]),
        named_right_share=_mean([each.right for each in named]),
        named_share=len(named) / max(len(judged), 1),
        brier=float(np.mean((claimed - right) ** 2)),
        log_loss=float(-np.mean(np.log(chance))),
        nearest_right_share=_mean([right for right, true_seen in near if true_seen]),
        nearest_named_right_share=_mean([right for right, _ in near]),
        reliability=tuple(_reliability(claimed, right)),
    )


def _mean(values: list[bool]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _reliability(claimed: Floats, right: Floats) -> Iterator[tuple[float, float, int]]:
    for low, high in pairwise([0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01]):
        inside = (claimed >= low) & (claimed < high)
        count = int(inside.sum())
        if count:
            yield round(float(claimed[inside].mean()), 3), round(float(right[inside].mean()), 3), count


@click.command()
@click.option("--scenes", default=100, show_default=True, help="Random scenes of 50 s.")
@click.option("--people", default=PEOPLE, show_default=True, help="People on the plaza at a time.")
@click.option("--seed", default=1000, show_default=True, help="Seed of the scenes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def matching(scenes: int, people: int, seed: int, as_json: bool) -> None:
    """Match flips with people in synthetic crowds; the peer is "whoever is nearest".

    \b
    Example:
      tagsight bench matching --scenes 100 --people 6
    """
    report = measure(MatchSettings(), SimulatedCrowd(people=people), scenes, seed)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
        return
    console = Console()
    console.print(f"{report.flips} flips, {people} people at a time on {SIDE_M:.0f} x {SIDE_M:.0f} m")
    console.print(f"right person, of flips by somebody seen   {report.right_share:.3f}")
    console.print(f"  peer: whoever is nearest                {report.nearest_right_share:.3f}")
    console.print(f"right, of matches that name somebody      {report.named_right_share:.3f}")
    console.print(f"  peer: whoever is nearest                {report.nearest_named_right_share:.3f}")
    console.print(f"matches that name somebody                {report.named_share:.3f}")
    console.print(f"Brier score of the best answer            {report.brier:.4f}")
    table = Table("claimed", "found right", "matches", title="Reliability")
    for claimed, found, count in report.reliability:
        table.add_row(f"{claimed:.2f}", f"{found:.2f}", str(count))
    console.print(table)
