"""Hostile input for the parsers that face a file or the network: config, payloads, control, outbox.

A parser may take an input or refuse it with its own error; anything else, and anything that takes longer than
`LIMIT_S` of CPU time, is a finding. Inputs are sound ones with a few mutations: bits, cuts, repeats, and
tokens that break parsers. LLRP has its own: `tagsight bench llrp`.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.reliability.fuzz.targets import Target, open_targets

LIMIT_S = 5.0
FINDINGS_KEPT = 20
MAX_MUTATIONS = 4
TOKENS = (
    *(b"0", b"-1", b"1e308", b"-1e400", b"9007199254740993", b"18446744073709551616", b"9" * 5_000, b"NaN"),
    *(b"null", b"true", b"{}", b"[]", b'""', b"[" * 3_000, b'{"a":' * 3_000, b"\x00", b"\xff\xfe", b"\xc3"),
    *(
        b'"\\ud800"',
        b'"\\u0000"',
        b"\xf0\x9f\x91\x95",
        b"../../etc/passwd",
        b"%s%n",
        b"'; DROP TABLE events;--",
    ),
    *(b"&a [*a, *a]", b"!!python/object:os.system", b"<<: *a", b"\t", b": ", b"- ", b"|\n", b"2024-99-99"),
)


class FuzzFinding(msgspec.Struct, frozen=True):
    """An input that a parser could not cope with, and how it failed."""

    target: str
    data: bytes
    trace: str


class FuzzReport(msgspec.Struct, frozen=True):
    """One target's run."""

    target: str
    inputs: int
    taken: int
    refused: int
    slowest_ms: float
    findings: tuple[FuzzFinding, ...]


class TooSlow(BaseException):
    """An input took more than LIMIT_S of CPU time."""


def mutated(seeds: list[bytes], chance: random.Random) -> bytes:
    """A sound input with one to MAX_MUTATIONS changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, MAX_MUTATIONS)):
        at = chance.randrange(len(data) + 1)
        length = min(chance.choice((1, 1, 2, 4, 16, 200)), len(data) - at)
        way = chance.randrange(6)
        if way == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del data[at : at + length]
        elif way == 2:
            data[at:at] = data[at : at + length] * chance.choice((1, 2, 50))
        elif way == 3:
            data[at : at + length] = chance.choice(TOKENS)
        elif way == 4:
            data[at : at + length] = chance.randbytes(length)
        else:
            _replace_a_value(data, chance)
    return bytes(data)


def _replace_a_value(data: bytearray, chance: random.Random) -> None:
    """Put a token in the place of what stands between two separators."""
    marks = [at for at, byte in enumerate(data[:200_000]) if byte in b":,[{\n"]
    if not marks:
        return
    start = chance.choice(marks) + 1
    end = next((at for at in range(start, len(data)) if data[at] in b",]}\n"), len(data))
    data[start:end] = b" " + chance.choice(TOKENS)


@contextmanager
def limited(limit_s: float) -> Iterator[None]:
    """Raises TooSlow in the main thread where the body uses more CPU time than that."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {limit_s:.0f} s of CPU time")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def thread_faults() -> Iterator[list[str]]:
    """Traces of the exceptions that ended a thread in the body."""
    traces: list[str] = []
    before = threading.excepthook

    def note(fault: threading.ExceptHookArgs) -> None:
        traces.append(
            "".join(traceback.format_exception(fault.exc_type, fault.exc_value, fault.exc_traceback))
        )

    threading.excepthook = note
    try:
        yield traces
    finally:
        threading.excepthook = before


def fuzz_target(name: str, target: Target, seconds: float, seed: int) -> FuzzReport:
    """Give a parser mutated inputs for so long."""
    chance = random.Random(seed)
    findings: list[FuzzFinding] = []
    verdicts = {True: 0, False: 0}
    slowest_s = 0.0
    inputs = 0
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s and len(findings) < FINDINGS_KEPT:
        data = mutated(target.seeds, chance)
        inputs += 1
        began_s = time.process_time()
        with thread_faults() as traces:
            try:
                with limited(LIMIT_S):
                    verdicts[target.attempt(data)] += 1
            except (Exception, TooSlow):  # noqa: BLE001 - whatever it is, it is a finding
                traces.append(traceback.format_exc())
        slowest_s = max(slowest_s, time.process_time() - began_s)
        findings += [FuzzFinding(name, data, trace) for trace in traces]
    slowest_ms = round(slowest_s * 1e3, 1)
    return FuzzReport(name, inputs, verdicts[True], verdicts[False], slowest_ms, tuple(findings))


def _save(folder: Path, finding: FuzzFinding, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{finding.target}-{number}.input").write_bytes(finding.data)
    (folder / f"{finding.target}-{number}.trace").write_text(finding.trace)


@click.command()
@click.option(
    "--seconds", default=60.0, show_default=True, type=click.FloatRange(0.1), help="For each parser."
)
@click.option("--target", "names", multiple=True, help="Only this parser; repeatable.")
@click.option("--seed", default=0, show_default=True, help="Where chance begins.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("fuzz-findings"),
    show_default=True,
    help="Folder for inputs that a parser could not cope with.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def fuzz(seconds: float, names: tuple[str, ...], seed: int, out: Path, as_json: bool) -> None:
    """Give mutated input to the parsers of config, payloads, control messages and outbox files.

    \b
    Example:
      tagsight bench fuzz --seconds 300 --target config
    """
    with open_targets() as targets:
        unknown = sorted(set(names) - set(targets))
        if unknown:
            raise click.UsageError(f"no such target: {', '.join(unknown)}; there are {', '.join(targets)}")
        reports = [fuzz_target(name, targets[name], seconds, seed) for name in names or targets]
    findings = [finding for report in reports for finding in report.findings]
    for number, finding in enumerate(findings):
        _save(out, finding, number)
    if as_json:
        rows = [{**msgspec.structs.asdict(one), "findings": len(one.findings)} for one in reports]
        click.echo(json.dumps(rows, indent=2))
    else:
        table = Table("parser", "inputs", "taken", "refused", "slowest", "findings")
        for one in reports:
            slowest = f"{one.slowest_ms:.0f} ms"
            table.add_row(
                one.target,
                f"{one.inputs:,}",
                f"{one.taken:,}",
                f"{one.refused:,}",
                slowest,
                str(len(one.findings)),
            )
        Console().print(table)
    if findings:
        click.echo(f"{len(findings)} findings in {out}", err=True)
        sys.exit(1)
