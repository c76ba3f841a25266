from __future__ import annotations

import msgspec
import pytest

from contract.facts import FACT_TYPES, AnyFact, Coverage, Footfall


def footfall() -> Footfall:
    return Footfall(
        key="footfall:door:0",
        time_s=60.0,
        entrance="door",
        start_s=0.0,
        end_s=60.0,
        entered=3,
        left=1,
        coverage=(Coverage("cam", 9.8, 0.5),),
    )


def test_a_fact_survives_the_wire_with_its_kind() -> None:
    data = msgspec.json.encode(footfall())
    assert b'"kind":"footfall"' in data
    assert msgspec.json.decode(data, type=AnyFact) == footfall()


def test_a_correction_keeps_the_key_and_raises_the_revision() -> None:
    corrected = msgspec.structs.replace(footfall(), entered=2, rev=1)
    assert corrected.key == footfall().key
    assert (corrected.rev, corrected.entered) == (1, 2)


def test_every_fact_has_the_kind_of_its_topic() -> None:
    kinds = {str(fact.__struct_config__.tag) for fact in FACT_TYPES}
    assert kinds == {
        "footfall", "visit", "dwell", "flow", "heatmap", "flip", "interaction", "tryon", "health",
    }  # fmt: skip
    assert footfall().kind == "footfall"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"kind":"face","key":"x","time_s":1}', type=AnyFact)
