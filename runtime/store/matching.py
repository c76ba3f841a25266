"""Which walker turned which tag.

For each flip and walker the likelihood is the share of the flip's time, blurred by the detector's timing
error, that the walker spent within reach of the tag's place; reach fades over the uncertainty of the
walker's place, and a judged action raises or lowers it. "Nobody we see" has a likelihood of its own. Flips
that overlap in time are assigned one-to-one by linear assignment in log-likelihood; the probability of each
pair is a softmax over the best assignments that contain it (max-marginals, exact for a single flip). The
parameters and the temperature of that softmax were fitted with `tagsight bench matching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from runtime.geometry import Floats
from runtime.store.facts import Evidence
from runtime.store.floorplan import Place, PlaceKind
from runtime.store.paths import Paths, Whereabouts

MAX_CANDIDATES = 16
MAX_TOGETHER = 16
MAX_SAMPLES = 64


@dataclass(frozen=True)
class MatchSettings:
    """What is assumed about arms, detectors and unseen people."""

    reach_m: dict[PlaceKind, float] = field(
        default_factory=lambda: {"fixture": 1.2, "antenna": 2.0, "zone": 0.6}
    )
    """How far from its expected place someone turns a tag."""
    fade_m: float = 0.15
    """How gradually reach ends, apart from the uncertainty of the person's place."""
    timing_sigma_s: float = 0.6
    """Error of a flip's start and end."""
    nobody: float = 0.06
    """Likelihood of a flip that nobody we see explains, at a detector score of 1."""
    nobody_doubt: float = 0.2
    """Added to it in proportion to the detector's doubt (1 - score)."""
    anywhere: float = 0.15
    """Likelihood of every walker for a tag whose place is not known."""
    action_weight: float = 0.5
    """Exponent of the odds that the walker handles goods."""
    temperature: float = 1.0
    """Above 1 the probabilities are flatter than the likelihoods."""
    sample_s: float = 0.2


@dataclass(frozen=True)
class TagTurned:
    """One flip to be explained. `place` is None where nobody knows where the tag hangs."""

    start_s: float
    end_s: float
    score: float
    place: Place | None


@dataclass(frozen=True)
class Match:
    """Who did it: `walker`, or None for nobody seen; `runner_up` likewise, None if nobody is second."""

    walker: int | None
    probability: float
    nobody_probability: float
    runner_up: int | None
    runner_up_probability: float
    evidence: Evidence | None


@dataclass(frozen=True)
class _Case:
    """The likelihoods of one flip, by walker, with the evidence for each."""

    likelihood: dict[int, float]
    evidence: dict[int, Evidence | None]
    nobody: float


def match(flips: Sequence[TagTurned], paths: Paths, settings: MatchSettings) -> list[Match]:
    """The best explanation of each flip; flips are taken to be simultaneous (see `together`)."""
    cases = [_judge(flip, paths, settings) for flip in flips]
    walkers = sorted({walker for case in cases for walker in case.likelihood})
    logs = _log_table(cases, walkers)
    marginals = _marginals(logs, settings.temperature)
    return [_verdict(case, walkers, row) for case, row in zip(cases, marginals, strict=True)]


def together(flips: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Groups of flips (start_s, end_s) that overlap in time, as indices; at most MAX_TOGETHER a group."""
    order = sorted(range(len(flips)), key=lambda index: flips[index])
    groups: list[list[int]] = []
    until_s = float("-inf")
    for index in order:
        start_s, end_s = flips[index]
        if start_s < until_s and len(groups[-1]) < MAX_TOGETHER:
            groups[-1].append(index)
            until_s = max(until_s, end_s)
        else:
            groups.append([index])
            until_s = end_s
    return groups


def _judge(flip: TagTurned, paths: Paths, settings: MatchSettings) -> _Case:
    times_s, weights = _moments(flip, settings)
    likelihood: dict[int, float] = {}
    evidence: dict[int, Evidence | None] = {}
    for where in paths.whereabouts(times_s):
        chance, why = _explain(flip, where, times_s, weights, settings)
        if chance > 1e-6:
            likelihood[where.walker], evidence[where.walker] = chance, why
    best = sorted(likelihood, key=lambda walker: -likelihood[walker])[:MAX_CANDIDATES]
    doubt = settings.nobody_doubt * (1.0 - flip.score)
    return _Case({walker: likelihood[walker] for walker in best}, evidence, settings.nobody + doubt)


def _moments(flip: TagTurned, settings: MatchSettings) -> tuple[Floats, Floats]:
    """Sampled times of a flip and their weights: its interval blurred by the timing error."""
    sigma_s = settings.timing_sigma_s
    begin_s, finish_s = flip.start_s - 2.5 * sigma_s, flip.end_s + 2.5 * sigma_s
    count = int(np.clip((finish_s - begin_s) / settings.sample_s, 2, MAX_SAMPLES))
    times_s = np.linspace(begin_s, finish_s, count)
    rise = 1.0 / (1.0 + np.exp(-1.7 * (times_s - flip.start_s) / sigma_s))
    fall = 1.0 / (1.0 + np.exp(-1.7 * (flip.end_s - times_s) / sigma_s))
    weights = rise * fall
    return times_s, weights / weights.sum()


def _explain(
    flip: TagTurned, where: Whereabouts, times_s: Floats, weights: Floats, settings: MatchSettings
) -> tuple[float, Evidence | None]:
    action = _action(where, settings)
    if flip.place is None:
        return settings.anywhere * float(weights @ where.known) * action, None
    reach_m = settings.reach_m[flip.place.kind]
    distance_m = flip.place.distance_m(where.points)
    fade_m = np.hypot(settings.fade_m, where.sigma_m)
    within = where.known / (1.0 + np.exp(np.clip(1.7 * (distance_m - reach_m) / fade_m, -50, 50)))
    best = int(np.argmax(weights * within))
    step_s = float(times_s[1] - times_s[0])
    handling = float(where.handling[best])
    why = Evidence(
        distance_m=round(float(distance_m[best]), 2),
        time_offset_s=round(float(times_s[best]) - (flip.start_s + flip.end_s) / 2, 2),
        near_s=round(step_s * float(np.count_nonzero(where.known & (distance_m <= reach_m))), 2),
        floor_xy_m=(round(float(where.points[best, 0]), 2), round(float(where.points[best, 1]), 2)),
        place=flip.place.kind,
        handling=None if np.isnan(handling) else round(handling, 3),
        bridged=bool(where.bridged[best]),
    )
    return float(weights @ within) * action, why


def _action(where: Whereabouts, settings: MatchSettings) -> float:
    """How much the most suspicious judged moment speaks for the walker; 1 where nothing was judged."""
    judged = where.handling[where.known & ~np.isnan(where.handling)]
    if not len(judged):
        return 1.0
    chance = float(np.clip(judged.max(), 0.05, 0.95))
    return float((chance / (1.0 - chance)) ** settings.action_weight)


def _log_table(cases: list[_Case], walkers: list[int]) -> Floats:
    """Log-likelihoods (flips, walkers + flips): a column a walker, then each flip's own "nobody"."""
    table = np.full((len(cases), len(walkers) + len(cases)), -1e9)
    column = {walker: index for index, walker in enumerate(walkers)}
    for row, case in enumerate(cases):
        for walker, chance in case.likelihood.items():
            table[row, column[walker]] = np.log(chance)
        table[row, len(walkers) + row] = np.log(case.nobody)
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
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _assigned(logs: Floats) -> float:
    """The best total log-likelihood of a one-to-one assignment of all rows."""
    if not len(logs):
        return 0.0
    rows, columns = linear_sum_assignment(logs, maximize=True)
    return float(logs[rows, columns].sum())


def _verdict(case: _Case, walkers: list[int], shares: Floats) -> Match:
    nobody = float(shares[len(walkers) :].sum())
    named = [(float(share), walker) for share, walker in zip(shares, walkers, strict=False) if share > 0]
    ranked: list[tuple[float, int | None]] = sorted([*named, (nobody, None)], key=lambda each: -each[0])
    (probability, walker), *rest = ranked
    runner_up = rest[0] if rest else (0.0, None)
    return Match(
        walker=walker,
        probability=probability,
        nobody_probability=nobody,
        runner_up=runner_up[1],
        runner_up_probability=runner_up[0],
        evidence=case.evidence.get(walker) if walker is not None else None,
    )
