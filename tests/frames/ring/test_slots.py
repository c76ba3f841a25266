from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.frames.ring.slots import LedgerError, SlotLedger


def filled(ledger: SlotLedger) -> int:
    slot = ledger.take()
    assert slot is not None
    return slot


def test_a_slot_is_free_again_when_every_reader_has_answered() -> None:
    ledger = SlotLedger(2)
    slot = filled(ledger)
    ledger.lend(slot, 5, ["vision", "recorder"])
    assert not ledger.give_back("vision", slot, 5)
    assert ledger.free == 1
    assert ledger.give_back("recorder", slot, 5)
    assert ledger.free == 2


def test_a_slot_nobody_was_told_of_is_free_at_once() -> None:
    ledger = SlotLedger(2)
    ledger.lend(filled(ledger), 1, [])
    assert ledger.free == 2


def test_no_slot_is_left_when_all_are_lent() -> None:
    ledger = SlotLedger(2)
    for sequence in (1, 2):
        ledger.lend(filled(ledger), sequence, ["vision"])
    assert ledger.take() is None


def test_slots_of_a_dead_reader_come_back_unless_another_holds_them() -> None:
    ledger = SlotLedger(3)
    first, second = filled(ledger), filled(ledger)
    ledger.lend(first, 1, ["vision", "recorder"])
    ledger.lend(second, 2, ["vision"])
    assert ledger.forget("vision") == (second,)
    assert ledger.held_by("recorder") == (first,)


def test_a_reader_may_hold_only_its_share() -> None:
    ledger = SlotLedger(4, lent_max=2)
    for sequence in (1, 2):
        assert ledger.may_lend_to("vision")
        ledger.lend(filled(ledger), sequence, ["vision"])
    assert not ledger.may_lend_to("vision")
    assert ledger.may_lend_to("recorder")


@pytest.mark.parametrize(
    ("reader", "slot", "sequence"),
    [("other", 0, 1), ("vision", 1, 1), ("vision", 0, 2), ("vision", 9, 1), ("vision", -1, 1)],
    ids=["not its reader", "not its slot", "not its frame", "no such slot", "negative slot"],
)
def test_an_answer_that_does_not_match_is_refused(reader: str, slot: int, sequence: int) -> None:
    ledger = SlotLedger(2)
    ledger.lend(filled(ledger), 1, ["vision"])
    with pytest.raises(LedgerError, match="does not hold"):
        ledger.give_back(reader, slot, sequence)
    assert ledger.held_by("vision") == (0,)


def test_a_slot_cannot_be_lent_twice_or_unfilled() -> None:
    ledger = SlotLedger(2)
    with pytest.raises(LedgerError, match="slot 0 is free"):
        ledger.lend(0, 1, ["vision"])
    ledger.lend(filled(ledger), 1, ["vision"])
    with pytest.raises(LedgerError, match="slot 0 is lent"):
        ledger.put_back(0)


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "lend", "put back", "give back", "forget"]), st.integers(0, 7)),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_no_slot_is_ever_lost_or_held_twice(steps: list[tuple[str, int]]) -> None:
    ledger, filling, lent, sequence = SlotLedger(4), [], [], 0
    readers = ["a", "b"]
    for step, choice in steps:
        if step == "take" and (slot := ledger.take()) is not None:
            assert slot not in filling and all(slot != held for held, _, _ in lent)
            filling.append(slot)
        elif step == "lend" and filling:
            sequence += 1
            slot = filling.pop(choice % len(filling))
            told = readers[: choice % 3]
            ledger.lend(slot, sequence, told)
            lent += [(slot, sequence, reader) for reader in told]
        elif step == "put back" and filling:
            ledger.put_back(filling.pop())
        elif step == "give back" and lent:
            slot, number, reader = lent.pop(choice % len(lent))
            ledger.give_back(reader, slot, number)
        elif step == "forget":
            gone = readers[choice % 2]
            ledger.forget(gone)
            lent = [entry for entry in lent if entry[2] != gone]
        assert ledger.free == 4 - len(filling) - len({slot for slot, _, _ in lent})
