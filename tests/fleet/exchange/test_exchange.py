"""Events in the forms of other systems, read back by parsers and schemas that are not ours."""

from __future__ import annotations

import json
import os
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from cloudevents.http import from_json
from hypothesis import given
from hypothesis import strategies as st

from contract.envelope import Origin, encode_event, open_event
from contract.facts import Fact, Flip, Inventory, TryOn, Visit
from contract.shop import Store
from fleet.errors import FleetError
from fleet.exchange.epcis import event_id, garments
from fleet.exchange.files import bodies, write_cloud_events
from runtime.cli import main
from tagsight.epc_schemes import epc_uri, sgtin

NOON_S = 1_772_186_400.0
SGTIN_96 = "3074257bf7194e4000001a85"
PRIVATE = "e2801160600002054cc2096f"
PLAZA = Origin("plaza süd", "box-1")


def flip(number: int, epc: str = SGTIN_96, **changed: Any) -> Flip:
    given = {"fixture": "rack 1", "rev": 0, "retracted": False, **changed}
    return Flip(
        key=f"flip/{number}", time_s=NOON_S + number, reader="racks", antenna=2, epc=epc, sku=None,
        start_s=NOON_S + number - 1, end_s=NOON_S + number, score=0.9, **given,
    )  # fmt: skip


def tryon(number: int, **changed: Any) -> TryOn:
    return TryOn(
        key=f"tryon/{number}", time_s=NOON_S + number, epc=SGTIN_96, sku=None, room="fitting room 2",
        start_s=NOON_S, end_s=NOON_S + number, reads=80, visitor="2f1c8b7e9a04", **changed,
    )  # fmt: skip


FACTS: tuple[Fact, ...] = (
    Store(key="store", time_s=NOON_S, timezone="Asia/Shanghai", revision="r"),
    flip(1),
    flip(2, PRIVATE, fixture=None),
    flip(3),
    flip(3, rev=1, retracted=True),
    flip(4),
    flip(4, rev=1, fixture="rack 2"),
    tryon(5, open=True),
    tryon(5, rev=1),
    Inventory(
        key="i/1", time_s=NOON_S + 6, change="moved", epc=SGTIN_96, sku=None, fixture="a", previous="b"
    ),
    Inventory(key="i/2", time_s=NOON_S + 7, change="departed", epc=SGTIN_96, sku=None, previous="a"),
    Visit(key="v/1", time_s=NOON_S, visitor="2f1c8b7e9a04", direction="in", entrance="door"),
)


def lines(facts: tuple[Fact, ...] = FACTS) -> list[bytes]:
    return [
        encode_event(fact, PLAZA, seq, fact.time_s + seq, "0d7f5a52-8a3c-4c1e-9d3b-5f2f8f0f6a11")
        for seq, fact in enumerate(facts, 1)
    ]


def written(tmp_path: Path, *options: str) -> Path:
    """What the command writes."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"\n".join([*lines(), b'{"no": "event"}', b""]))
    with pytest.raises(SystemExit) as ended:
        main(["fleet", "export", "--events", str(events), "--out", str(tmp_path / "out"), *options])
    assert ended.value.code == 0
    (file,) = (tmp_path / "out").iterdir()
    return file


def by_step(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for event in document["epcisBody"]["eventList"]:
        found.setdefault(event["bizStep"].partition("#")[2], []).append(event)
    return found


def test_what_happened_to_garments_is_told_and_no_visitor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "--format", "epcis")
    assert "8 events; 1 lines are no events of ours" in capsys.readouterr().out
    assert not re.search("2f1c8b7e9a04|visitor", file.read_text())
    steps = by_step(json.loads(file.read_text()))
    assert {step: len(events) for step, events in steps.items()} == {
        "handled": 5, "tried-on": 1, "moved": 1, "departed": 1,
    }  # fmt: skip
    first, private, *_ = steps["handled"]
    assert first["epcList"] == ["urn:epc:id:sgtin:0614141.812345.6789"]
    assert private["epcList"] == ["urn:epc:raw:96.xE2801160600002054CC2096F"]
    assert first["bizLocation"]["id"] == "urn:x-tagsight:place:plaza%20s%C3%BCd:rack%201"
    assert first["readPoint"]["id"] == "urn:x-tagsight:place:plaza%20s%C3%BCd:racks:2"
    assert private["bizLocation"]["id"] == "urn:x-tagsight:place:plaza%20s%C3%BCd", "somewhere in the shop"
    assert first["eventTimeZoneOffset"] == "+08:00" and first["eventTime"] == "2026-02-27T10:00:01.000Z"


def test_a_retraction_is_an_error_declaration_under_the_same_id(tmp_path: Path) -> None:
    before = garments(map(open_event, lines(FACTS[:4]))).document(NOON_S)
    after = json.loads(written(tmp_path, "--format", "epcis").read_text())
    *_, first = by_step(before)["handled"]
    declared = {one["eventID"]: one for one in by_step(after)["handled"]}[first["eventID"]]
    assert declared.pop("errorDeclaration")["reason"] == "did_not_occur"
    assert declared == {**first, "recordTime": declared["recordTime"]}


def test_a_correction_names_the_event_that_holds(tmp_path: Path) -> None:
    events = by_step(json.loads(written(tmp_path, "--format", "epcis").read_text()))["handled"]
    wrong = next(one for one in events if one.get("errorDeclaration", {}).get("reason") == "incorrect_data")
    (right,) = [one for one in events if one["eventID"] in wrong["errorDeclaration"]["correctiveEventIDs"]]
    assert right["bizLocation"]["id"].endswith("rack%202") and "errorDeclaration" not in right


def test_the_order_in_which_events_come_makes_no_difference() -> None:
    there, back = lines(), lines()[::-1]
    documents = [garments(map(open_event, one)).document(NOON_S) for one in (there, back, there + back)]
    assert documents[0] == documents[1] == documents[2]


def test_a_place_may_be_named_below_the_shops_own_address(tmp_path: Path) -> None:
    file = written(tmp_path, "--format", "epcis", "--places", "https://id.example.com/places/")
    assert '"https://id.example.com/places/plaza%20s%C3%BCd/rack%201"' in file.read_text()


def schema() -> dict[str, Any]:
    found = os.environ.get("TAGSIGHT_EPCIS_SCHEMA")
    if not found:
        pytest.skip("no schema of EPCIS: export TAGSIGHT_EPCIS_SCHEMA=$(scripts/fetch-epcis-schema)")
    return json.loads(Path(found).read_text())  # type: ignore[no-any-return]


def test_gs1s_own_schema_takes_the_document(tmp_path: Path) -> None:
    import jsonschema  # Its grammars of addresses take two seconds to build.

    judge = jsonschema.Draft7Validator(schema(), format_checker=jsonschema.FormatChecker())
    document = json.loads(written(tmp_path, "--format", "epcis").read_text())
    assert [error.message for error in judge.iter_errors(document)] == []
    document["epcisBody"]["eventList"][0]["visitor"] = "2f1c8b7e9a04"
    assert [*judge.iter_errors(document)], "it would say where something is wrong"


def test_every_event_is_a_cloud_event_in_structured_mode(tmp_path: Path) -> None:
    told = written(tmp_path, "--format", "cloudevents").read_bytes().splitlines()
    assert len(told) == len(FACTS)
    for line, body in zip(told, lines(), strict=True):
        event, ours = from_json(line), json.loads(body)
        assert event.data == {**ours, "id": event["id"]}
        assert event["type"] == f"tagsight.v1.{ours['kind']}" and event["specversion"] == "1.0"
        assert event["source"] == "/tagsight/plaza süd/box-1" and event["time"] == ours["time"]


@pytest.mark.parametrize(
    ("epc", "gtin", "serial", "uri"),
    [
        # The examples of the EPC Tag Data Standard, appendix E.3.
        (SGTIN_96, "80614141123458", "6789", "urn:epc:id:sgtin:0614141.812345.6789"),
        (
            "3674257BF7194E59B2C2BF100000000000000000000000000000",
            "80614141123458",
            "32a/b",
            "urn:epc:id:sgtin:0614141.812345.32a%2Fb",
        ),
    ],
)
def test_an_sgtin_is_a_gtin_and_a_serial(epc: str, gtin: str, serial: str, uri: str) -> None:
    assert sgtin(epc) == (gtin, serial, uri)
    assert sgtin(epc.upper()) == sgtin(epc.lower()) == (gtin, serial, uri)


ANY = st.binary(min_size=1, max_size=62).map(bytes.hex)
AN_SGTIN = st.binary(min_size=11, max_size=11).map(lambda bits: "30" + bits.hex())


@given(ANY | AN_SGTIN)
def test_any_epc_has_a_uri_that_a_schema_takes(epc: str) -> None:
    uri = epc_uri(epc)
    assert re.fullmatch(r"urn:epc:(id:sgtin:\d+\.\d+\.\S+|raw:\d+\.x[0-9A-F]+)", uri)


def test_an_id_is_that_of_the_revision_however_often_it_is_told() -> None:
    first, again = (open_event(encode_event(flip(1), PLAZA, seq, NOON_S)) for seq in (1, 2))
    assert event_id(first) == event_id(again)
    assert uuid.UUID(event_id(first).removeprefix("urn:uuid:"))
    assert event_id(open_event(encode_event(flip(1, rev=1), PLAZA, 3, NOON_S))) != event_id(first)


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--format", "epcis"], ["--format", "epcis", "--events", str(tmp_path / "none.db")]):
        with pytest.raises(SystemExit) as ended:
            main(["fleet", "export", "--out", str(tmp_path / "out"), *options])
        assert ended.value.code in (1, 2)
    said = capsys.readouterr().err
    assert "give --events" in said and "none.db: cannot be read (No such file" in said


def test_lines_do_not_know_when_they_were_received_and_rubbish_is_no_empty_document(tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(b"rubbish")
    with pytest.raises(FleetError, match="neither a consumer's store nor JSON lines"):
        list(bodies(lines))
    lines.write_bytes(encode_event(flip(1), PLAZA, 1, NOON_S, "s") + b"\n")
    with pytest.raises(FleetError, match="only a consumer's store knows what had been received when"):
        list(bodies(lines, NOON_S))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_is_full_is_said_and_nothing_half_is_left(tmp_path: Path) -> None:
    (tmp_path / ".out.jsonl.new").symlink_to("/dev/full")
    body = encode_event(flip(1), PLAZA, 1, NOON_S, "s")
    with pytest.raises(FleetError, match=r"out\.jsonl: cannot be written \(No space left"):
        write_cloud_events(iter([body] * 100), tmp_path / "out.jsonl")
    assert not list(tmp_path.iterdir())
