"""Which person turned which tag.

For each flip and person the likelihood is that of being within reach of the tag's place throughout the
flip, averaged over the detector's timing error; reach fades over the uncertainty of the person's place, and
the probability of handling goods raises or lowers it. "Nobody we see" has a likelihood of its own. Flips
that overlap in time are assigned one-to-one by linear assignment in log-likelihood; the probability of each
pair is a softmax over the best assignments that contain it (max-marginals, exact for a single flip). The
parameters and the temperature of that softmax were fitted with `tagsight bench matching`.

Who is not likelier than all others together is not named: two people at one rack are as close to a tag as
each other, and a wrong name does more harm than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from contract.facts import Evidence
from runtime.geometry import Floats
from runtime.store.floorplan import Place, PlaceKind
from runtime.store.people.paths import RecentPaths, Whereabouts

MAX_CANDIDATES = 16
MAX_TOGETHER = 16
MAX_SAMPLES = 64


@dataclass(frozen=True)
class MatchSettings:
    """What is assumed about arms, detectors and unseen people."""

    reach_m: dict[PlaceKind, float] = field(
        default_factory=lambda: {"fixture": 1.3, "antenna": 2.0, "zone": 0.6}
    )
    """How far from its expected place someone turns a tag."""
    outline_reach_m: float = 0.8
    """The same from a fixture whose outline is known: that much beyond its edge arms do not reach."""
    stretch_m: float = 0.8
    """How much further away the tag may be: taken off its place, or the place is longer than reported."""
    stretch_fraction: float = 0.12
    """How often it is."""
    fade_m: float = 0.15
    """How gradually reach ends, apart from the uncertainty of the person's place."""
    outline_fade_m: float = 0.35
    """The same at an outline: furniture hides feet, and their place is less sure than elsewhere."""
    timing_sigma_s: float = 0.5
    """Error of a flip's start and end."""
    nobody: float = 0.04
    """Likelihood of a flip that nobody we see explains, at a detector score of 1."""
    nobody_doubt: float = 0.2
    """Added to it in proportion to the detector's doubt (1 - score)."""
    anywhere: float = 0.15
    """Likelihood of every person for a tag whose place is not known."""
    action_weight: float = 0.5
    """Exponent of the odds that the person handles goods."""
    temperature: float = 0.6
    """Below 1 the probabilities are steeper than the likelihoods, above 1 flatter."""
    core_fraction: float = 0.6
    """How much of a flip's reported length the person is surely there for."""
    elsewhere: float = 0.005
    """Likelihood of a moment at which the person seems to be out of reach."""
    sample_s: float = 0.2
    least_named: float = 0.5
    """Who did it with a smaller probability is not named."""


@dataclass(frozen=True)
class TagTurned:
    """One flip to be explained. `place` is None where nobody knows where the tag hangs."""

    start_s: float
    end_s: float
    score: float
    place: Place | None


@dataclass(frozen=True)
class Match:
    """Who did it: `person`, or None for nobody seen or nobody to be named; `runner_up` is the next likely, or
    the most likely where none is named; None if nobody is second. `probability` is that of the answer.
    """

    person: int | None
    probability: float
    nobody_probability: float
    runner_up: int | None
    runner_up_probability: float
    evidence: Evidence | None


@dataclass(frozen=True)
class _Case:
    """The likelihoods of one flip, by person, with the evidence for each."""

    likelihood: dict[int, float]
    evidence: dict[int, Evidence | None]
    nobody: float


def match(flips: Sequence[TagTurned], paths: RecentPaths, settings: MatchSettings) -> list[Match]:
    """The best explanation of each flip; flips are taken to be simultaneous (see `together`)."""
    cases = [_judge(flip, paths, settings) for flip in flips]
    persons = sorted({person for case in cases for person in case.likelihood})
    logs = _log_table(cases, persons)
    marginals = _marginals(logs, settings.temperature)
    return [
        _verdict(case, persons, row, settings.least_named) for case, row in zip(cases, marginals, strict=True)
    ]


def together(flips: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Groups of simultaneous flips (start_s, end_s), as indices; at most MAX_TOGETHER a group.

    Simultaneous is who overlaps every other of the group by more than half of the shorter one: two flips one
    after the other may be one person's, even if the detector blurs them into each other.
    """
    order = sorted(range(len(flips)), key=lambda index: flips[index])
    groups: list[list[int]] = []
    for index in order:
        group = groups[-1] if groups else []
        if 0 < len(group) < MAX_TOGETHER and all(_overlap(flips[index], flips[each]) for each in group):
            group.append(index)
        else:
            groups.append([index])
    return groups


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    shorter_s = min(one[1] - one[0], other[1] - other[0])
    return min(one[1], other[1]) - max(one[0], other[0]) > shorter_s / 2


@dataclass(frozen=True)
class _Moments:
    """Sampled times (n,) of a flip, and how probable it is that it filled each run of `span` samples."""

    times_s: Floats
    span: int
    weights: Floats
    step_s: float


def _judge(flip: TagTurned, paths: RecentPaths, settings: MatchSettings) -> _Case:
    moments = _moments(flip, settings)
    likelihood: dict[int, float] = {}
    evidence: dict[int, Evidence | None] = {}
    for where in paths.whereabouts(moments.times_s):
        likelihood_of, why = _explain(flip, where, moments, settings)
        if likelihood_of > 1e-6:
            likelihood[where.person], evidence[where.person] = likelihood_of, why
    best = sorted(likelihood, key=lambda person: -likelihood[person])[:MAX_CANDIDATES]
    doubt = settings.nobody_doubt * (1.0 - flip.score)
    return _Case({person: likelihood[person] for person in best}, evidence, settings.nobody + doubt)


def _moments(flip: TagTurned, settings: MatchSettings) -> _Moments:
    """The flip's core slid over its timing error."""
    sigma_s, step_s = settings.timing_sigma_s, settings.sample_s
    length_s = settings.core_fraction * (flip.end_s - flip.start_s)
    step_s = max(step_s, (length_s + 5 * sigma_s) / MAX_SAMPLES)
    span = max(1, round(length_s / step_s))
    slides = 2 * round(2.5 * sigma_s / step_s) + 1
    count = span + slides - 1
    middle_s = (flip.start_s + flip.end_s) / 2
    times_s = middle_s + (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step_s
    offsets_s = (np.arange(slides, dtype=np.float64) - (slides - 1) / 2) * step_s
    weights = np.exp(-0.5 * (offsets_s / sigma_s) ** 2)
    return _Moments(times_s, span, weights / weights.sum(), step_s)


def _explain(
    flip: TagTurned, where: Whereabouts, moments: _Moments, settings: MatchSettings
) -> tuple[float, Evidence | None]:
    action = _action(where, settings)
    if flip.place is None:
        return settings.anywhere * float(where.known.mean()) * action, None
    reach_m, blur_m = settings.reach_m[flip.place.kind], settings.fade_m
    if flip.place.kind == "fixture" and len(flip.place.outline) > 1:
        reach_m, blur_m = settings.outline_reach_m, settings.outline_fade_m
    distance_m = flip.place.distance_m(where.points)
    fade_m = np.hypot(blur_m, where.sigma_m)
    near, far = (
        1.0 / (1.0 + np.exp(np.clip(1.7 * (distance_m - limit_m) / fade_m, -50, 50)))
        for limit_m in (reach_m, reach_m + settings.stretch_m)
    )
    within = where.known * ((1 - settings.stretch_fraction) * near + settings.stretch_fraction * far)
    runs = np.convolve(np.log(np.maximum(within, settings.elsewhere)), np.ones(moments.span), "valid")
    throughout = moments.weights * np.exp(runs / moments.span)
    best = int(np.argmax(throughout)) + moments.span // 2
    handling = float(where.handling[best])
    why = Evidence(
        distance_m=round(float(distance_m[best]), 2),
        time_offset_s=round(float(moments.times_s[best]) - (flip.start_s + flip.end_s) / 2, 2),
        near_s=round(moments.step_s * float(np.count_nonzero(where.known & (distance_m <= reach_m))), 2),
        floor_xy_m=(round(float(where.points[best, 0]), 2), round(float(where.points[best, 1]), 2)),
        place=flip.place.kind,
        handling=None if np.isnan(handling) else round(handling, 3),
        bridged=bool(where.bridged[best]),
    )
    return float(throughout.sum()) * action, why


def _action(where: Whereabouts, settings: MatchSettings) -> float:
    """Odds that the person handles goods, at the most telling moment; 1 where no crop was classified."""
    classified = where.handling[where.known & ~np.isnan(where.handling)]
    if not len(classified):
        return 1.0
    probability = float(np.clip(classified.max(), 0.05, 0.95))
    return float((probability / (1.0 - probability)) ** settings.action_weight)


def _log_table(cases: list[_Case], persons: list[int]) -> Floats:
    """Log-likelihoods (flips, persons + flips): a column a person, then each flip's own "nobody"."""
    table = np.full((len(cases), len(persons) + len(cases)), -1e9)
    column = {person: index for index, person in enumerate(persons)}
    for row, case in enumerate(cases):
        for person, value in case.likelihood.items():
            table[row, column[person]] = np.log(value)
        table[row, len(persons) + row] = np.log(case.nobody)
    return table


def _marginals(logs: Floats, temperature: float) -> Floats:
    """Probability of each pair, rows summing to 1: softmax over the best assignments that contain it."""
    rows = len(logs)
    best = np.full(logs.shape, -np.inf)
    for row in range(rows):
        others = np.delete(logs, row, axis=0)
        for column in np.flatnonzero(logs[row] > -1e8):
            rest = np.delete(others, column, axis=1)
            best[row, column] = logs[row, column] + _assigned(rest)
    scaled = (best - best.max(axis=1, keepdims=True)) / temperature
    weights = np.exp(scaled)
    probabilities: Floats = weights / weights.sum(axis=1, keepdims=True)
    return probabilities


def _assigned(logs: Floats) -> float:
    """The best total log-likelihood of a one-to-one assignment of all rows."""
    if not len(logs):
        return 0.0
    rows, columns = linear_sum_assignment(logs, maximize=True)
    return float(logs[rows, columns].sum())


def _verdict(case: _Case, persons: list[int], probabilities: Floats, least_named: float) -> Match:
    nobody = float(probabilities[len(persons) :].sum())
    named = [
        (float(value), person) for value, person in zip(probabilities, persons, strict=False) if value > 0
    ]
    ranked: list[tuple[float, int | None]] = sorted([*named, (nobody, None)], key=lambda each: -each[0])
    (probability, person), *rest = ranked
    if person is not None and probability < least_named:
        return Match(None, nobody, nobody, person, probability, None)
    runner_up = rest[0] if rest else (0.0, None)
    return Match(
        person=person,
        probability=probability,
        nobody_probability=nobody,
        runner_up=runner_up[1],
        runner_up_probability=runner_up[0],
        evidence=case.evidence.get(person) if person is not None else None,
    )
