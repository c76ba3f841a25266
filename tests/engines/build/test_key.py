"""The key of an engine: changes with everything that a plan depends on, and with nothing else."""

from __future__ import annotations

import msgspec
import pytest

from engines.build.key import KeyParts, Machine, Options

MACHINE = Machine(
    flavour="tensorrt",
    tensorrt="10.3.0",
    cuda="12.6",
    driver="540.4.0",
    l4t="R36 (release), REVISION: 4.3",
    device="Orin",
    sm=87,
    multiprocessors=8,
)
PARTS = KeyParts(onnx_sha256="a" * 64, machine=MACHINE, options=Options(size_wh=(416, 320)), flags=("FP16",))

CHANGES = [
    ({"onnx_sha256": "b" * 64}, "the network: aaaaaaaaaaaa then, bbbbbbbbbbbb now"),
    ({"quantised_sha256": "b" * 64}, "the 8-bit network: none then, bbbbbbbbbbbb now"),
    ({"flags": ("FP16", "INT8")}, "flags: FP16 then, FP16, INT8 now"),
    ({"schema": 99}, "the builder: 1 then, 99 now"),
    ({"machine": {"flavour": "tensorrt_rtx"}}, "the library: tensorrt then, tensorrt_rtx now"),
    ({"machine": {"tensorrt": "10.3.1"}}, "its version: 10.3.0 then, 10.3.1 now"),
    ({"machine": {"cuda": "12.9"}}, "CUDA: 12.6 then, 12.9 now"),
    ({"machine": {"driver": "540.5.0"}}, "the driver: 540.4.0 then, 540.5.0 now"),
    ({"machine": {"l4t": ""}}, "none now"),
    ({"machine": {"device": "Thor"}}, "the device: Orin then, Thor now"),
    ({"machine": {"sm": 110}}, "compute capability: 87 then, 110 now"),
    ({"machine": {"multiprocessors": 16}}, "multiprocessors: 8 then, 16 now"),
    ({"options": {"precision": "int8"}}, "precision: fp16 then, int8 now"),
    ({"options": {"size_wh": (416, 256)}}, "the input: (416, 320) then, (416, 256) now"),
    ({"options": {"buckets": (1, 4)}}, "the batch sizes: (1, 2, 4, 8, 16) then, (1, 4) now"),
    ({"options": {"workspace_mib": 512}}, "workspace in MiB: 1024 then, 512 now"),
    ({"options": {"level": 5}}, "optimisation level: 3 then, 5 now"),
    ({"options": {"dla_core": 0}}, "the DLA core: none then, 0 now"),
]


def changed(changes: dict) -> KeyParts:
    flat = {
        name: msgspec.structs.replace(getattr(PARTS, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return msgspec.structs.replace(PARTS, **flat)


@pytest.mark.parametrize(("changes", "said"), CHANGES, ids=[said for _, said in CHANGES])
def test_whatever_a_plan_depends_on_changes_the_key_and_is_named(changes: dict, said: str) -> None:
    other = changed(changes)
    assert other.key() != PARTS.key()
    (difference,) = PARTS.differences(other)
    assert said in difference


def test_every_part_is_tried_above() -> None:
    tried = {name for changes, _ in CHANGES for name in changes if not isinstance(changes[name], dict)}
    for changes, _ in CHANGES:
        tried |= {inner for value in changes.values() if isinstance(value, dict) for inner in value}
    fields = {*KeyParts.__struct_fields__, *Machine.__struct_fields__, *Options.__struct_fields__}
    assert tried == fields - {"machine", "options"}


def test_the_same_parts_give_the_same_key_in_another_process() -> None:
    again = msgspec.json.decode(msgspec.json.encode(PARTS), type=KeyParts)
    assert again.key() == PARTS.key()
    assert PARTS.differences(again) == []
    assert len(PARTS.key()) == 32
