from __future__ import annotations

import msgspec
import pytest

from contract.facts import FACT_TYPES, AnyFact, Attributes, Coverage, Footfall
from contract.people import LEAST_PERSONS, tellable


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
        "footfall", "visit", "dwell", "flow", "heatmap", "occupancy", "flip", "interaction", "tryon",
        "inventory", "attributes", "store", "health",
    }  # fmt: skip
    assert footfall().kind == "footfall"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"kind":"face","key":"x","time_s":1}', type=AnyFact)


def attributes(counts: dict[str, int]) -> Attributes:
    return Attributes(
        key="k", time_s=1.0, entrance="door", start_s=0.0, end_s=1.0, attribute="age_group", counts=counts
    )


def test_an_attribute_of_few_persons_cannot_even_be_made_or_read() -> None:
    assert attributes({"adult": LEAST_PERSONS}).counts == {"adult": LEAST_PERSONS}
    with pytest.raises(ValueError, match="fewer than 20 persons are not told"):
        attributes({"adult": 200, "child": LEAST_PERSONS - 1})
    told = msgspec.json.encode(attributes({"adult": 20})).replace(b'"adult":20', b'"adult":19')
    with pytest.raises(msgspec.ValidationError, match="fewer than 20"):
        msgspec.json.decode(told, type=AnyFact)


@pytest.mark.parametrize(
    ("counts", "unjudged", "told", "untold"),
    [
        ({"adult": 212, "child": 31}, 9, {"adult": 212, "child": 31}, 9),
        ({"adult": 212, "child": 31, "baby": 3}, 0, {"adult": 212}, 34),  # 3 alone could be told from a total
        ({"adult": 19}, 4, {}, 23),
        ({"a": 50, "b": 12, "c": 8}, 0, {"a": 50}, 20),
        ({}, 0, {}, 0),
    ],
)
def test_classes_of_few_are_hidden_among_others(
    counts: dict[str, int], unjudged: int, told: dict[str, int], untold: int
) -> None:
    assert tellable(counts, unjudged) == (told, untold)
