"""Every field says what it is, and the schema that consumers build on is kept."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from contract import stored, wire
from contract.compatibility import SchemaChange, api_changes, changes
from contract.envelope import KINDS, Envelope
from contract.errors import ContractError
from contract.facts import Cell, Coverage, Evidence
from contract.fields import NO_UNIT, UNIT
from contract.schema import async_api, json_schema
from contract.shop import EntrancePlace, FixturePlace, ZonePlace
from runtime.cli import main

STORED = Path(__file__).resolve().parents[2] / "docs" / "contract" / "v1"
STRUCTS = (
    *KINDS.values(),
    Envelope,
    Coverage,
    Evidence,
    Cell,
    EntrancePlace,
    ZonePlace,
    FixturePlace,
    wire.Status,
    wire.Ack,
    wire.Replay,
)


def fields(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from definition.get("properties", {}).items()
    yield from ((str(place), says) for place, says in enumerate(definition.get("prefixItems", ())))


def kinds_of_value(says: Any) -> set[str]:
    """The JSON types in a field, its items included; a definition of its own counts as `object`."""
    if isinstance(says, list):
        return set().union(*map(kinds_of_value, says))
    if not isinstance(says, dict):
        return set()
    own = {"object"} if "$ref" in says else {says["type"]} if "type" in says else set()
    inner = [says[key] for key in ("anyOf", "items", "prefixItems", "additionalProperties") if key in says]
    return own.union(*map(kinds_of_value, inner))


@pytest.mark.parametrize(
    "definitions",
    [json_schema()["$defs"], async_api("1")["components"]["schemas"]],
    ids=["JSON Schema", "AsyncAPI"],
)
def test_every_field_has_a_description_a_unit_and_an_example(definitions: dict[str, dict[str, Any]]) -> None:
    said = {f"{name}.{field}": says for name, one in definitions.items() for field, says in fields(one)}
    assert len(said) > 180
    assert [name for name, says in said.items() if len(says.get("description", "")) < 5] == []
    assert [name for name, says in said.items() if not says.get("examples")] == []
    for name, says in said.items():
        has_unit = says[UNIT] != NO_UNIT
        assert has_unit == bool(kinds_of_value(says) & {"integer", "number"}), name


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: str(struct.__name__))
def test_an_example_is_one_of_its_field(struct: type[msgspec.Struct]) -> None:
    hints = get_type_hints(struct, include_extras=True)
    for field in struct.__struct_fields__:
        found = [meta for meta in _metas(hints[field]) if meta.examples]
        assert found, field
        msgspec.convert(found[0].examples[0], hints[field])


def _metas(hint: Any) -> Iterator[msgspec.Meta]:
    if hasattr(hint, "__metadata__"):
        yield from hint.__metadata__
    elif get_origin(hint) is not None:
        for inner in get_args(hint):
            yield from _metas(inner)


def test_the_stored_schema_is_that_of_the_code() -> None:
    stored.check(STORED, "any")
    assert f"tagsight/{STORED.name}" == wire.ROOT


def test_only_the_version_may_differ_in_what_is_stored() -> None:
    told = msgspec.json.decode((STORED / stored.TOPICS).read_bytes())
    assert told["info"].pop("version")
    now = msgspec.json.decode(stored.text(async_api("9.9")))
    assert now["info"].pop("version") == "9.9" and now == told


Edit = Callable[[dict[str, Any]], object]
"""Changes `$defs`."""

BREAKING: list[tuple[str, Edit]] = [
    ("Footfall.entered is gone", lambda defs: defs["Footfall"]["properties"].pop("entered")),
    ("Footfall.id is gone", lambda defs: defs["Footfall"]["properties"].pop("id")),
    ("Gap is gone", lambda defs: defs.pop("Gap")),
    (
        'Footfall.entered was {"type":"integer","x-unit":"{person}"} and is {"type":"number",',
        lambda defs: defs["Footfall"]["properties"]["entered"].update(type="number"),
    ),
    ("Flip.score was", lambda defs: defs["Flip"]["properties"]["score"].update(maximum=0.9)),
    ("Visit.direction was", lambda defs: defs["Visit"]["properties"]["direction"]["enum"].remove("out")),
    ("Visit.direction was", lambda defs: defs["Visit"]["properties"]["direction"]["enum"].append("by")),
    ("Dwell.dwell_s was", lambda defs: defs["Dwell"]["properties"]["dwell_s"].update({UNIT: "ms"})),
    ("Visit.stay_s was", lambda defs: defs["Visit"]["properties"]["stay_s"]["anyOf"].pop()),
    ("Status.oldest_seq was", lambda defs: defs["Status"]["properties"]["oldest_seq"].update(default=0)),
    ("Cell was", lambda defs: defs["Cell"]["prefixItems"].pop()),
    ("Ack.seq may be absent now", lambda defs: defs["Ack"]["required"].remove("seq")),
    ("Replay.stream may not be absent any more", lambda defs: defs["Replay"]["required"].append("stream")),
    (
        "Flow.weather is new and has no default",
        lambda defs: (
            defs["Flow"]["properties"].update(weather={"type": "string"}),
            defs["Flow"]["required"].append("weather"),
        ),
    ),
]
ADDING: list[tuple[str, Edit]] = [
    ("Flow.weather is new", lambda defs: defs["Flow"]["properties"].update(weather={"type": "string"})),
    ("Queue is new", lambda defs: defs.update(Queue={"type": "object"})),
    (
        "Flow.origin is described in other words",
        lambda defs: defs["Flow"]["properties"]["origin"].update(description="where they came from"),
    ),
]


@pytest.mark.parametrize(("what", "edit"), BREAKING, ids=[what[:24] for what, _ in BREAKING])
def test_a_change_that_breaks_consumers_is_named(what: str, edit: Edit) -> None:
    new = copy.deepcopy(json_schema())
    edit(new["$defs"])
    found = changes(json_schema(), new)
    assert [change for change in found if change.breaks and change.what.startswith(what)]


@pytest.mark.parametrize(("what", "edit"), ADDING, ids=[what for what, _ in ADDING])
def test_what_is_only_new_breaks_nobody(what: str, edit: Edit) -> None:
    new = copy.deepcopy(json_schema())
    edit(new["$defs"])
    assert changes(json_schema(), new) == [SchemaChange(what, False)]


def test_a_kind_or_a_topic_that_goes_breaks_consumers_and_a_new_one_does_not() -> None:
    old, new = json_schema(), copy.deepcopy(json_schema())
    del new["discriminator"]["mapping"]["flip"]
    assert changes(old, new) == [SchemaChange("the kind flip is gone", True)]
    assert changes(new, old) == [SchemaChange("the kind flip is new", False)]
    topics, fewer = async_api("1"), copy.deepcopy(async_api("1"))
    del fewer["channels"]["ack"]
    assert api_changes(topics, fewer) == [SchemaChange("the topic ack is gone", True)]
    assert api_changes(fewer, topics) == [SchemaChange("the topic ack is new", False)]
    retained = copy.deepcopy(topics)
    retained["channels"]["flip"]["bindings"]["mqtt"]["retain"] = True
    assert [change.breaks for change in api_changes(topics, retained)] == [True]


def test_the_command_refuses_what_breaks_and_asks_for_what_is_only_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "v1"
    for name in (stored.EVENTS, stored.TOPICS):
        folder.mkdir(exist_ok=True)
        shutil.copy(STORED / name, folder / name)
    assert _exit_code("--check", folder) == 0

    document = msgspec.json.decode((folder / stored.EVENTS).read_bytes())
    del document["$defs"]["Dwell"]["properties"]["quality"]
    (folder / stored.EVENTS).write_bytes(stored.text(document))
    capsys.readouterr()
    assert _exit_code("--check", folder) == 1
    told = capsys.readouterr().err
    assert (
        f"{folder} is not up to date: Dwell.quality is new; run tagsight events schema --out {folder}" in told
    )
    assert _exit_code("--out", folder) == 0
    assert _exit_code("--check", folder) == 0

    document["$defs"]["Dwell"]["properties"]["mood"] = {"type": "string"}
    (folder / stored.EVENTS).write_bytes(stored.text(document))
    before = (folder / stored.EVENTS).read_bytes()
    capsys.readouterr()
    for option in ("--check", "--out"):
        assert _exit_code(option, folder) == 1
        assert "this breaks consumers: Dwell.mood is gone" in capsys.readouterr().err
    assert (folder / stored.EVENTS).read_bytes() == before


def _exit_code(option: str, folder: Path) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["events", "schema", option, str(folder)])
    return ended.value.code


def test_a_folder_without_the_schema_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"No such file.*events schema --out"):
        stored.check(tmp_path, "1")
    (tmp_path / stored.EVENTS).write_text("{")
    with pytest.raises(ContractError, match=r"events\.schema\.json: not JSON"):
        stored.check(tmp_path, "1")
