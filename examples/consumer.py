"""A consumer of tagsight's events that loses nothing, written from docs/delivery.md alone."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sqlite3
import threading
import time
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

Key = tuple[str, str, str]  # site, device, stream
MOST_BYTES, MOST_SEQ, MOST_INCARNATIONS, REPLAY_AFTER_S = 8 << 20, 2**53, 8, 15.0
SCHEMA = """PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS events (site, device, stream, seq, id, body, PRIMARY KEY (site, device, id));
CREATE TABLE IF NOT EXISTS aside (site, device, stream, seq, body, PRIMARY KEY (site, device, stream, body));
CREATE TABLE IF NOT EXISTS accounts (site, device, stream, body, PRIMARY KEY (site, device, stream));"""


def merge(ranges: list[list[int]]) -> list[list[int]]:
    """The numbers of the ranges [first, last], and 0, in as few ranges as can be, in order."""
    merged = [[0, 0]]
    for first, last in sorted(ranges):
        if first > merged[-1][1] + 1:
            merged.append([first, last])
        merged[-1][1] = max(merged[-1][1], last)
    return merged


@dataclass
class Account:
    """A stream: the `ranges` seen, put aside or named, the `last` seen or put aside, what its status told."""

    ranges: list[list[int]] = field(default_factory=list)
    last: int = 0
    oldest_seq: int = 1
    incarnations: dict[str, int] = field(default_factory=dict)

    def prefix(self) -> int:
        """The largest n such that 1 to n are all settled."""
        return merge([*self.ranges, [0, self.oldest_seq - 1]])[0][1]


def read(told: dict[str, Any], **fields: Any) -> list[Any]:
    """The fields' values, or those given here; one given as a type must be there. Raises ValueError."""
    values = [told.get(name, default) for name, default in fields.items()]
    for value, default in zip(values, fields.values(), strict=True):
        right = type(value) is (default if isinstance(default, type) else type(default))
        if not right or (type(value) is int and not 0 <= value <= MOST_SEQ):
            raise ValueError(f"{value!r:.50} cannot stand among {', '.join(fields)}")
        str(value).encode()  # a ValueError for half a character, which JSON can spell
    return values


def unpack(payload: bytes | bytearray) -> list[dict[str, Any]]:
    """The objects of a payload; none, with a warning, where it cannot be unpacked."""
    try:
        if payload[:1] == b"\x78":
            inflate = zlib.decompressobj()
            payload = inflate.decompress(payload, MOST_BYTES)
            if not inflate.eof:
                raise ValueError("larger than 8 MiB, or cut short")
        told = json.loads(payload)
    except (ValueError, RecursionError, zlib.error) as error:
        logging.warning("a message cannot be unpacked: %s", error)
        return []
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]


def named_by(gap: dict[str, Any]) -> list[list[int]]:
    """The numbers of its own stream, below its own, that a gap names. Raises ValueError or TypeError."""
    seq, stream, of_stream, ranges = read(gap, seq=int, stream="", of_stream="", ranges=[])
    named = [read({"first": first, "last": last}, first=int, last=int) for first, last in ranges]
    named = named or [read(gap, from_seq=int, to_seq=int)]
    return [[first, min(last, seq - 1)] for first, last in named if of_stream in ("", stream) and first < seq]


class Consumer:
    """Events and accounts in a database; of `touched` streams something is yet to be acknowledged."""

    def __init__(self, path: str, client: mqtt.Client) -> None:
        self.client = client
        self.db = sqlite3.connect(path)
        self.db.executescript(SCHEMA)
        rows = self.db.execute("SELECT site, device, stream, body FROM accounts")
        self.accounts: dict[Key, Account] = {row[:3]: Account(**json.loads(row[3])) for row in rows}
        self.touched: set[Key] = set()
        self.holes: dict[Key, tuple[int, float, float]] = {}  # first number, when to ask, the pause after

    def take(self, message: mqtt.MQTTMessage) -> None:
        """Make durable what a message says, then acknowledge it."""
        site, device, leaf = message.topic.split("/")[2:]
        for told in unpack(message.payload) if leaf not in ("ack", "replay") else []:
            try:
                key = (site, device, read(told, stream="")[0])
                if leaf == "status":
                    self.note(key, told, message.retain)
                else:
                    self.keep(key, told)
            except ValueError as error:
                logging.warning("%s: left, for it has no number: %s", message.topic, error)
        rows = [(*key, json.dumps(asdict(self.accounts[key]))) for key in self.touched]
        self.db.executemany("REPLACE INTO accounts VALUES (?, ?, ?, ?)", rows)
        self.db.commit()
        while self.touched:
            account = self.accounts[key := self.touched.pop()]
            ack = {"seq": account.prefix(), "last": account.last, "incarnations": account.incarnations}
            self.say(key, "ack", ack)
        self.ask()

    def say(self, key: Key, leaf: str, payload: dict[str, Any]) -> None:
        """Publish something about a stream."""
        topic = f"tagsight/v1/{key[0]}/{key[1]}/{leaf}"
        self.client.publish(topic, json.dumps(payload | {"stream": key[2]}), qos=1)

    def account(self, key: Key) -> Account:
        """The account of a stream, to be committed and acknowledged."""
        self.touched.add(key)
        return self.accounts.setdefault(key, Account())

    def keep(self, key: Key, event: dict[str, Any]) -> None:
        """Keep an event, or put it aside. Raises ValueError where its number cannot be read."""
        (seq,), body = read(event, seq=int), json.dumps(event)
        if not seq:
            raise ValueError("seq is 0")
        numbers, foreign = [[seq, seq]], (event.get("site"), event.get("device")) != key[:2]
        try:
            one, kind = read(event, id=str, kind=str)
            read(event, key=str, time=str, rev=int, retracted=bool)
            if foreign:
                raise ValueError("of another device than its topic's")
            numbers += named_by(event) if kind == "gap" else []
            self.db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)", (*key, seq, one, body))
        except (ValueError, TypeError):
            self.db.execute("INSERT OR IGNORE INTO aside VALUES (?, ?, ?, ?, ?)", (*key, seq, body))
            if foreign:  # so its number is not one of this device's
                return
        account = self.account(key)
        account.ranges = merge([*account.ranges, *numbers])
        account.last = max(account.last, seq)

    def note(self, key: Key, status: dict[str, Any], retained: bool) -> None:
        """Note what an online device says of its stream. Raises ValueError where it cannot be read."""
        state, last, oldest = read(status, state=str, last_seq=0, oldest_seq=1)
        incarnation, migrated = read(status, incarnation="", migrated=False)
        if state != "online" or not 1 <= oldest <= last + 1:
            return
        before = (*key[:2], "")
        if migrated and key not in self.accounts and before in self.accounts:
            self.accounts[key] = self.accounts.pop(before)
            self.db.execute("DELETE FROM accounts WHERE site = ? AND device = ? AND stream = ?", before)
        account = self.account(key)
        account.oldest_seq = oldest
        if incarnation:
            account.incarnations.setdefault(incarnation, account.last)
            account.incarnations = dict(list(account.incarnations.items())[-MOST_INCARNATIONS:])
        if retained and account.prefix() < last:
            self.holes[key] = account.prefix() + 1, 0.0, REPLAY_AFTER_S

    def ask(self) -> None:
        """Ask for a replay where a number has been missing long enough."""
        now_s = time.monotonic()
        for key, account in self.accounts.items():
            first, (hole, ask_s, pause_s) = account.prefix() + 1, self.holes.get(key, (0, 0.0, 0.0))
            if hole != first or (ask_s and first > account.last):
                self.holes[key] = first, now_s + REPLAY_AFTER_S, 2 * REPLAY_AFTER_S
            elif now_s >= ask_s:
                self.holes[key] = first, now_s + pause_s, 2 * pause_s
                self.say(key, "replay", {"from_seq": first})


def main() -> None:
    """Consume until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"host": "127.0.0.1", "port": 1883, "db": "events.db"}.items():
        parser.add_argument(f"--{name}", default=default, type=type(default))
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    consumer = Consumer(options.db, client)
    client.on_connect = lambda *_: client.subscribe("tagsight/v1/+/+/+", qos=1) and None
    client.on_message = lambda _client, _data, message: consumer.take(message)
    while not stop.is_set():
        if client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS:
            try:
                client.connect(options.host, options.port)
            except OSError as error:
                logging.warning("no broker at %s:%d: %s", options.host, options.port, error)
                stop.wait(1.0)
        consumer.ask()
    client.disconnect()


if __name__ == "__main__":
    main()
