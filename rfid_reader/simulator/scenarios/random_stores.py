"""Random stores for training and testing: every store has its own layout, radio and people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rfid_reader.simulator.scenarios.files import (
    AntennaSpec,
    AutoFlips,
    Browsing,
    FlipsSpec,
    PeopleSpec,
    RackSpec,
    Scenario,
    ScenarioFile,
    ScenarioReader,
    TagRun,
)

RACK_SPACING_M = 2.6
DENSE_MODE, FAST_MODE, MANY_TAGS = 2, 4, 45


def draw_radio(rng: np.random.Generator, least_power_dbm: float) -> dict[str, float]:
    """A reader's power, how bodies and limbs scatter, and the noise of the reads, of a store at random."""
    phase_noise_rad = float(0.08 * 2 ** rng.uniform(-1, 1))
    return {
        "power_dbm": float(rng.uniform(least_power_dbm, 31.5)),
        "body_gain_m": float(rng.uniform(0.2, 0.42)),
        "limb_gain_m": float(rng.uniform(0.03, 0.06)),
        "body_loss_db": float(rng.uniform(5, 13)),
        "phase_noise_rad": phase_noise_rad,
        "rssi_noise_db": float(8.7 * phase_noise_rad * rng.uniform(0.4, 0.75)),
        "pi_jump_share": float(rng.choice([0.0, 0.07, 0.14])),
    }


def generate_store(seed: int, duration_s: float = 240.0) -> ScenarioFile:
    """A store that follows from `seed` alone: hop plan, racks, tags, antennas (in a third of the stores
    tilted, from aside), radio, multipath, people, flips.

    Somebody who looks at a garment holds it for 1.5 to 6 s here.
    """
    rng = np.random.default_rng([seed, 4711])
    racks_wide = int(rng.integers(1, 4))
    racks = int(rng.integers(max(2, racks_wide), 7))
    spacing_m = RACK_SPACING_M + rng.uniform(-0.4, 1.0)
    rack_specs: list[RackSpec] = []
    antennas: list[AntennaSpec] = []
    shared_antennas = bool(rng.random() < 0.3)
    tilted_antennas = bool(rng.random() < 0.3)
    tags_in_store = 0
    for number in range(racks):
        x, y = spacing_m * (number % racks_wide), spacing_m * (number // racks_wide)
        at = (x + rng.uniform(-0.4, 0.4), y + rng.uniform(-0.4, 0.4))
        tags = int(rng.integers(5, 17))
        tags_in_store += tags
        rack_specs.append(
            RackSpec(
                name=f"rack-{number + 1}",
                at=at,
                tags=TagRun(tags, f"e280{seed % 65536:04x}{number:02x}"),
                heading_deg=float(rng.choice([0, 90]) + rng.uniform(-20, 20)),
                length_m=float(rng.uniform(0.6, 1.6)),
                height_m=float(rng.uniform(0.9, 1.5)),
            )
        )
        if not shared_antennas or number % 2 == 0:
            aside_m = rng.uniform(-1.6, 1.6, 2) if tilted_antennas else rng.uniform(-0.7, 0.7, 2)
            place = (float(at[0] + aside_m[0]), float(at[1] + aside_m[1]))
            looks_at = (*at, 1.2) if tilted_antennas else None
            antennas.append(AntennaSpec(len(antennas) + 1, place, float(rng.uniform(2.2, 3.2)), looks_at))
    return ScenarioFile(
        Scenario(
            name=f"store-{seed}",
            antennas=antennas,
            racks=rack_specs,
            seed=seed,
            hop_plan=str(rng.choice(["fcc", "etsi", "china"])),
            duration_s=duration_s,
            radio=draw_radio(rng, 27.0),
            reader=ScenarioReader(
                antennas=max(4, len(antennas)), mode=FAST_MODE if tags_in_store > MANY_TAGS else DENSE_MODE
            ),
            people=PeopleSpec(random=int(rng.integers(2, 5))),
            flips=FlipsSpec(
                auto=AutoFlips(
                    reach_m=1.2, chance=float(rng.uniform(0.5, 0.8)), shortest_s=1.5, longest_s=6.0
                )
            ),
            browsing=Browsing(float(rng.uniform(0.2, 0.6))),
            multipath=float(rng.uniform(0.15, 0.6)),
            sway_m=float(rng.uniform(0.0003, 0.002)),
        ),
        Path(),
    )
