"""Families of stores, each with physics of its own, to train on and to be judged by.

`shop` are the simulated reader's own; `rays` a box of a room with images, dipoles and knife edges; `waves`
have no geometry at all; `second` is a model written apart from the product, used where its file is present;
`splices` are pieced together from a real reader's recordings and are never trained on. They share the shape
of a recording (`recording`) and nothing else: a detector that holds in a world that no part of it has seen
holds for a reason that is not that world's code.
"""

from __future__ import annotations

import importlib

from rfid_reader.training.worlds.recording import TURNED, Handling, WorldRecording

WORLDS = ("shop", "rays", "waves", "second")
TESTED_ONLY = ("splices",)

__all__ = ["TESTED_ONLY", "TURNED", "WORLDS", "Handling", "WorldRecording", "simulate", "unavailable"]


def unavailable(world: str) -> str | None:
    """Why a world cannot be simulated here, None where it can."""
    if world == "second":
        from rfid_reader.training.worlds.second import model_file

        return None if model_file() else "second: not run, its model file is not here (set TAGSIGHT_SHARED)"
    if world == "splices":
        from rfid_reader.training.worlds.splices import data_folder

        return None if data_folder() else "splices: not run, no development data (set TAGSIGHT_SHARED)"
    return None


def simulate(world: str, seed: int, seconds: float = 180.0) -> WorldRecording:
    """A store of a world of WORLDS or TESTED_ONLY; everything follows from the seed."""
    module = importlib.import_module(f"rfid_reader.training.worlds.{world}")
    recording: WorldRecording = module.simulate(seed, seconds)
    return recording
