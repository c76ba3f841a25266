"""The mends behind the rows of `tagsight bench faults`, each with what takes it back.

`tagsight bench faults --taken-back` copies the source tree, takes one mend back in the copy by replacing
text, and runs that mend's row there: the row has to fail, and to say why. A row that passes proves nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
PRODUCT = ("broker", "contract", "fleet", "runtime", "rfid_reader", "tagsight")
MAX_S = 900.0


class Mend(NamedTuple):
    """What is taken back, in words and as texts to replace; each stands once in the product.

    `says` matches what the row says then; empty where its account alone is wrong.
    """

    row: str
    without: str
    edits: tuple[tuple[str, str], ...]
    says: str


class MendVerdict(NamedTuple):
    """What a row did without its mend."""

    mend: Mend
    noticed: bool
    said: str


_NO_COPY_IS_NOTICED = (
    ("if status.last_seq <= last_seq and not identity.strangers([status.incarnation]):", "if True:"),
    ("if ack.last <= last_seq and", "if True or"),
)
MENDS = (
    Mend(
        "new-disk",
        "the consumer keeps one account for each device, whatever its stream",
        (
            ("stream = StreamId(*origin, envelope.stream)", 'stream = StreamId(*origin, "")'),
            ("stream = StreamId(*origin, status.stream)", 'stream = StreamId(*origin, "")'),
        ),
        "never told that its events have arrived",
    ),
    Mend(
        "restored-image",
        "a status or an acknowledgement of another copy of the outbox is not noticed",
        _NO_COPY_IS_NOTICED,
        "no gap event names|did not arrive|does not tell the image",
    ),
    Mend(
        "restored-cloud",
        "the consumer never asks for what it misses",
        (
            ("if now_s - hole.since_s > hole.wait_s:", "if False:"),
            ("            if prefix < last_seq:", "            if False:"),
        ),
        "lost|did not arrive|misses numbers",
    ),
    Mend(
        "clones",
        "a status or an acknowledgement of another copy of the outbox is not noticed",
        _NO_COPY_IS_NOTICED,
        "of the clone did not arrive|does not tell the clones apart|did not arrive",
    ),
    Mend(
        "forged-ack",
        "an acknowledgement counts for what was never sent, too",
        (("return seq <= known.prefix_end()", "return True"),),
        "did not arrive|never said",
    ),
    Mend(
        "replay-flood",
        "each request for a replay is followed at once, and before what is new",
        (
            (
                "if self._replay_from is None or self._replaying or now_s < self._replay_due_s:",
                "if self._replay_from is None:",
            ),
            ("if self._replaying and from_seq >= self._cursor:", "if False:"),
            ("self._live_start = self._live_cursor = max(frontier, self._cursor)", "self._live_start = None"),
        ),
        "new events (do not come|came) through",
    ),
    Mend(
        "fork-fails",
        "a process that cannot be started is no reason to try again",
        (("except (RingError, ForkServerError, OSError) as error:", "except RingError as error:"),),
        "the daemon ended|did not come back",
    ),
    Mend(
        "outbox-unlinked",
        "the writer does not look whether its files are still there",
        (("self.disk.put_files_back()", "pass"),),
        "no outbox that goes on takes the place",
    ),
    Mend(
        "consumer-older",
        "the consumer stores only the kinds that it knows",
        (("elif leaf not in FROM_THE_CLOUD:", 'elif leaf in ("visit", "footfall", "health", "gap"):'),),
        "never acknowledged|there are",
    ),
    Mend(
        "consumer-older",
        "an event that cannot be read spoils its batch",
        (("self._put_aside(origin, body, error, counts=not retained)", "raise"),),
        "a bad event in a batch",
    ),
    Mend(
        "consumer-older",
        "an id that another device has used is no new event",
        (
            (
                "    PRIMARY KEY (site, device, id)\n) WITHOUT ROWID;\nINSERT",
                "    PRIMARY KEY (id)\n) WITHOUT ROWID;\nINSERT",
            ),
            ("        if not is_new:\n", "        if not is_new:\n            return False\n"),
        ),
        "never acknowledged",
    ),
    Mend(
        "ack-before-commit",
        "the consumer acknowledges first and commits then",
        (
            ("touched = self._store.commit()", "touched = list(self._store._touched)"),
            (
                "self._ask_for_holes(link)\n\n    def",
                "self._ask_for_holes(link)\n        self._store.commit()\n\n    def",
            ),
        ),
        "were acknowledged, .* are on its disk",
    ),
    Mend(
        "two-daemons",
        "the supervisor takes no lock on its state folder",
        (("fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),),
        "a second daemon",
    ),
    Mend(
        "huge-message",
        "with MQTT 3.1.1 a message is collected whole before its size is looked at",
        (("self._client.limit_packets(PacketLimit(max_bytes, self._is_v5))", "pass"),),
        "the uplink grew by",
    ),
    Mend(
        "big-reload",
        "the supervisor waits while the configuration is read",
        (
            (
                "self._reader = ConfigReader(self._path)\n",
                "self._reader = ConfigReader(self._path)\n            self._reader._process.wait()\n",
            ),
        ),
        "the watchdog received nothing",
    ),
    Mend(
        "epc-flood",
        "a tag keeps its place for ever, and the first to come has it",
        (
            (
                "gone = self._give_way(need, admitted, now_s) if need > 0 else np.zeros(0, np.int64)",
                "gone = np.zeros(0, np.int64)",
            ),
            ("if self._first_reads.again(epc, now_s) or count > 1:", "if count:"),
        ),
        "it was not seen: .*coats",
    ),
    Mend(
        "state-read-only",
        "a state folder that cannot be used ends the daemon",
        (
            (
                "except StateTakenError:\n            raise\n        except StateError as error:",
                "except StateTakenError as error:",
            ),
        ),
        "the daemon ended|never said",
    ),
    Mend(
        "outbox-newer",
        "the version of an outbox is not looked at",
        (("if version > len(steps):", "if False:"),),
        "newer|wrote into",
    ),
    Mend(
        "outbox-newer",
        "systemd is told READY whatever is kept",
        (
            (
                "if not self._ready and settled and not wrong and is_writing(healths):",
                "if not self._ready and settled:",
            ),
        ),
        "told systemd that it was ready",
    ),
    Mend(
        "secret-in-uri",
        "parameters of a query or a path are shown",
        (
            (
                "return _without(text, [*_logins(text), *_values(text)])",
                "return _without(text, [*_logins(text)])",
            ),
        ),
        "has it|it stands in|shows it",
    ),
    Mend(
        "clock-steps",
        "events go out in the order of their ids, which carry the clock, not of their numbers",
        (
            (
                " WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?",
                " WHERE seq >= ? AND seq < ? ORDER BY json_extract(body, '$.id') LIMIT ?",
            ),
        ),
        "",
    ),
    Mend(
        "clock-years-off",
        "nothing begins anew on the new time",
        (("self._restart_all(offset_s)", "pass"),),
        "never said /the wall clock was set",
    ),
)


def places(text: str, root: Path = ROOT) -> list[Path]:
    """Where a text stands in the product, a path for each time."""
    files = (file for part in PRODUCT for file in sorted((root / part).rglob("*.py")))
    return [file for file in files for _ in range(file.read_text().count(text))]


def take_back(mend: Mend) -> MendVerdict:
    """Run the mend's row in a copy of the source tree that has not got it."""
    with tempfile.TemporaryDirectory(prefix="tagsight-mend-") as name:
        copy = Path(name)
        for package in ROOT.glob("*/__init__.py"):
            part = package.parent
            shutil.copytree(part, copy / part.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for old, new in mend.edits:
            (file,) = places(old, copy)
            file.write_text(file.read_text().replace(old, new))
        return _verdict(mend, _run(mend.row, copy))


def _run(row: str, folder: Path) -> str:
    """What the row prints as JSON."""
    command = [sys.executable, "-m", "runtime", "bench", "faults", "--rows", row, "--quick", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=MAX_S,
        check=False,
    ).stdout


def _verdict(mend: Mend, printed: str) -> MendVerdict:
    try:
        (row,) = json.loads(printed)
    except ValueError:
        return MendVerdict(mend, False, "the row did not run")
    account = ", ".join(
        f"{count:,} {name.replace('_', ' ')}"
        for name, count in row["account"].items()
        if count and name in ("lost", "kept_twice", "seq_twice", "out_of_order")
    )
    said = row["said"] if row["failed"] or not account else account
    right = re.search(mend.says, said) is not None if mend.says else bool(account)
    return MendVerdict(mend, not row["passed"] and right and row["times"] > 0, said.removeprefix("FAILED: "))


def table(verdicts: Sequence[MendVerdict]) -> str:
    """The verdicts as Markdown."""
    lines = ["| row | taken back | the row | it said |", "| --- | --- | --- | --- |"]
    for mend, noticed, said in verdicts:
        told = " ".join(said.replace("|", "/").split())
        lines.append(f"| {mend.row} | {mend.without} | {'fails' if noticed else 'PASSES'} | {told} |")
    return "\n".join(lines)
