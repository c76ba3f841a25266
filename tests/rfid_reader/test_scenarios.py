"""Scenario files: what is wrong in one, and those that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfid_reader.errors import ScenarioError
from rfid_reader.simulator.scenario import load_scenario
from rfid_reader.simulator.world import World

GOOD = """\
name: a
antennas: [{port: 1, at: [0, 0]}]
racks: [{name: r, at: [0, 1], tags: {count: 2, prefix: ab}}]
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("name: [", "not YAML"),
        (GOOD + "colour: red\n", "unknown field `colour`"),
        (GOOD + "hop_plan: mars\n", "hop_plan 'mars' is unknown"),
        (GOOD + "reader: {mode: 9}\n", "reader.mode"),
        (GOOD + "radio: {volume: 11}\n", "volume"),
        (GOOD.replace("port: 1", "port: 9"), "antennas.0.port: 9 is wrong; 1 to 4"),
        (GOOD.replace("at: [0, 0]}", "at: [0, 0], looks_at: [0, 0, 2.4]}"), "antennas.0.looks_at"),
        (GOOD.replace("{count: 2, prefix: ab}", "[abc]"), "even number of hex digits"),
        (GOOD.replace("{count: 2, prefix: ab}", "[ab, ab]"), "an EPC that no other tag has"),
        (GOOD + "flips: {given: [{rack: r, tag: 5, start_s: 1, end_s: 2}]}\n", "flips.given.0.tag: 5"),
        (GOOD + "flips: {given: [{rack: r, tag: 1, start_s: 3, end_s: 2}]}\n", "a time after start_s"),
        (GOOD + "people: {random: 2}\n", "duration_s"),
        (GOOD + "people: {period_s: -1}\n", "people.period_s"),
    ],
)
def test_a_bad_scenario_names_the_key_and_what_would_be_right(tmp_path: Path, change: str, says: str) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(change)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value) and says in str(caught.value)


def test_a_good_scenario_loads(tmp_path: Path) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(GOOD)
    assert load_scenario(path).scenario.racks[0].epcs() == ["ab" + "0" * 21 + "1", "ab" + "0" * 21 + "2"]


def test_the_shipped_scenarios_load_and_are_read(repo: Path) -> None:
    paths = sorted((repo / "rfid_reader" / "simulator" / "scenarios").glob("*.yaml"))
    assert paths
    for path in paths:
        world = World(load_scenario(path))
        assert len(world.reads(2.0, world.setup())) > 100
