"""What the tracker assumes about people and detectors, in metres and seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerSettings:
    """Physical assumptions; none depends on the frame rate.

    Scores are the detector's own, 0..1. Shares are of the box height.
    """

    confident_score: float = 0.45
    """Boxes from here on may find any track; those that find none may begin a new one."""
    weak_score: float = 0.35
    """Boxes from here up to `confident_score` only continue tracks that were seen a moment ago."""
    birth_score: float = 0.5
    """A new track begins with a box of at least this score."""

    person_height_m: float = 1.7
    """Assumed until the camera has shown its own typical height."""
    person_height_sd: float = 0.08
    """Relative spread of people's heights around the typical one."""
    duplicate_iou: float = 0.45
    """Boxes with a higher intersection over union (IoU) show one person."""
    foot_noise: float = 0.06
    """Standard deviation of a box's lower and upper edge, as a share of its height."""
    side_noise: float = 0.03
    """Standard deviation of a box's centre across, as a share of its height."""
    occluded_foot_noise: float = 0.25
    """The same for a lower edge that people or furniture occlude, or the picture's edge truncates."""
    weak_noise_factor: float = 1.5
    """How much wider the noise of a weak box is."""

    noise_memory_s: float = 0.08
    """For how long the errors of a detector's boxes are alike: more frames in that time tell no more."""

    speed_sd_mps: float = 0.8
    """Standard deviation of a person's velocity along each axis."""
    speed_memory_s: float = 4.0
    """How long a person keeps a velocity; a lost one is expected to slow down on this scale."""

    gate: float = 18.4
    """Largest squared Mahalanobis distance of a match on the floor (chi-square, 2 d.o.f., 99.99 %)."""
    iou_weight: float = 3.0
    """Cost of an IoU of 0 in the picture, in units of log likelihood."""
    height_weight: float = 0.5
    """Weight of the disagreement in height, in units of log likelihood."""
    appearance_weight: float = 6.0
    """Cost of opposite appearance, in units of log likelihood."""
    worst_cost: float = 10.0
    """A pair that costs more is no match."""

    confirm_s: float = 0.25
    """A new track is confirmed once it was seen for this long, and at least three times."""
    confirm_sparse_s: float = 0.4
    """At low frame rates two sightings this far apart confirm as well."""
    confirm_move_m: float = 0.3
    """A track that has not moved this far is not confirmed: mannequins, posters and signs never count."""
    confirm_move_sd: float = 2.8
    """... and not before the move is this many standard deviations of its places, in its direction."""
    confirm_alive_s: float = 0.4
    """... unless the picture showed life in its boxes for this long."""
    still_share: float = 0.03
    """Share of changed pixels in a box that says neither that it lives nor that it is a thing."""
    alive_share: float = 0.07
    """A second with this much more counts for one second of life, and with less in proportion."""
    still_weight: float = 0.4
    """... and less than `still_share` takes away so much of it, in proportion."""
    slow_weight: float = 0.25
    """What changes over seconds counts for this much of what changes at once."""
    hasty_weight: float = 0.25
    """Stillness counts for this much until it has lasted for seconds."""
    unknown_weight: float = 0.1
    """A look that says nothing, for others are in the way, counts for this much life."""
    still_most_s: float = 2.0
    """A thing that stood still for long has to live for this long more."""
    alive_most_s: float = 2.0
    """Seconds of life that are remembered at most."""
    alive_gap_s: float = 0.4
    """One look counts for at most this long."""
    watch_every_s: float = 1.0
    """How often it is looked whether confirmed people still live."""
    still_move_s: float = 0.5
    """What was still for so long is no person by its move alone: its box may have slipped."""
    thing_s: float = 60.0
    """A thing that was seen for so long without moving or living is told of by its place."""
    lifeless_s: float = 10.0
    """A confirmed track without life for so long is a thing after all, such as a mannequin that was moved."""
    stationary_s: float = 2.0
    """A track seen for longer without moving is stationary: it stays, unconfirmed, to keep its boxes."""
    stationary_move_m: float = 1.0
    """A stationary track that moves this far was a person after all."""
    stationary_timeout_s: float = 30.0
    """How long a stationary track is kept while it is occluded."""
    tentative_timeout_s: float = 0.35
    """A new track unseen for longer is dropped, and was never counted."""
    lost_timeout_s: float = 4.0
    """A confirmed track unseen for longer ends."""
    exit_timeout_s: float = 0.6
    """The same for a track that was walking out of the picture."""
    weak_timeout_s: float = 1.0
    """A weak box continues only tracks seen within this time."""

    weak_iou: float = 0.3
    """... and has at least this IoU with their expected box."""

    max_tracks: int = 256
    """Live tracks a camera; beyond it no new ones begin and each refusal is counted."""
