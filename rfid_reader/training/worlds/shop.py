"""The simulated reader's own stores (`rfid_reader.simulator`), with radio and people from wide ranges."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from rfid_reader.simulator.radio.channel import Radio
from rfid_reader.simulator.scenarios.files import Browsing, ScenarioFile
from rfid_reader.simulator.scenarios.random_stores import generate_store
from rfid_reader.simulator.world import World
from rfid_reader.training.worlds.recording import TURNED, Handling, WorldRecording

STILL_S = 75.0


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def widened(store: ScenarioFile, seed: int) -> ScenarioFile:
    """The same store, its radio and people drawn from wide ranges: echoes of 0.1 to 3 m2, noise at -62.5 dBm
    of 0.01 to 0.18 rad, tags of -12 to -22 dBm, hands that move what they hold by half a centimetre up to
    half a metre."""
    rng = np.random.default_rng([seed, 55])
    phase_noise_rad = _log_uniform(rng, 0.01, 0.18)
    radio = {
        **store.scenario.radio,
        "body_gain_m": _log_uniform(rng, 0.09, 0.49),
        "limb_gain_m": _log_uniform(rng, 0.004, 0.15),
        "body_loss_db": float(rng.uniform(3, 16)),
        "beam_width_deg": float(rng.uniform(55, 110)),
        "tag_sensitivity_dbm": float(rng.uniform(-22, -13)),
        "phase_noise_rad": phase_noise_rad,
        "rssi_noise_db": float(8.7 * phase_noise_rad * rng.uniform(0.35, 0.9)),
        "noise_floor_dbm": float(rng.uniform(-94, -80)),
    }
    auto = store.scenario.flips.auto
    assert auto is not None
    flips = msgspec.structs.replace(
        store.scenario.flips,
        auto=msgspec.structs.replace(
            auto,
            chance=float(rng.uniform(0.5, 0.95)),
            shortest_s=float(rng.uniform(0.9, 1.8)),
            longest_s=float(rng.uniform(3.0, 7.0)),
            vigour=_log_uniform(rng, 5.0, 20.0) if rng.random() < 0.3 else _log_uniform(rng, 0.3, 5.0),
        ),
    )
    people = msgspec.structs.replace(store.scenario.people, random=int(rng.integers(1, 6)))
    scenario = msgspec.structs.replace(
        store.scenario,
        radio=radio,
        flips=flips,
        people=people,
        browsing=Browsing(float(rng.uniform(0.1, 0.9))),
        multipath=_log_uniform(rng, 0.03, 1.0),
        sway_m=_log_uniform(rng, 0.00002, 0.004),
    )
    scenario.radio_model()
    return ScenarioFile(scenario, store.folder)


def simulate(seed: int, seconds: float = 180.0, wide: bool = True) -> WorldRecording:
    """One generated store, its quiet time and `seconds` with people; wide: as `widened` draws it."""
    store = generate_store(seed, seconds)
    if wide:
        store = widened(store, seed)
    quiet = msgspec.structs.replace(
        store.scenario,
        people=msgspec.structs.replace(store.scenario.people, random=0),
        flips=msgspec.structs.replace(store.scenario.flips, auto=None),
    )
    empty, busy = World(ScenarioFile(quiet, store.folder)), World(store)
    still, reads = empty.reads(STILL_S, empty.setup()), busy.reads(seconds, busy.setup())
    handlings = tuple(
        Handling(flip.epc, TURNED, flip.start_s, flip.end_s) for flip in busy.finished_flips(seconds)
    )
    assert isinstance(busy.radio, Radio)
    return WorldRecording(
        f"shop-{seed}",
        still,
        reads,
        tuple(sorted(handlings, key=lambda one: one.start_s)),
        len(busy.epcs),
        seconds,
    )
