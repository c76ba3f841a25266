"""Who holds which slot of a ring: the writer's ledger.

Pure book-keeping. A slot is free, being filled, or lent to the readers that were told of it; it is free
again when each of them has answered or died.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from runtime.frames.errors import FrameError


class LedgerError(FrameError):
    """A slot was returned by somebody who does not hold it, or used against its state."""


class _State(Enum):
    FREE = "free"
    FILLING = "being filled"
    LENT = "lent"


class SlotLedger:
    """Ownership of `slots` slots; no reader ever holds more than `lent_max` of them.

    The writer keeps `slots - lent_max` slots to itself, so that a reader that never answers cannot stop it.
    """

    def __init__(self, slots: int, lent_max: int | None = None) -> None:
        self.slots = slots
        self.lent_max = max(1, slots - 2) if lent_max is None else lent_max
        self._states = [_State.FREE] * slots
        self._sequences = [0] * slots
        self._holders: list[set[str]] = [set() for _ in range(slots)]

    @property
    def free(self) -> int:
        """How many slots nobody holds."""
        return self._states.count(_State.FREE)

    def held_by(self, reader: str) -> tuple[int, ...]:
        """The slots lent to `reader`, lowest first."""
        return tuple(slot for slot, holders in enumerate(self._holders) if reader in holders)

    def take(self) -> int | None:
        """A free slot for the writer to fill, or None."""
        for slot, state in enumerate(self._states):
            if state is _State.FREE:
                self._states[slot] = _State.FILLING
                return slot
        return None

    def put_back(self, slot: int) -> None:
        """The writer gives up a slot it was filling. Raises LedgerError where it was not."""
        self._expect(slot, _State.FILLING)
        self._states[slot] = _State.FREE

    def may_lend_to(self, reader: str) -> bool:
        """Whether `reader` holds fewer than `lent_max` slots."""
        return sum(reader in holders for holders in self._holders) < self.lent_max

    def lend(self, slot: int, sequence: int, readers: Iterable[str]) -> None:
        """Frame `sequence` in `slot` now belongs to `readers`; with none of them the slot is free again.

        Raises LedgerError where the writer was not filling that slot.
        """
        self._expect(slot, _State.FILLING)
        self._holders[slot] = set(readers)
        self._sequences[slot] = sequence
        self._states[slot] = _State.LENT if self._holders[slot] else _State.FREE

    def give_back(self, reader: str, slot: int, sequence: int) -> bool:
        """`reader` is done with frame `sequence` in `slot`; True where that made the slot free.

        Raises LedgerError where the reader does not hold that frame.
        """
        held = 0 <= slot < self.slots and reader in self._holders[slot]
        if not held or self._sequences[slot] != sequence:
            raise LedgerError(
                f"reader {reader} returned slot {slot} with frame {sequence}, which it does not hold"
            )
        return self._release(reader, slot)

    def forget(self, reader: str) -> tuple[int, ...]:
        """`reader` is gone: its slots come back. Returns those that became free."""
        return tuple(slot for slot in self.held_by(reader) if self._release(reader, slot))

    def _release(self, reader: str, slot: int) -> bool:
        self._holders[slot].discard(reader)
        if self._holders[slot]:
            return False
        self._states[slot] = _State.FREE
        return True

    def _expect(self, slot: int, state: _State) -> None:
        if not 0 <= slot < self.slots or self._states[slot] is not state:
            actual = self._states[slot].value if 0 <= slot < self.slots else "not in the ring"
            raise LedgerError(f"slot {slot} is {actual}, not {state.value}")
