"""`tagsight uplink receive`."""

from __future__ import annotations

import logging
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import click
import msgspec

from broker.options import broker_options
from broker.settings import BrokerSettings
from fleet.errors import FleetError
from fleet.ingest.consumer.audit import Audit
from fleet.ingest.consumer.receiver import CLIENT_ID, Receiver
from fleet.ingest.consumer.store import CloudStore
from tagsight.redaction import RedactingFormatter


@click.command()
@broker_options
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="SQLite file to keep events in.",
)
@click.option(
    "--jsonl",
    type=click.File("ab"),
    help="Also append each new event to this file; after a fault one may come twice.",
)
@click.option("--ack/--no-ack", default=True, show_default=True, help="Acknowledge to the devices.")
@click.option(
    "--client-id", default=CLIENT_ID, show_default=True, help="MQTT client id; every receiver its own."
)
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so many seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the account at the end as JSON.")
def receive(
    broker: BrokerSettings,
    db: Path,
    jsonl: BinaryIO | None,
    ack: bool,
    client_id: str,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Receive events for the cloud: store each once, find gaps, acknowledge. Ends on SIGINT or SIGTERM.

    A reference for a back end. At the end it prints an account for each device and exits with 1 if events are
    missing that no gap event names.

    \b
    Example:
      tagsight uplink receive --config store.yaml --db events.db
    """
    logs = logging.StreamHandler()
    logs.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[logs])
    store = CloudStore(db)
    _end_torn_line(jsonl)
    receiver = Receiver(broker, store, client_id=client_id, acknowledge=ack, jsonl=jsonl)
    _stop_on_signal(receiver.stopping)
    if seconds is not None:
        timer = threading.Timer(seconds, receiver.stopping.set)
        timer.daemon = True
        timer.start()
    try:
        receiver.run()
        audits = store.audit()
    except sqlite3.Error as error:
        raise FleetError(f"{db}: events cannot be stored ({error})") from error
    except OSError as error:
        store.roll_back()
        raise FleetError(
            f"{jsonl.name if jsonl else db}: cannot be written ({error.strerror}); what came is not"
            " acknowledged and comes again"
        ) from error
    finally:
        store.close()
    _print_account(audits, as_json)
    if not all(audit.complete for audit in audits):
        sys.exit(1)


def _end_torn_line(jsonl: BinaryIO | None) -> None:
    """What a power cut left half written must not swallow the next event."""
    if jsonl is None or not (file := Path(jsonl.name)).is_file():
        return
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 1))
        is_torn = opened.read() not in (b"", b"\n")
    if is_torn:
        jsonl.write(b"\n")


def _stop_on_signal(stop: threading.Event) -> None:
    def note(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)


def _print_account(audits: list[Audit], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(audits).decode())
        return
    for audit in audits:
        missing = "nothing missing"
        if audit.missing:
            missing = "missing " + ", ".join(f"{first} to {last}" for first, last in audit.missing[:10])
        stream = f" stream {audit.stream}" if audit.stream else ""
        more = f"{audit.put_aside} put aside unread, " if audit.put_aside else ""
        more += f"{audit.clashes} numbers used twice by copies, " if audit.clashes else ""
        click.echo(
            f"{audit.site}/{audit.device}{stream}: {audit.events} events up to {audit.last_seq}, "
            f"{audit.named_in_gaps} named in gaps, {audit.duplicates} came twice, {more}{missing}"
        )
