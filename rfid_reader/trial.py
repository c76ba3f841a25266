"""A recording of a shop with notes of what really happened: which garment was taken when, and who was near.

A person at the terminal is led through the parts and presses Enter as things happen; one clock, that of this
machine, stamps reads and notes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rfid_reader.errors import ReaderError
from rfid_reader.reads import CaptureFile, ReadTable

KINDS = {"t": "turned", "c": "carried", "r": "rehung"}
LEAST_DIGITS = 3


@dataclass(frozen=True)
class Part:
    """One part of the trial: what people do, and whether garments are taken and noted in it."""

    number: int
    what: str
    noted: bool = False


PARTS = (
    Part(1, "Nobody near the racks, for ten minutes (one at least)."),
    Part(2, "People walk by, stand before racks, point and reach, and touch nothing, for ten minutes."),
    Part(3, "Garments are taken one by one, each noted here.", noted=True),
    Part(4, "Hands push garments along the rails and take none, for ten minutes."),
    Part(5, "Two people choose as customers do; a third notes here which garments they take.", noted=True),
)


class TrialFiles:
    """The read table, the quiet part of it, and the notes beside it. `take` may be called from another
    thread."""

    def __init__(self, out: Path, table: CaptureFile) -> None:
        self.quiet_path = out.with_name(f"{out.stem}.quiet{out.suffix}")
        self.truth_path = out.with_name(f"{out.stem}.truth.jsonl")
        self.parts_path = out.with_name(f"{out.stem}.parts.jsonl")
        self._table = table
        self._quiet = CaptureFile(self.quiet_path)
        self._within = False
        self.epcs: set[str] = set()

    def __enter__(self) -> TrialFiles:
        self._quiet.__enter__()
        for path in (self.truth_path, self.parts_path):
            path.write_text("", encoding="utf-8")
        return self

    def __exit__(self, *exception: object) -> None:
        self._within = False
        self._quiet.__exit__(*exception)

    def take(self, reads: ReadTable) -> None:
        """Keep reads; those of the first part also apart."""
        self._table.write(reads)
        self.epcs.update(reads.epc.tolist())
        if self._within:
            self._quiet.write(reads)

    def begin(self, part: Part) -> None:
        self._within = part.number == 1

    def end(self, part: Part, start_s: float, people: int) -> None:
        self._within = False
        self._note(
            self.parts_path, {"part": part.number, "start_s": start_s, "end_s": time.time(), "people": people}
        )

    def handled(self, epc: str, kind: str, start_s: float) -> None:
        self._note(self.truth_path, {"epc": epc, "kind": kind, "start_s": start_s, "end_s": time.time()})

    @staticmethod
    def _note(path: Path, note: dict[str, object]) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(note) + "\n")
        except OSError as error:
            raise ReaderError(f"{path}: cannot be written: {error.strerror}") from None


def hold_trial(files: TrialFiles, ask: Callable[[str], str], say: Callable[[str], None]) -> dict[str, int]:
    """Lead a person through PARTS; returns how many garments were noted and parts ended. ask: shows a prompt
    and returns what was typed."""
    noted = ended = 0
    for part in PARTS:
        say(f"Part {part.number} of {len(PARTS)}: {part.what}")
        if ask("Enter to begin, n to leave it out: ").strip().lower() == "n":
            continue
        start_s = time.time()
        files.begin(part)
        if part.noted:
            noted += _note_garments(files, ask, say)
        else:
            ask("Enter when it is over: ")
        people = 0 if part.number == 1 else _number(ask("How many people were near? "))
        files.end(part, start_s, people)
        ended += 1
    return {"garments": noted, "parts": ended}


def _note_garments(files: TrialFiles, ask: Callable[[str], str], say: Callable[[str], None]) -> int:
    noted = 0
    while digits := ask("Last digits of the garment's EPC, Enter alone to end this part: ").strip().lower():
        chosen = [epc for epc in sorted(files.epcs) if epc.endswith(digits)]
        if len(digits) < LEAST_DIGITS or len(chosen) != 1:
            say(f"{len(chosen)} tags so far end in {digits!r}; {LEAST_DIGITS} digits or more of one would do")
            continue
        answer = ask("[t]urned over, [c]arried and back, [r]ehung elsewhere (t): ").strip().lower()
        kind = KINDS.get(answer[:1] or "t")
        if kind is None:
            say("t, c or r would be right")
            continue
        ask("Enter when it is taken: ")
        start_s = time.time()
        ask("Enter when it hangs again: ")
        files.handled(chosen[0], kind, start_s)
        noted += 1
    return noted


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0
