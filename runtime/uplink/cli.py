"""`tagsight uplink`."""

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

from contract.envelope import Origin
from runtime.uplink.broker.certificates import provision as write_key_and_request
from runtime.uplink.broker.settings import BrokerSettings
from runtime.uplink.broker_options import broker_options
from runtime.uplink.cloud.audit import Audit
from runtime.uplink.cloud.receiver import CLIENT_ID, Receiver
from runtime.uplink.cloud.store import CloudStore
from runtime.uplink.errors import UplinkError
from tagsight.redaction import RedactingFormatter

POLL_S = 0.25
ANY_NAME = "+"


@click.group()
def uplink() -> None:
    """The cloud side and the keys of the uplink.

    \b
    Example:
      tagsight uplink receive --host localhost --db events.db
    """


@uplink.command()
@broker_options
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="SQLite file to keep events in.",
)
@click.option("--jsonl", type=click.File("ab"), help="Also append each new event to this file.")
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
        raise UplinkError(f"{db}: events cannot be stored ({error})") from error
    finally:
        store.close()
    _print_account(audits, as_json)
    if not all(audit.complete for audit in audits):
        sys.exit(1)


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


@uplink.command()
@click.option("--site", required=True, help="The store's name, as in store.yaml.")
@click.option("--device", required=True, help="The terminal's name, as in store.yaml.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default=True,
    help="Folder.",
)
def provision(site: str, device: str, out: Path) -> None:
    """Write a private key (mode 0600) and a certificate request for this device.

    \b
    Example:
      tagsight uplink provision --site plaza --device box-1 --out /etc/tagsight/keys
    """
    key, request = write_key_and_request(Origin(site, device), out)
    click.echo(f"key      {key} (stays here)\nrequest  {request} (to your certificate authority)")
