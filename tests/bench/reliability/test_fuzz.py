"""Mutated input for the parsers of config, payloads, control messages and outbox files, for a moment each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.reliability.fuzz import command as fuzz
from bench.reliability.fuzz.command import Target, fuzz_target
from bench.reliability.fuzz.targets import open_targets

NAMES = ("config", "payload", "control", "outbox", "outbox-notes")
SECONDS = 1.0
SEED = 7
"""The same inputs every time: a test that fails by chance tells nothing of the change it stops.

`tagsight bench fuzz --seed` is for new ones.
"""


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, Target]]:
    with open_targets() as found:
        yield found


def test_every_parser_has_its_turn(targets: dict[str, Target]) -> None:
    assert tuple(targets) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_mutated_input_is_taken_or_refused_and_nothing_else(name: str, targets: dict[str, Target]) -> None:
    report = fuzz_target(name, targets[name], SECONDS, seed=SEED)
    assert report.inputs == report.taken + report.refused > 0
    assert [finding.trace for finding in report.findings] == []


@pytest.mark.parametrize("name", NAMES)
def test_sound_input_is_taken(name: str, targets: dict[str, Target]) -> None:
    assert all(targets[name].attempt(seed) for seed in targets[name].seeds)


def test_a_parser_that_fails_is_found_with_the_input_that_did_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fragile(data: bytes) -> bool:
        return bool(int(data))

    report = fuzz_target("fragile", Target([b"1234"], fragile), 0.2, seed=1)
    assert report.findings and "ValueError" in report.findings[0].trace
    with pytest.raises(ValueError, match="invalid literal"):
        fragile(report.findings[0].data)


def test_a_parser_that_takes_for_ever_is_stopped_and_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(data: bytes) -> bool:
        while True:
            pass

    monkeypatch.setattr(fuzz, "LIMIT_S", 0.05)
    report = fuzz_target("endless", Target([b"1"], endless), 0.01, seed=1)
    assert "TooSlow" in report.findings[0].trace


def test_the_command_says_what_it_tried_and_knows_its_targets(tmp_path: Path) -> None:
    arguments = ["--seconds", "0.2", "--target", "control", "--out", str(tmp_path / "found")]
    result = CliRunner().invoke(fuzz.fuzz, arguments, env={"COLUMNS": "100", **os.environ})
    assert result.exit_code == 0, result.output
    assert "control" in result.output and not (tmp_path / "found").exists()
    assert CliRunner().invoke(fuzz.fuzz, ["--target", "soup"]).exit_code == 2
