"""`tagsight rfid`: capture reads, play them back, find flips in them, simulate a reader."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import click

from rfid_reader.antenna_calibration import load_calibration
from rfid_reader.errors import ReaderError, ReaderSettingsError
from rfid_reader.flips.detector import DetectedFlip, Detector
from rfid_reader.flips.methods import METHODS
from rfid_reader.inventory.command import inventory
from rfid_reader.reads import CaptureFile, ReadTable, read_chunks
from rfid_reader.recording_remarks import RecordingRemarks
from rfid_reader.session.health import ReaderHealth
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import SEARCH_MODES, ReaderSettings, address_of
from rfid_reader.simulator.commands import replay, simulate
from rfid_reader.simulator.scenarios.commands import scenario
from rfid_reader.tuned_detector import detector_for


@click.group()
def rfid() -> None:
    """Capture, replay, judge and simulate tag reads.

    \b
    Example:
      tagsight rfid simulate --scenario boutique --port 5084 --truth truth.jsonl &
      tagsight rfid capture 127.0.0.1 --seconds 60 --out reads.csv
      tagsight rfid flips reads.csv --out flips.jsonl
    """


def _antenna_list(value: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list like 1,2,4") from None


def _health_line(health: ReaderHealth) -> str:
    line = f"{health.state}: {health.reads} reads, {health.read_rate:.0f}/s of {health.tags_seen} tags"
    if health.malformed or health.connected > 1:
        line += f", {health.connected} connections, {health.malformed} malformed"
    return f"{line} ({health.detail})" if health.detail else line


def _status(text: str, last: bool = False) -> None:
    """One status line: rewritten in place on a terminal, plain lines otherwise."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=last, err=True)
    else:
        click.echo(text, err=True)


@rfid.command()
@click.argument("reader", metavar="HOST[:PORT]")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Read table to write (.csv, .parquet)."
)
@click.option("--seconds", type=float, default=60.0, show_default=True, help="How long; 0 until interrupted.")
@click.option("--antennas", default="", help="Antenna ids, like 1,2,4; all by default.")
@click.option(
    "--power", "power_dbm", type=float, help="Transmit power in dBm; the reader's highest by default."
)
@click.option("--mode", type=int, help="RF mode identifier; the reader's own choice by default.")
@click.option("--session", "c1g2_session", type=click.IntRange(0, 3), default=1, show_default=True)
@click.option(
    "--search-mode", type=click.Choice(list(SEARCH_MODES)), default="dual_target", show_default=True
)
@click.option("--population", type=int, default=32, show_default=True, help="Tags in view of an antenna.")
@click.option("--tls", is_flag=True, help="LLRP over TLS.")
@click.option(
    "--tls-ca",
    type=click.Path(path_type=Path),
    help="PEM file that vouches for the reader, with --tls; the system's by default.",
)
@click.option(
    "--trial",
    is_flag=True,
    help="Be led through an hour of a shop and note what happens, beside OUT; until it is over.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the session's figures as JSON at the end.")
def capture(
    reader: str,
    out: Path,
    seconds: float,
    antennas: str,
    power_dbm: float | None,
    mode: int | None,
    c1g2_session: int,
    search_mode: str,
    population: int,
    tls: bool,
    tls_ca: Path | None,
    trial: bool,
    as_json: bool,
) -> None:
    """Write what a reader hears to a read table.

    With --trial, notes go beside it: OUT.truth.jsonl (which garment was taken when), OUT.parts.jsonl (who was
    near), and the quiet part once more as a table of its own, for `tagsight calibrate antenna`.

    \b
    Example:
      tagsight rfid capture 192.168.1.20 --trial --out hour.csv
      tagsight rfid capture 192.168.1.20 --antennas 1,2 --power 27 --seconds 120 --out quiet.csv
    """
    try:
        host, port = address_of(reader)
    except ReaderSettingsError as error:
        raise click.BadParameter(str(error)) from None
    settings = ReaderSettings(
        host,
        port,
        tls=tls,
        tls_ca=str(tls_ca) if tls_ca is not None else None,
        antennas=_antenna_list(antennas),
        power_dbm=power_dbm,
        mode=mode,
        session=c1g2_session,
        search_mode=search_mode,
        population=population,
    )
    if trial:
        _hold_trial(settings, out)
        return
    with CaptureFile(out) as file:
        session = ReaderSession(settings, file.write)
        session.start()
        end_s = time.monotonic() + (seconds or float("inf"))
        try:
            while time.monotonic() < end_s and session.alive():
                time.sleep(min(1.0, max(0.0, end_s - time.monotonic())))
                _status(_health_line(session.health()))
        except KeyboardInterrupt:
            pass
        health = session.health()
        session.stop()
        rows = file.rows
    _status(f"{out}: {rows} reads", last=True)
    if session.failure is not None:
        raise ReaderError(f"the capture failed: {session.failure!r}")
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(health), "reads_written": rows}))
    if not rows:
        raise ReaderError(health.detail or f"reader {settings.label}: no tag was heard in {seconds:g} s")


def _hold_trial(settings: ReaderSettings, out: Path) -> None:
    from rfid_reader.trial import TrialFiles, hold_trial

    with CaptureFile(out) as file, TrialFiles(out, file) as files:
        session = ReaderSession(settings, files.take)
        session.start()
        try:
            found = hold_trial(
                files,
                lambda prompt: str(click.prompt(prompt, default="", show_default=False, prompt_suffix="")),
                click.echo,
            )
        finally:
            session.stop()
        rows = file.rows
    if session.failure is not None:
        raise ReaderError(f"the capture failed: {session.failure!r}")
    click.echo(
        f"{out}: {rows} reads; {files.truth_path.name}: {found['garments']} garments; "
        f"{files.parts_path.name}: {found['parts']} parts; {files.quiet_path.name}: the quiet part"
    )


def _flip_line(flip: DetectedFlip) -> str:
    return json.dumps(
        {
            "epc": flip.epc,
            "start_s": round(flip.start_s, 3),
            "end_s": round(flip.end_s, 3),
            "score": round(flip.score, 4),
        }
    )


def _judge(batches: Iterable[ReadTable], detector: Detector, file: IO[str]) -> dict[str, Any]:
    """Run reads through a detector, a line a flip as it becomes certain; returns the figures."""
    count = rows = 0
    remarks = RecordingRemarks()

    def write(flips: list[DetectedFlip]) -> None:
        nonlocal count
        count += len(flips)
        file.writelines(_flip_line(flip) + "\n" for flip in flips)

    for batch in batches:
        rows += len(batch)
        remarks.take(batch)
        write(detector.feed(batch))
        _status(f"{rows} reads judged, {count} flips") if sys.stderr.isatty() else None
    write(detector.finish())
    unjudged = detector.insufficient()
    file.writelines(json.dumps({"epc": epc, "insufficient_reads": True}) + "\n" for epc in unjudged)
    said = [*remarks.sentences(), *detector.remarks]
    return {"reads": rows, "flips": count, "insufficient_reads": len(unjudged), "remarks": said}


@rfid.command()
@click.argument("reads", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Flips to write (JSON lines).")
@click.option("--calibration", type=click.Path(path_type=Path), help="From: tagsight calibrate antenna.")
@click.option("--method", type=click.Choice(METHODS), default="production", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def flips(reads: Path, out: Path, calibration: Path | None, method: str, as_json: bool) -> None:
    """Find handled garments in a read table: a JSON object a line (epc, start_s, end_s, score).

    A tag that was read too seldom to be judged gets {"epc": ..., "insufficient_reads": true}. The same input
    gives the same bytes.

    \b
    Example:
      tagsight rfid flips reads.csv --out flips.jsonl --calibration antennas.yaml
    """
    detector = detector_for(method, load_calibration(calibration) if calibration else None)
    chunks = read_chunks(reads)
    try:
        with out.open("w", encoding="utf-8", newline="\n") as file:
            figures = _judge(chunks, detector, file)
    except OSError as error:
        raise ReaderError(f"{out}: cannot be written: {error.strerror}") from None
    if as_json:
        click.echo(json.dumps(figures))
    else:
        click.echo(
            f"{out}: {figures['flips']} flips in {figures['reads']} reads, "
            f"{figures['insufficient_reads']} tags with too few reads"
        )
    for remark in figures["remarks"]:
        click.echo(f"warning: {reads}: {remark}", err=True)


for command in (inventory, replay, simulate, scenario):
    rfid.add_command(command)
