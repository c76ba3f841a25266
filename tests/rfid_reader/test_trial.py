"""An hour of a shop, recorded with notes."""

from __future__ import annotations

import json
from pathlib import Path

from rfid_reader.reads import CaptureFile, ReadTable, load_reads
from rfid_reader.trial import PARTS, TrialFiles, hold_trial


def reads(at_s: float, epc: str) -> ReadTable:
    return ReadTable.from_columns([at_s], [epc], [1], [1], [-50.0], [1.0])


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_garments_and_parts_are_noted_and_the_quiet_part_is_kept_apart(tmp_path: Path) -> None:
    answers = iter(
        ["", "", "n", "", "7", "0aa", "c", "", "", "0bb", "x", "0bb", "", "", "", "", "2", "n", "n"]
    )
    said: list[str] = []
    with CaptureFile(tmp_path / "hour.csv") as table, TrialFiles(tmp_path / "hour.csv", table) as files:
        files.take(reads(0.5, "e200aa"))
        files.take(reads(0.6, "e200bb"))

        def ask(prompt: str) -> str:
            if prompt == "Enter when it is over: ":
                files.take(reads(1.0, "e200aa"))
            files.take(reads(2.0, "e200bb"))
            if prompt.startswith("How many"):
                assert said[-1].startswith("Part 3")
            return next(answers)

        found = hold_trial(files, ask, lambda text: said.append(text) if text.startswith("Part") else None)
    assert found == {"garments": 2, "parts": 2}
    garments = lines(tmp_path / "hour.truth.jsonl")
    assert [(one["epc"], one["kind"]) for one in garments] == [("e200aa", "carried"), ("e200bb", "turned")]
    assert all(float(str(one["end_s"])) >= float(str(one["start_s"])) for one in garments)
    parts = lines(tmp_path / "hour.parts.jsonl")
    assert [(one["part"], one["people"]) for one in parts] == [(1, 0), (3, 2)]
    quiet = load_reads(tmp_path / "hour.quiet.csv")
    assert quiet.epc.tolist().count("e200aa") == 1
    assert len(load_reads(tmp_path / "hour.csv")) > len(quiet)
    assert len(said) == len(PARTS)
