"""Flips wait until detectors and tracks have had their say, then each is matched with a person."""

from __future__ import annotations

from collections import Counter

from contract.facts import Flip, Interaction
from runtime.messages import TagFlip
from runtime.store.floorplan import FloorPlan
from runtime.store.garments.matching import Match, MatchSettings, TagTurned, match, together
from runtime.store.people.paths import KEEP_S, RecentPaths
from runtime.store.people.visitors import VisitorIds

WAIT_S = 4.5
"""Detectors tell a flip up to about four seconds after it ended; simultaneous ones are judged together."""
MAX_WAITING = 1024
"""Flips that wait; beyond it none waits any longer."""


class Interactions:
    """Flips to interactions."""

    def __init__(
        self, plan: FloorPlan, paths: RecentPaths, ids: VisitorIds, settings: MatchSettings | None = None
    ) -> None:
        self.plan = plan
        self._paths = paths
        self._ids = ids
        self._settings = settings or MatchSettings()
        self._waiting: list[Flip] = []
        self.counts: Counter[str] = Counter(flips_too_late=0, flips_crowded=0)

    def add(self, flip: TagFlip, now_s: float) -> Flip:
        """The fact of a flip; its interaction follows from `advance`."""
        article = self.plan.article_of(flip.epc)
        fact = Flip(
            key=f"flip:{flip.reader}:{flip.epc}:{round(flip.start_s * 1000)}",
            time_s=flip.end_s,
            reader=flip.reader,
            antenna=flip.antenna,
            epc=flip.epc,
            sku=article.sku if article is not None else None,
            fixture=article.fixture if article is not None else None,
            start_s=flip.start_s,
            end_s=flip.end_s,
            score=flip.score,
        )
        if now_s - flip.start_s > KEEP_S:
            self.counts["flips_too_late"] += 1
        else:
            self._waiting.append(fact)
        return fact

    def advance(self, time_s: float) -> list[Interaction]:
        """Interactions of the flips whose wait is over, with all that overlap them."""
        found: list[Interaction] = []
        for group in together([(flip.start_s, flip.end_s) for flip in self._waiting]):
            flips = [self._waiting[index] for index in group]
            crowded = len(self._waiting) > MAX_WAITING
            if crowded or time_s >= max(flip.end_s for flip in flips) + WAIT_S:
                self.counts["flips_crowded"] += crowded * len(flips)
                found += self._match(flips)
        done = {interaction.flip for interaction in found}
        self._waiting = [flip for flip in self._waiting if flip.key not in done]
        return found

    def drain(self) -> list[Interaction]:
        """Interactions of everything that waits."""
        return self.advance(float("inf"))

    def _match(self, flips: list[Flip]) -> list[Interaction]:
        turned = [
            TagTurned(
                flip.start_s,
                flip.end_s,
                flip.score,
                self.plan.place_of(flip.epc, flip.reader, flip.antenna),
            )
            for flip in flips
        ]
        matches = match(turned, self._paths, self._settings)
        return [self._fact(flip, found) for flip, found in zip(flips, matches, strict=True)]

    def _fact(self, flip: Flip, found: Match) -> Interaction:
        return Interaction(
            key=f"interaction:{flip.key}",
            time_s=flip.end_s,
            flip=flip.key,
            epc=flip.epc,
            sku=flip.sku,
            fixture=flip.fixture,
            start_s=flip.start_s,
            end_s=flip.end_s,
            visitor=self._visitor(found.person, flip),
            probability=round(found.probability, 4),
            nobody_probability=round(found.nobody_probability, 4),
            runner_up=self._visitor(found.runner_up, flip),
            runner_up_probability=round(found.runner_up_probability, 4),
            evidence=found.evidence,
        )

    def _visitor(self, person: int | None, flip: Flip) -> str | None:
        return self._ids.of(person, flip.start_s) if person is not None else None
