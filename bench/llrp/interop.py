"""`tagsight bench interop`: other people's LLRP programs against ours, over TCP on this machine.

Three clients (llrpkit, sllurp's own, pyllrp) read from our simulated reader; every read carries a number from
which its antenna, RSSI and phase follow, so what they say is compared with what was sent. Our session reads
from llrpkit's emulator. tshark looks at a recording of our session with our simulated reader. What is not on
this machine says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.llrp.dissector import dissect
from bench.llrp.numbered_source import NumberedSource, antenna_of, number_of, phase_rad_of, rssi_dbm_of
from bench.llrp.relay import RecordingRelay
from bench.llrp.tools import peers_python, tshark
from rfid_reader.reads import ReadTable
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import ReaderSettings
from rfid_reader.simulator.llrp.server import SimulatedReader
from tagsight.errors import TagsightError

SCRIPTS = Path(__file__).parent / "peers"
CLIENTS = {
    "llrpkit 0.3.0": "llrpkit_client.py",
    "sllurp 3.0.5, its own client": "sllurp_client.py",
    "pyllrp 3.1.1, bitstring < 5": "pyllrp_client.py",
}
RATE_HZ = 200.0
LIMIT_S = 120.0
"""For an interpreter to start and end beside other work."""
EMULATOR_TAGS = 12
PLAIN_COLUMNS = 120


@dataclass(frozen=True)
class InteropRun:
    """One peer with ours. state: "passed", "failed" or "not run"; said: the figures, or why not."""

    peer: str
    state: str
    said: str


def _wrong_values(reads: list[tuple[str, int | None, float | None, float | None]]) -> int:
    """How many reads say another antenna, RSSI or phase than was sent, or none."""
    number = np.array([number_of(epc) for epc, *_ in reads], np.int64)
    said = np.array([row[1:] for row in reads], np.float64).reshape(-1, 3)
    sent = np.stack([antenna_of(number), rssi_dbm_of(number), phase_rad_of(number)], axis=1)
    return int((~np.isclose(said, sent, atol=1e-3)).any(axis=1).sum())


def client_meets_simulator(peer: str, seconds: float) -> InteropRun:
    """A peer's client reads our simulated reader for a while."""
    python = peers_python()
    with SimulatedReader(NumberedSource(RATE_HZ)) as reader:
        command = [str(python), str(SCRIPTS / CLIENTS[peer]), "127.0.0.1", str(reader.port), str(seconds)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=seconds + LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return InteropRun(peer, "failed", "it did not end")
        if reader.failure is not None:
            return InteropRun(peer, "failed", f"our simulated reader failed: {reader.failure!r}")
        sent = reader.reports_sent
    if done.returncode:
        return InteropRun(peer, "failed", (done.stderr.strip().splitlines() or ["no word"])[-1])
    reads = json.loads(done.stdout.splitlines()[-1])
    wrong = _wrong_values(reads)
    with_phase = sum(row[3] is not None for row in reads)
    said = f"{len(reads)} reads of {sent} sent, {with_phase} with RSSI and phase, {wrong} wrong"
    enough = len(reads) >= 0.3 * RATE_HZ * seconds
    return InteropRun(peer, "passed" if enough and not wrong else "failed", said)


def session_meets_emulator(seconds: float) -> InteropRun:
    """Our session reads llrpkit's emulated reader for a while."""
    peer = "llrpkit 0.3.0, its emulator"
    command = [peers_python(), SCRIPTS / "llrpkit_emulator.py"]
    received: list[ReadTable] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as emulator:
        assert emulator.stdout is not None
        port = int(emulator.stdout.readline() or 0)
        if not port:
            return InteropRun(peer, "failed", "it did not start")
        session = ReaderSession(ReaderSettings("127.0.0.1", port), received.append)
        session.start()
        time.sleep(seconds)
        health = session.health()
        session.stop()
        emulator.communicate(timeout=LIMIT_S)
    reads = ReadTable.concatenate(received)
    phases = int((~np.isnan(reads.phase_rad)).sum())
    tags = len(np.unique(reads.epc))
    antennas = sorted(set(reads.antenna.tolist()))
    said = f"{len(reads)} reads, {tags} tags, antennas {antennas}, {phases} with phase"
    if health.connected != 1 or health.malformed:
        said += f", {health.connected} connections, {health.malformed} malformed ({health.detail})"
    good = tags == EMULATOR_TAGS and phases == len(reads) and health.connected == 1 and not health.malformed
    return InteropRun(peer, "passed" if good else "failed", said)


def tshark_sees(seconds: float) -> InteropRun:
    """tshark looks at our session with our simulated reader: from connect to close, with events."""
    program = tshark()
    received: list[int] = []
    with SimulatedReader(NumberedSource(RATE_HZ)) as reader, RecordingRelay(reader.port) as relay:
        session = ReaderSession(
            ReaderSettings("127.0.0.1", relay.port), lambda reads: received.append(len(reads))
        )
        session.start()
        time.sleep(seconds / 2)
        reader.fault("antenna", -1.0, 2)
        reader.fault("overflow")
        time.sleep(seconds / 2)
        session.stop()
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "session.pcap"
        relay.write_pcap(capture)
        found = dissect(program, capture)
    said = (
        f"{sum(found.messages.values())} messages of {len(found.messages)} types, {sum(received)} reads: "
        f"{len(found.malformed)} malformed; Impinj parameter 68 unknown to it {found.doppler} times"
    )
    if found.malformed:
        said += f" (first: {found.malformed[0]})"
    good = not found.malformed and len(found.messages) >= 18 and sum(received) >= 0.3 * RATE_HZ * seconds
    return InteropRun("tshark", "passed" if good else "failed", said)


def _run(peer: str, meet: Callable[[], InteropRun]) -> InteropRun:
    try:
        return meet()
    except TagsightError as error:
        return InteropRun(peer, "not run", str(error))


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="How long each peer reads.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def interop(seconds: float, as_json: bool) -> None:
    """Other LLRP clients, an emulator and tshark against our session and simulated reader.

    Exits 1 if a peer that is here disagrees.

    \b
    Example:
      scripts/fetch-llrp-peers && scripts/fetch-tshark
      tagsight bench interop
    """
    runs = [
        _run(peer, lambda peer=peer: client_meets_simulator(peer, seconds))  # type: ignore[misc]
        for peer in CLIENTS
    ]
    runs.append(_run("llrpkit's emulator", lambda: session_meets_emulator(seconds)))
    runs.append(_run("tshark", lambda: tshark_sees(seconds)))
    if as_json:
        click.echo(json.dumps([asdict(run) for run in runs], indent=2))
    else:
        table = Table("peer", "state", "what it said")
        for run in runs:
            table.add_row(run.peer, run.state, run.said)
        Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS).print(table)
    failed = [run.peer for run in runs if run.state == "failed"]
    if failed:
        raise TagsightError(f"{', '.join(failed)}: see above")
