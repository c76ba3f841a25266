"""`tagsight events` and `tagsight uplink`."""

from __future__ import annotations

import logging
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import click
import msgspec

from contract import wire
from contract.describe import describe
from contract.envelope import KINDS, Origin, open_event, text_of
from contract.errors import PayloadError
from contract.schema import async_api, json_schema
from runtime.config import Uplink
from runtime.redaction import RedactingFormatter
from runtime.uplink.broker.certificates import provision as write_key_and_request
from runtime.uplink.broker.mqtt import Link, NotSubscribed, Received
from runtime.uplink.broker_options import broker_options
from runtime.uplink.cloud.receiver import CLIENT_ID, Receiver
from runtime.uplink.cloud.store import Audit, CloudStore
from runtime.uplink.errors import UplinkError
from runtime.uplink.news import News

POLL_S = 0.25
ANY_NAME = "+"


@click.group()
def events() -> None:
    """Describe, decode and watch events.

    \b
    Example:
      tagsight events tail --host localhost
    """


@events.command()
@click.option("--asyncapi", "as_async_api", is_flag=True, help="AsyncAPI 3: topics and messages.")
def schema(as_async_api: bool) -> None:
    """Print the JSON Schema of all events, or AsyncAPI.

    \b
    Example:
      tagsight events schema > events.schema.json
      tagsight events schema --asyncapi > asyncapi.json
    """
    document = async_api(version("tagsight")) if as_async_api else json_schema()
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


@events.command()
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of words.")
def decode(file: BinaryIO, as_json: bool) -> None:
    """Read events from FILE ("-": standard input) and print them.

    FILE is a payload as it went over MQTT (an event, an array, a deflated batch) or lines of events.

    \b
    Example:
      tagsight events decode demo-out/events.jsonl
      mosquitto_sub -t 'tagsight/v1/+/+/footfall' -C 1 -N | tagsight events decode -
    """
    data = file.read()
    for body in _bodies(data, getattr(file, "name", "input")):
        _print_event(body, as_json)


def _bodies(data: bytes, name: str) -> Iterable[bytes]:
    """Events of a payload, or of a file with one event a line. Raises PayloadError naming the line."""
    is_lines = data.lstrip()[:1] == b"{"
    if not is_lines:
        yield from wire.unpack(data)
        return
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            open_event(line)
        except PayloadError as error:
            raise PayloadError(f"{name}: line {number}: {error}") from error
        yield line


def _print_event(body: bytes, as_json: bool) -> None:
    click.echo(text_of(body) if as_json else describe(open_event(body)))


@events.command()
@broker_options
@click.option("--site", default=ANY_NAME, help="Only this store.")
@click.option("--device", default=ANY_NAME, help="Only this terminal.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Only this kind; repeatable."
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many events.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so many seconds.")
@click.option("--all", "everything", is_flag=True, help="Also health and status that have not changed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of words; every event.")
def tail(
    broker: Uplink,
    site: str,
    device: str,
    kinds: tuple[str, ...],
    count: int | None,
    seconds: float | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Watch events as they come over the broker.

    In words, a process's health and a device's status are shown when they change.

    \b
    Example:
      tagsight events tail --config store.yaml
      tagsight events tail --host 10.0.0.5 --kind footfall --kind interaction --json
    """
    origin = Origin(site, device)
    link = Link(broker, f"tagsight-tail-{time.time_ns():x}")
    link.connect()
    link.subscribe([wire.topic(origin, kind) for kind in kinds or (*KINDS, "status")])
    deadline_s = None if seconds is None else time.monotonic() + seconds
    left = count
    news = None if everything or as_json else News()
    try:
        while (deadline_s is None or time.monotonic() < deadline_s) and left != 0:
            for happening in link.poll(POLL_S):
                if isinstance(happening, NotSubscribed):
                    raise UplinkError(
                        f"{broker.host}: the broker refuses the subscription: {happening.reason}"
                    )
                if isinstance(happening, Received) and left != 0:
                    left = _print_message(happening, as_json, left, news)
    except KeyboardInterrupt:
        pass
    link.disconnect()


def _print_message(message: Received, as_json: bool, left: int | None, news: News | None) -> int | None:
    """Print the events of one message, at most `left`; returns how many are left then."""
    try:
        if message.topic.endswith("/status"):
            _print_status(message, as_json, news)
            return left
        for body in wire.unpack(message.data):
            if left == 0:
                break
            if news is not None and not news.tells(open_event(body)):
                continue
            _print_event(body, as_json)
            left = None if left is None else left - 1
    except PayloadError as error:
        click.echo(f"{message.topic}: {error}", err=True)
    return left


def _print_status(message: Received, as_json: bool, news: News | None) -> None:
    if as_json:
        return
    status = wire.decode_status(message.data)
    if news is not None and not news.tells_status(status):
        return
    why = f" ({status.reason})" if status.reason else ""
    since = f" since {status.since}" if status.since else ""
    click.echo(f"{status.site}/{status.device} is {status.state}{since}{why}")


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
    broker: Uplink,
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
