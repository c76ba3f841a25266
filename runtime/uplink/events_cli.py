"""`tagsight events`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import click

from broker.errors import BrokerError
from broker.mqtt import MqttClient
from broker.mqtt_events import NotSubscribed, Received
from broker.options import broker_options
from broker.settings import BrokerSettings
from contract import stored, wire
from contract.describe import describe
from contract.envelope import KINDS, Origin, open_event, text_of
from contract.errors import PayloadError
from contract.schema import async_api, json_schema
from runtime.uplink.configured import OF_STORE_YAML
from runtime.uplink.news import News

POLL_S = 0.25
ANY_NAME = "+"


FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
@click.pass_context
def events(context: click.Context) -> None:
    """Describe, decode and watch events.

    \b
    Example:
      tagsight events tail --host localhost
    """
    context.obj = OF_STORE_YAML


@events.command()
@click.option("--asyncapi", "as_async_api", is_flag=True, help="AsyncAPI 3: topics and messages.")
@click.option("--out", type=FOLDER, help="Write both documents there, unless they break those there.")
@click.option("--check", type=FOLDER, help="Say what the documents there lack, and what breaks consumers.")
def schema(as_async_api: bool, out: Path | None, check: Path | None) -> None:
    """Print the JSON Schema of all events, or AsyncAPI.

    \b
    Example:
      tagsight events schema > events.schema.json
      tagsight events schema --asyncapi > asyncapi.json
      tagsight events schema --check docs/contract/v1
    """
    if check is not None:
        stored.check(check, version("tagsight"))
        click.echo(f"{check} is up to date")
    elif out is not None:
        for file in stored.write(out, version("tagsight")):
            click.echo(file)
    else:
        document = async_api(version("tagsight")) if as_async_api else json_schema()
        click.echo(stored.text(document), nl=False)


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
    broker: BrokerSettings,
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
    link = MqttClient(broker, f"tagsight-tail-{time.time_ns():x}")
    link.connect()
    link.subscribe([wire.topic(origin, kind) for kind in kinds or (*KINDS, "status")])
    deadline_s = None if seconds is None else time.monotonic() + seconds
    left = count
    news = None if everything or as_json else News()
    try:
        while (deadline_s is None or time.monotonic() < deadline_s) and left != 0:
            for event in link.poll(POLL_S):
                if isinstance(event, NotSubscribed):
                    raise BrokerError(f"{broker.host}: the broker refuses the subscription: {event.reason}")
                if isinstance(event, Received) and left != 0:
                    left = _print_message(event, as_json, left, news)
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
    if news is not None and not news.is_new_status(status):
        return
    why = f" ({status.reason})" if status.reason else ""
    since = f" since {status.since}" if status.since else ""
    click.echo(f"{status.site}/{status.device} is {status.state}{since}{why}")
