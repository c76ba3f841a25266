"""The stores of a model that was written apart from this product, where its file lies in the shared folder.

The file itself is not part of the product. Its stores flip garments only; it draws one quiet time of 75 s.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np

from rfid_reader.reads import ReadTable
from rfid_reader.training.worlds.recording import TURNED, Handling, WorldRecording

PLANS = ("fcc", "etsi", "cn")


def model_file() -> Path | None:
    """Where the model's file is, None where there is none (TAGSIGHT_SHARED names the shared folder)."""
    shared = Path(os.environ.get("TAGSIGHT_SHARED", Path(__file__).resolve().parents[4] / "shared"))
    path = shared / "cases" / "second-store" / "rfid_sim.py"
    return path if path.is_file() else None


def _model() -> Any:
    path = model_file()
    if path is None:
        raise FileNotFoundError("second store: no model file (set TAGSIGHT_SHARED)")
    spec = importlib.util.spec_from_file_location("second_store_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def simulate(
    seed: int, seconds: float = 180.0, rate_hz: float | None = None, tags: int | None = None
) -> WorldRecording:
    """One store of the second model. rate_hz: reads a second a tag that are tried (drawn from 4 to 16 if not
    given); tags: 36 unless given or drawn."""
    rng = np.random.default_rng([seed, 12])
    if rate_hz is None:
        rate_hz = float(np.exp(rng.uniform(np.log(4.0), np.log(16.0))))
    model = _model()
    plan = PLANS[seed % 3]
    _, truth, still, reads, count = model.simulate(seed, tags or 36, seconds / 60, rate_hz, plan)
    handlings = tuple(
        Handling(f"e2d0{seed & 0xFFFF:04x}{one['tag']:016x}", TURNED, one["start_s"], one["end_s"])
        for one in sorted(truth, key=lambda one: float(one["start_s"]))
    )
    return WorldRecording(
        f"second-{seed}", _table(still, seed), _table(reads, seed), handlings, count, seconds
    )


def _table(columns: Any, seed: int) -> ReadTable:
    time_s, tag, antenna, channel, rssi_dbm, phase_rad = columns
    epcs = np.array(
        [f"e2d0{seed & 0xFFFF:04x}{number:016x}" for number in range(int(tag.max(initial=0)) + 1)]
    )
    return ReadTable.from_columns(time_s, epcs[tag], antenna + 1, channel + 1, rssi_dbm, phase_rad)
