"""Scenario files: what is wrong in one, and those that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from rfid_reader.cli import rfid
from rfid_reader.errors import ScenarioError
from rfid_reader.reads import load_reads
from rfid_reader.simulator.scenarios.files import (
    find_scenario,
    load_scenario,
    scenario_schema,
    shipped_scenarios,
)
from rfid_reader.simulator.scenarios.spec import RANDOM_LOOP_S
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
        (GOOD + "people: {random: -2}\n", ":4: people.random: -2 is wrong"),
        (GOOD + "people: {random: lots}\n", ":4: people.random: 'lots' is wrong; int would be right"),
        (GOOD + "people: {randon: 2}\n", "people.randon: unknown field `randon`; did you mean random?"),
        (GOOD + "people:\n  tracks: nobody.csv\n", ":5: people.tracks: 'nobody.csv' is wrong; a CSV file in"),
        (
            GOOD + "people: {paths: [{person: a, points: [[1, 0, 0], [1, 1, 1]]}]}\n",
            "people.paths.0.points.1: [1.0, 1.0, 1.0] is wrong; a time after 1 s",
        ),
        (GOOD + "people: {paths: [{person: a, points: [[1, 0, 0]]}]}\n", "people.paths.0.points"),
        (GOOD + "browsing: {chance: 7}\n", "browsing.chance: 7 is wrong"),
        (GOOD + "duration_s: .inf\n", "duration_s: inf is wrong; a finite number"),
        (GOOD + "duration_s: 0\n", "duration_s: 0 is wrong"),
        (GOOD + "sway_m: .nan\n", "sway_m: nan is wrong"),
        (GOOD + "radio: {power_dbm: loud}\n", "radio.power_dbm: 'loud' is wrong; a number"),
        (GOOD + "radio: {pi_ambiguity: 1}\n", "radio.pi_ambiguity: 1 is wrong; true or false"),
        (GOOD + "flips: {auto: {shortest_s: 3, longest_s: 1}}\n", "flips.auto.longest_s: 1.0 is wrong"),
        (GOOD + "flips: {given: [{rack: x, tag: 1, start_s: 1, end_s: 2}]}\n", "flips.given.0.rack: 'x'"),
        (GOOD.replace("prefix: ab", "prefix: 12"), "racks.0.tags.prefix: 12 is wrong"),
        (GOOD.replace("prefix: ab", "prefix: 12"), "put it in quotes"),
        (
            GOOD.replace("count: 2, prefix: ab", "count: 300, prefix: '0123456789012345678901'"),
            "room for 300",
        ),
        (GOOD.replace("[0, 0]}", "[0]}"), "antennas.0.at"),
        (GOOD.replace("name: r, ", ""), ":3: racks.0.name: the key name is missing"),
        (
            GOOD.replace("[{port: 1, at: [0, 0]}]", "[{port: 1, at: [0, 0]}, {port: 1, at: [1, 1]}]"),
            "antennas.1.port: 1 is wrong; a port that no other",
        ),
        ("", "a scenario has keys"),
        ("- a\n", "a scenario has keys"),
        (GOOD + "people: {period_s: -1}\n", "people.period_s"),
    ],
)
def test_a_bad_scenario_names_the_key_and_what_would_be_right(tmp_path: Path, change: str, says: str) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(change)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value) and says in str(caught.value)
    assert "$" not in str(caught.value)


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


def test_random_people_walk_without_a_duration(tmp_path: Path) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(GOOD + "people: {random: 2}\nflips: {auto: {reach_m: 1.5, chance: 1.0}}\n")
    world = World(load_scenario(path))
    times = np.array([1.0, 300.0, 599.0, 601.0, 5_000.0])
    assert not np.isnan(world.crowd.positions(times)).any()
    flips = world.finished_flips(2 * RANDOM_LOOP_S)
    assert any(flip.start_s > RANDOM_LOOP_S for flip in flips)
    assert any(flip.end_s < RANDOM_LOOP_S for flip in flips)


def test_people_on_ways_flip_garments_without_a_duration(tmp_path: Path) -> None:
    ways = "people: {paths: [{person: a, points: [[0, 0, 0], [1, 0, .5], [2.5, 0, .6], [4, 0, .5]]}]}\n"
    path = tmp_path / "store.yaml"
    path.write_text(GOOD + ways + "flips: {auto: {reach_m: 1.5, chance: 1.0, longest_s: 2}}\n")
    assert World(load_scenario(path)).finished_flips(100.0)


def test_a_scenario_that_ships_is_found_by_its_name_and_a_slip_is_put_right(tmp_path: Path) -> None:
    assert {"boutique", "plaza", "example"} <= set(shipped_scenarios())
    assert find_scenario("plaza") == find_scenario("plaza.yaml") == shipped_scenarios()["plaza"]
    assert find_scenario(str(tmp_path / "mine.yaml")) == tmp_path / "mine.yaml"
    with pytest.raises(ScenarioError, match="did you mean boutique"):
        find_scenario("boutqiue")


def test_the_schema_describes_every_key_and_knows_the_example() -> None:
    schema = scenario_schema()
    for name, one in schema["$defs"].items():
        for key, value in one.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"
    example = yaml.safe_load(shipped_scenarios()["example"].read_text())
    assert set(example) <= set(schema["$defs"]["Scenario"]["properties"])
    assert "power_dbm" in schema["$defs"]["Scenario"]["properties"]["radio"]["properties"]


def test_init_writes_a_scenario_that_can_be_simulated(tmp_path: Path) -> None:
    path, reads = tmp_path / "mine.yaml", tmp_path / "reads.csv"
    assert CliRunner().invoke(rfid, ["scenario", "init", str(path)]).exit_code == 0
    again = CliRunner().invoke(rfid, ["scenario", "init", str(path)])
    assert isinstance(again.exception, ScenarioError) and "--force" in str(again.exception)
    simulated = ["simulate", "--scenario", str(path), "--seconds", "5", "--reads", str(reads)]
    assert CliRunner().invoke(rfid, simulated).exit_code == 0
    assert len(load_reads(reads)) > 100
    listed = CliRunner().invoke(rfid, ["scenario", "list"]).output
    assert len(listed.splitlines()) == len(shipped_scenarios()) and "boutique" in listed


def test_every_key_is_in_the_commented_example() -> None:
    text = shipped_scenarios()["example"].read_text()
    for one in scenario_schema()["$defs"].values():
        for key in one["properties"]:
            assert f"{key}:" in text or key == "alone_margin_m", key
