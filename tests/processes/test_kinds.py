"""A kind of process is declared once; what the supervisor does with it follows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from rfid_reader.session.health import ReaderHealth
from runtime.config import StoreConfig, load
from runtime.frames.sources import SourceState
from runtime.messages import HealthState
from runtime.processes.kinds import KINDS, Kind, SendsTo, kind_of, ranked
from runtime.processes.spec import Spec
from runtime.supervisor.topology import ProcessLink, plan_links, plan_processes, preloaded_modules, stop_order

CLOCK = (1_795_320_000.0, 12.5)


class DoorSpec(Spec, frozen=True):
    LIVE = frozenset({"volume"})

    name: str
    volume: float = 1.0


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> DoorSpec:
    return DoorSpec(name, clock=clock)


DOOR = Kind(
    ModuleType("runtime.processes.door"),
    spec_of,
    (SendsTo("store"),),
    instances=lambda config: [entrance.name for entrance in config.entrances],
    preload=True,
)
"""A counter at each entrance that sends the store records: one declaration."""


@pytest.fixture
def plaza(repo: Path) -> StoreConfig:
    return load(repo / "runtime" / "demo" / "plaza.yaml", clips_needed=False)


def test_a_new_kind_takes_one_declaration(plaza: StoreConfig) -> None:
    kinds = (DOOR, *KINDS)
    plans = plan_processes(plaza, CLOCK, kinds)
    doors = [plan.name for plan in plans if plan.kind is DOOR]
    assert doors == [f"door:{entrance.name}" for entrance in plaza.entrances]
    names = [plan.name for plan in plans]
    assert names.index("store") < names.index(doors[0]), "who listens starts first"
    assert ProcessLink(doors[0], "records", "store", "store", "records", doors[0]) in plan_links(plans)
    order = stop_order(kinds)
    rank = {name: place for place, names in enumerate(order) for name in names}
    assert rank["camera"] < rank["vision"] < rank["store"] < rank["uplink"]
    assert rank["door"] < rank["store"], "sources stop first"
    assert "runtime.processes.door" in preloaded_modules(kinds)


def test_every_pair_of_our_kinds_is_linked_as_both_ends_expect(plaza: StoreConfig) -> None:
    links = {(link.here, link.there): link for link in plan_links(plan_processes(plaza, CLOCK))}
    camera, reader = f"camera:{plaza.cameras[0].name}", f"reader:{plaza.readers[0].name}"
    assert links.keys() >= {("store", "uplink"), ("vision", "store"), (camera, "vision"), (reader, "store")}
    link = links[camera, "vision"]
    assert (link.here_role, link.here_peer) == ("frames", "vision")
    assert (link.there_role, link.there_peer) == ("camera", plaza.cameras[0].name)


def test_a_store_without_cameras_has_no_vision(plaza: StoreConfig) -> None:
    without = msgspec.structs.replace(plaza, cameras=[])
    assert not {"vision", "camera"} & {plan.kind.name for plan in plan_processes(without, CLOCK)}


def test_each_kind_has_a_module_with_a_main() -> None:
    assert [kind.name for rank in ranked() for kind in rank] == [
        "uplink", "console", "home_assistant", "metrics", "store", "vision", "reader", "camera",
    ]  # fmt: skip
    assert all(callable(kind.module.main) for kind in KINDS)


def test_a_spec_tells_what_can_change_while_its_process_runs() -> None:
    spec = DoorSpec("north", clock=CLOCK)
    louder = msgspec.structs.replace(spec, volume=2.0, clock=(0.0, 0.0))
    assert spec.fixed() == louder.fixed()
    assert spec.fixed() != msgspec.structs.replace(spec, name="south").fixed()


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_what_a_process_does_not_need_leaves_its_spec_as_it_is(plaza: StoreConfig, kind: str) -> None:
    """A secret or an address goes to nobody but the process that uses it, and restarts nobody else."""
    plaza = msgspec.structs.replace(plaza, console=replace_all(plaza.console, enabled=True))
    changed = {
        "camera": {
            "cameras": [replace_all(one, uri="other.mp4", password_file=Path("/p")) for one in plaza.cameras]
        },
        "reader": {"readers": [replace_all(one, host="192.0.2.7") for one in plaza.readers]},
        "uplink": {"uplink": replace_all(plaza.uplink, host="192.0.2.8")},
        "vision": {"engines": replace_all(plaza.engines, threads=3)},
        "store": {"retention": replace_all(plaza.retention, visitor_hours=3.0)},
        "console": {"console": replace_all(plaza.console, enabled=True, port=8_481)},
    }
    for owner, sections in changed.items():
        other = msgspec.structs.replace(plaza, **sections)
        same = specs_of(plaza, kind) == specs_of(other, kind)
        assert same == (owner != kind), owner


def replace_all(section: msgspec.Struct, **values: object) -> msgspec.Struct:
    return msgspec.structs.replace(section, **values)


def specs_of(config: StoreConfig, kind: str) -> list[Spec]:
    return [plan.spec for plan in plan_processes(config, CLOCK) if plan.kind is kind_of(kind)]


def test_every_state_of_a_source_and_of_a_reader_is_one_of_health() -> None:
    assert {state.value for state in SourceState} <= {state.value for state in HealthState}
    for state in ("connecting", "configuring", "reading", "waiting", "stopped"):
        assert replace(ReaderHealth(), state=HealthState(state)).state == state


def test_a_state_reads_as_its_word_wherever_it_is_written() -> None:
    assert f"{HealthState.NO_OUTBOX} {HealthState.LIVE!s}" == "no outbox live"
    assert msgspec.json.encode(HealthState.WRONG_PASSWORD) == b'"wrong password"'
    assert repr(HealthState.LIVE) == "'live'"
