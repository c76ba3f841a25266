"""A consumer of tagsight's events that loses nothing, written from docs/delivery.md alone."""

import json
import logging
import re
import signal
import sqlite3
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

Key = tuple[str, str, str]  # site, device, stream
MOST_BYTES, MOST_SEQ, MOST_STARTS, REPLAY_AFTER_S = 8 << 20, 2**53, 8, 15.0
UNTOLD = {"stream": "", "last_seq": 0, "delivered_seq": 0, "incarnation": "", "migrated": False}
SCHEMA = """PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS events (site, device, stream, seq, id, body, PRIMARY KEY (site, device, id));
CREATE TABLE IF NOT EXISTS streams (site, device, stream, body, PRIMARY KEY (site, device, stream));"""


@dataclass
class Account:
    """A stream: the `ranges` seen, put aside or named, the `last` seen or put aside, what statuses told."""

    ranges: list[list[int]] = field(default_factory=list)
    last: int = 0
    delivered: int = 0
    oldest_seq: int = 1
    incarnations: dict[str, int] = field(default_factory=dict)

    def merged(self, *more: list[int]) -> list[list[int]]:
        """Its ranges [first, last], more of them, and 0, in as few as can be, in order."""
        merged = [[0, 0]]
        for first, last in sorted([*self.ranges, *more]):
            if first > merged[-1][1] + 1:
                merged.append([first, last])
            merged[-1][1] = max(merged[-1][1], last)
        return merged

    def prefix(self) -> int:
        """The largest n such that 1 to n are all settled."""
        return self.merged([0, self.oldest_seq - 1])[0][1]


def fits(told: dict[str, Any], **types: type) -> bool:
    """Whether these fields are there and of these types: whole characters, numbers from 0 to 2^53."""
    values = [told.get(name) for name in types]
    right = [*map(type, values)] == [*types.values()]
    whole = right and not re.search(r"[\ud800-\udfff]", "".join(map(str, values)))
    return whole and all(0 <= value <= MOST_SEQ for value in values if isinstance(value, int))


def unpack(payload: bytes | bytearray) -> list[dict[str, Any]]:
    """The objects of a payload. Raises ValueError, RecursionError or zlib.error."""
    payload = zlib.decompressobj().decompress(payload, MOST_BYTES) if payload[:1] == b"\x78" else payload
    told = json.loads(payload[:MOST_BYTES])  # what is cut off there is no JSON
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]


class Consumer:
    def __init__(self, path: str, client: mqtt.Client) -> None:
        self.link, self.db = client, sqlite3.connect(path, check_same_thread=False)
        self.db.executescript(SCHEMA)
        rows = self.db.execute("SELECT * FROM streams")
        self.accounts = {row[:3]: Account(**json.loads(row[3])) for row in rows}
        self.holes: dict[Key, tuple[int, float, float]] = {}  # first number, when to ask, the pause after

    def take(self, topic: str, payload: bytes | bytearray, retained: bool) -> None:
        """Make durable what a message says, then acknowledge it."""
        site, device, leaf = topic.split("/")[2:]
        touched: dict[Key, Account] = {}
        try:
            for told in unpack(payload) if leaf not in ("ack", "replay") else []:
                key = (site, device, told.get("stream", ""))
                if self.note(key, told, retained) if leaf == "status" else self.keep(key, told, retained):
                    touched[key] = self.accounts[key]
        except (ValueError, RecursionError, zlib.error) as error:
            logging.warning("a message on %s cannot be unpacked: %s", topic, error)
        rows = [(*key, json.dumps(vars(account))) for key, account in touched.items()]
        self.db.executemany("REPLACE INTO streams VALUES (?, ?, ?, ?)", rows)
        self.db.commit()
        for key, account in touched.items():
            self.say(key, "ack", seq=account.prefix(), last=account.last, incarnations=account.incarnations)

    def say(self, key: Key, leaf: str, **told: Any) -> None:
        self.link.publish(f"tagsight/v1/{key[0]}/{key[1]}/{leaf}", json.dumps(told | {"stream": key[2]}), 1)

    def keep(self, key: Key, event: dict[str, Any], retained: bool) -> bool:
        """Keep an event by its id, one that cannot be read by its own text; whether its number counts."""
        if not fits({"stream": ""} | event, stream=str, seq=int) or not event["seq"]:
            logging.warning("left, for it has no number: %.99s", event)
            return False
        is_ours, seq = (event.get("site"), event.get("device")) == key[:2], event["seq"]
        readable = is_ours and fits(event, id=str, kind=str, key=str, time=str, rev=int, retracted=bool)
        is_gap = readable and event["kind"] == "gap" and event.get("of_stream", "") in ("", key[2])
        ranges: Any = event.get("ranges") or [[event.get("from_seq"), event.get("to_seq")]] if is_gap else []
        readable &= re.fullmatch(r"\[(\[\d+, \d+\],? ?)*\]", json.dumps(ranges)) is not None
        row = (*key, seq, event["id"] if readable else json.dumps(event), json.dumps(event))
        self.db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)", row)
        if is_ours and not (retained and key not in self.accounts):
            account = self.accounts.setdefault(key, Account())
            named = [[first, min(last, seq - 1)] for first, last in ranges if first < seq] if readable else []
            account.ranges, account.last = account.merged([seq, seq], *named), max(account.last, seq)
        return is_ours and key in self.accounts

    def note(self, key: Key, status: dict[str, Any], retained: bool) -> bool:
        """Note what a device says of its stream; whether that wants an answer."""
        told: Any = UNTOLD | {"oldest_seq": 1} | status
        right = fits(told, oldest_seq=int, **{name: type(value) for name, value in UNTOLD.items()})
        if not right or told.get("state") != "online" or not 1 <= told["oldest_seq"] <= told["last_seq"] + 1:
            return False
        if told["migrated"] and key not in self.accounts and (before := (*key[:2], "")) in self.accounts:
            self.accounts[key] = self.accounts.pop(before)
            self.db.execute("DELETE FROM streams WHERE site = ? AND device = ? AND stream = ?", before)
        account = self.accounts.setdefault(key, Account())
        account.oldest_seq = told["oldest_seq"]
        account.delivered = max(account.delivered, min(told["delivered_seq"], told["last_seq"]))
        account.incarnations.setdefault(told["incarnation"], account.last)
        account.incarnations = dict([one for one in account.incarnations.items() if one[0]][-MOST_STARTS:])
        if retained and account.prefix() < told["last_seq"]:
            self.say(key, "replay", from_seq=account.prefix() + 1)
        return True

    def ask(self) -> None:
        """Ask for a replay where a number has been missing long enough."""
        for key, account in list(self.accounts.items()):
            first, (hole, ask_s, pause_s) = account.prefix() + 1, self.holes.get(key, (0, 0.0, 0.0))
            if hole != first or first > max(account.last, account.delivered):
                self.holes[key] = first, time.monotonic() + REPLAY_AFTER_S, 2 * REPLAY_AFTER_S
            elif time.monotonic() >= ask_s:
                self.holes[key] = first, time.monotonic() + pause_s, 2 * pause_s
                self.say(key, "replay", from_seq=first)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    consumer = Consumer(sys.argv[3], client)
    client.on_connect = lambda *_: client.subscribe("tagsight/v1/+/+/+", qos=1) and None
    client.on_message = lambda _client, _data, got: consumer.take(got.topic, got.payload, got.retain)
    client.connect_async(sys.argv[1], int(sys.argv[2]))
    client.loop_start()
    while True:
        time.sleep(1.0)
        consumer.ask()
