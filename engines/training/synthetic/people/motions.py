"""How a person holds themselves at a moment: gait, weight shifts, gaze, arms, hands at garments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.scene.courses import GRASP_S, Standing, Trajectory, reach_point
from engines.scene.spec import Browse, Scene, ScenePerson, Stand, Turn
from engines.scene.ways import smooth
from engines.training.synthetic.people.bones import INDEX
from engines.training.synthetic.people.dressing import Dressed
from engines.training.synthetic.people.posing import Pose, Posed, in_body, on_floor, pose

Floats = NDArray[np.float64]
SETTLE_S = 0.8
"""An act's arms come and go over so long."""
PULL_S = 0.9
"""From the rail to before the chest."""


@dataclass(frozen=True)
class Held:
    """A garment in a hand: rack and number (from 1), where its hook is (x, y, z) and its turn about the
    vertical."""

    rack: str
    garment: int
    at_m: tuple[float, float, float]
    heading_rad: float


@dataclass(frozen=True)
class Moment:
    """A person as posed on the floor at a moment."""

    standing: Standing
    posed: Posed
    at_m: Floats
    joints: dict[str, Floats]
    hands: dict[int, Floats]
    held: Held | None
    touches: str | None
    """Name of the rack that a hand is at."""


class Mover:
    """One person's motion; everything random follows from the look's seed and the time."""

    def __init__(self, scene: Scene, person: ScenePerson, dressed: Dressed, course: Trajectory) -> None:
        self.scene, self.person, self.dressed, self.course = scene, person, dressed, course
        rng = np.random.default_rng([person.look.seed, 9001])
        self._waves = rng.uniform(0, 2 * math.pi, (16, 3))
        self._rates = rng.uniform(0.75, 1.3, (16, 3)) * np.array([1.0, 0.43, 2.3])
        self._habit = rng.uniform(-1, 1, 8)
        self.tall = dressed.height_m / 1.7

    def at(self, time_s: float) -> Moment | None:
        """The person at a moment; None while away."""
        standing = self.course.at(time_s)
        if standing is None:
            return None
        at_m = np.array([*standing.xy_m, 0.0])
        wanted = self._stance(standing, time_s)
        self._act(wanted, standing, time_s, at_m)
        self._carry(wanted)
        posed = pose(self.dressed, wanted)
        heading = standing.heading_rad
        joints = {name: on_floor(place[None], at_m, heading)[0] for name, place in posed.joints.items()}
        hands = {side: on_floor(place[None], at_m, heading)[0] for side, place in posed.knuckles.items()}
        held, touches = self._held(standing, time_s, hands)
        return Moment(standing, posed, at_m, joints, hands, held, touches)

    def _wave(self, which: int, time_s: float, rate_hz: float) -> float:
        """A slow unrest, -1 to 1."""
        phase = self._waves[which] + 2 * math.pi * rate_hz * self._rates[which] * time_s
        return float(np.sin(phase) @ np.array([0.55, 0.3, 0.15]))

    def _stance(self, standing: Standing, time_s: float) -> Pose:
        """Hips, trunk, head and feet: walking or standing."""
        wanted = Pose()
        heading, at_m = standing.heading_rad, np.array([*standing.xy_m, 0.0])
        if self.person.uses == "wheelchair":
            wanted.seated_m = 0.52
            wanted.head_turn = 0.3 * self._wave(2, time_s, 0.08)
            return wanted
        for side, foot in ((1, standing.left), (-1, standing.right)):
            ankle = np.array(
                [*foot.xy_m, foot.lift_m + 0.17 * self.tall * max(0.0, math.sin(foot.pitch_rad))]
            )
            wanted.feet[side] = (
                in_body(ankle[None], at_m, heading)[0],
                foot.heading_rad - heading,
                foot.pitch_rad,
            )
        moving = min(standing.speed_mps / 0.8, 1.0)
        calm = 1 - moving
        ahead = {side: -float(place[0][1]) for side, place in wanted.feet.items()}
        swing = 0.42 * (ahead[-1] - ahead[1]) * moving
        wanted.hang_forward_m = {
            1: swing + 0.02 * calm * self._wave(3, time_s, 0.07),
            -1: -swing + 0.02 * calm * self._wave(4, time_s, 0.07),
        }
        wanted.twist = 0.25 * swing + calm * 0.06 * self._wave(5, time_s, 0.06)
        aside = 0.03 * self.tall * math.tanh(2.2 * self._wave(0, time_s, 0.045))
        wanted.shift = np.array([aside * calm, 0.012 * calm * self._wave(1, time_s, 0.09)])
        wanted.side_lean = -0.9 * aside * calm
        wanted.lean = 0.03 + 0.05 * moving + calm * 0.025 * self._wave(6, time_s, 0.08)
        wanted.head_turn = (0.12 + 0.3 * calm) * math.tanh(2 * self._wave(2, time_s, 0.09))
        wanted.head_nod = 0.08 + 0.12 * calm * (0.5 + self._wave(7, time_s, 0.11))
        wanted.hip_drop_m = 0.008
        return wanted

    def _act(self, wanted: Pose, standing: Standing, time_s: float, at_m: Floats) -> None:
        act = standing.act
        if act is None:
            return
        since, left = time_s - standing.act_start_s, standing.act_end_s - time_s
        share = smooth(since / SETTLE_S) * smooth(left / SETTLE_S)
        if isinstance(act, Stand):
            self._arms(wanted, act, share, time_s)
            return
        side = 1 if act.hand == "left" else -1
        goal, chest = self._grip(act, since, left, time_s, standing, at_m)
        share = smooth(since / GRASP_S) * smooth(left / GRASP_S)
        self._reach(wanted, side, goal, share)
        wanted.head_nod += share * 0.28
        wanted.head_turn *= 1 - 0.8 * share
        if isinstance(act, Turn) and chest > 0:
            other = goal + np.array([-side * 0.22, 0.0, -0.26]) * self.tall
            self._reach(wanted, -side, other, chest)

    def _grip(
        self, act: Browse | Turn, since: float, left: float, time_s: float, standing: Standing, at_m: Floats
    ) -> tuple[Floats, float]:
        """Where the hand is wanted, in body axes, and how far the garment is before the chest, 0 to 1."""
        point = np.array(reach_point(self.scene, act))
        if isinstance(act, Browse):
            rack = self.scene.rack(act.rack)
            turn = math.radians(rack.heading_deg)
            axis = np.array([math.cos(turn), math.sin(turn)])
            along = float((at_m[:2] - np.asarray(rack.at)) @ axis) + 0.22 * self._wave(8, time_s, 0.22)
            along = float(np.clip(along, -rack.length_m / 2, rack.length_m / 2))
            point = np.array(
                [*(np.asarray(rack.at) + axis * along), point[2] - 0.1 + 0.06 * self._wave(9, time_s, 0.3)]
            )
            return in_body(point[None], at_m, standing.heading_rad)[0], 0.0
        rail = in_body(point[None], at_m, standing.heading_rad)[0]
        shoulder = float(self.dressed.shape.joints[INDEX["upperarm01.L"], 2]) - self.dressed.ground_m
        before = np.array(
            [
                0.03 * self._wave(10, time_s, 0.25),
                -0.36 * self.tall,
                shoulder - 0.06 * self.tall + 0.04 * self._wave(11, time_s, 0.2),
            ]
        )
        chest = smooth((since - GRASP_S) / PULL_S) * smooth((left - GRASP_S) / PULL_S)
        return rail + (before - rail) * chest, chest

    def _reach(self, wanted: Pose, side: int, goal: Floats, share: float) -> None:
        """Move a hand from where it hangs towards a goal, the trunk along where the arm is too short."""
        joints = self.dressed.shape.joints
        mark = "L" if side > 0 else "R"
        shoulder = joints[INDEX[f"upperarm01.{mark}"]] - [0, 0, self.dressed.ground_m]
        elbow, wrist = joints[INDEX[f"lowerarm01.{mark}"]], joints[INDEX[f"wrist.{mark}"]]
        long = float(
            np.linalg.norm(elbow - joints[INDEX[f"upperarm01.{mark}"]]) + np.linalg.norm(wrist - elbow)
        )
        away = goal - shoulder
        far = float(np.linalg.norm(away))
        palm = goal - away / max(far, 1e-6) * 0.09 * self.tall
        lacking = max(0.0, far - 0.09 * self.tall - 0.92 * long)
        wanted.lean += share * min(0.9, 1.7 * lacking + (0.25 if goal[2] < 0.8 * self.tall else 0.0))
        wanted.twist += -side * share * min(0.35, 0.8 * lacking)
        hang = shoulder + np.array([side * 0.07, -0.05, -0.965 * long])
        before = wanted.hands[side]
        start = hang if before is None else before
        wanted.hands[side] = start + (palm - start) * share

    def _arms(self, wanted: Pose, act: Stand, share: float, time_s: float) -> None:
        """How somebody who only stands holds the arms."""
        tall, high = self.tall, self.dressed.height_m
        chest = 0.82 * high - 0.27 * tall
        unrest = 0.02 * self._wave(12, time_s, 0.12)
        goals: dict[int, list[float]] = {}
        if act.arms == "crossed":
            goals = {
                1: [-0.12 * tall, -0.22 * tall, chest + unrest],
                -1: [0.12 * tall, -0.2 * tall, chest - 0.05 * tall + unrest],
            }
        elif act.arms == "hips":
            goals = {1: [0.2 * tall, -0.03, 0.62 * high]}
            if self._habit[0] > 0:
                goals[-1] = [-0.2 * tall, -0.03, 0.62 * high]
            wanted.elbow_out = 0.5 + share
        elif act.arms == "phone":
            side = 1 if self._habit[1] > 0 else -1
            goals = {side: [0.03 * self._habit[2], -0.32 * tall, 0.66 * high + unrest]}
            wanted.head_nod += 0.45 * share
            wanted.head_turn *= 1 - 0.8 * share
        elif act.arms == "behind":
            goals = {1: [0.03, 0.16 * tall, 0.52 * high], -1: [-0.03, 0.17 * tall, 0.53 * high]}
        for side, goal in goals.items():
            joints = self.dressed.shape.joints[INDEX["upperarm01.L" if side > 0 else "upperarm01.R"]] - [
                0,
                0,
                self.dressed.ground_m,
            ]
            hang = joints + np.array([side * 0.07, -0.05, -0.5 * tall])
            wanted.hands[side] = hang + (np.array(goal) - hang) * share
        if act.bends > 0:
            wanted.lean += 1.1 * act.bends * share
            wanted.hip_drop_m += 0.28 * tall * act.bends * share
            wanted.head_nod += 0.3 * act.bends * share

    def _carry(self, wanted: Pose) -> None:
        """Hands at what a person pushes or carries, unless they are busy."""
        if self.person.uses in ("pram", "trolley"):
            for side in (1, -1):
                if wanted.hands[side] is None:
                    wanted.hands[side] = np.array(
                        [side * 0.17, -0.40 * self.tall, 0.98 * min(self.tall, 1.05)]
                    )
        elif self.person.uses in ("bag", "basket"):
            wanted.hang_forward_m[1] *= 0.3
        elif self.person.uses == "wheelchair":
            for side in (1, -1):
                if wanted.hands[side] is None:
                    wanted.hands[side] = np.array([side * 0.27, -0.12, 0.72])

    def _held(
        self, standing: Standing, time_s: float, hands: dict[int, Floats]
    ) -> tuple[Held | None, str | None]:
        act = standing.act
        if not isinstance(act, Browse | Turn):
            return None, None
        since, left = time_s - standing.act_start_s, standing.act_end_s - time_s
        at_rack = since >= GRASP_S and left >= GRASP_S
        if isinstance(act, Browse) or not at_rack:
            return None, act.rack if at_rack else None
        hand = hands[1 if act.hand == "left" else -1]
        rack = math.radians(self.scene.rack(act.rack).heading_deg) + math.pi / 2
        out = smooth((since - GRASP_S) / PULL_S) * smooth((left - GRASP_S) / PULL_S)
        facing = standing.heading_rad + math.pi / 2
        by = (facing - rack + math.pi / 2) % math.pi - math.pi / 2
        turning = 0.9 * math.sin(1.7 * (since - GRASP_S)) * out
        return Held(
            act.rack,
            act.garment,
            (float(hand[0]), float(hand[1]), float(hand[2]) + 0.03),
            rack + by * out + turning,
        ), act.rack
