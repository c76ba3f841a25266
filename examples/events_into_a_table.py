"""Events from a broker into a table. Who must not lose any starts from examples/consumer.py instead."""

import sqlite3
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tagsight import open_event, unpack

KINDS = ("footfall", "visit", "dwell", "flow", "heatmap", "flip", "interaction", "tryon", "health", "gap")
TABLE = "facts (site, device, kind, key, rev, retracted, body, PRIMARY KEY (site, device, key))"
UPSERT = """INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET rev = excluded.rev,
    retracted = excluded.retracted, body = excluded.body WHERE excluded.rev > rev"""


def main(host: str, port: int, path: str, seconds: float) -> None:
    """Take events in for so many seconds, then print how many facts of each kind stand."""
    table = sqlite3.connect(path, isolation_level=None)
    table.execute(f"CREATE TABLE IF NOT EXISTS {TABLE}")

    def take(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        for body in unpack(bytes(message.payload)):  # one message may hold many events
            it = open_event(body).envelope
            table.execute(UPSERT, (it.site, it.device, it.kind, it.key, it.rev, it.retracted, body.decode()))

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = take
    client.connect(host, port)
    client.subscribe([(f"tagsight/v1/+/+/{kind}", 1) for kind in KINDS])
    for _ in range(int(seconds * 10)):
        client.loop(0.1)
    for row in table.execute("SELECT kind, COUNT(*) FROM facts WHERE NOT retracted GROUP BY kind"):
        print(*row)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
