"""The stable surface for trials of the way from the box to the cloud; what is here stays.

In this process
    `Device(folder, port)` says visits by name and number and sends them: `say("a", 1, 500)`, `close()`;
    its `outbox` and `sender` are the product's.
    `Cloud(path, port)` is the reference receiver: `kept("a")`, `audit()`, `close()`; it can
    `leave` and `arrive`.
As processes
    `Plaza(folder, port)` is `tagsight run` on the demo's store: `start(prefix=..., env=...)`, `stop`, `kill`,
    `reload`, `said`, `pids`, `group`, `seq`, `tail`; `change=` edits the configuration, `state=` puts its
    state elsewhere.
    `Receive(path, port)` is `tagsight uplink receive`: `start`, `stop`, `kill`, `said`, `kept`, `audit`.
    `DeviceProcess(outbox, broker)` is a device that can be killed: `start(fuse=Fuse(stage, calls))` dies at
    one of the kill points `STAGES`; its promises are in `promised`.
    `LocalBroker()` is a private Mosquitto on `port`: `start`, `stop`, `kill`.
    `BrokerSettings` say how to reach a broker where a port alone does not, `TlsFiles` with what certificates.
Between them
    `client(port)` is a paho client, `MqttRecorder(port, topics)` keeps what is said, `RawClient(port)` writes
    packets by hand, `DeafProxy(port)` loses a connection without a word, `tear(outbox, chance)` loses writes
    that were not synced.
Accounts
    `audit(path)` and `kept(path, tag)` read a consumer's database; `Promises` follows an outbox and says what
    of it reached the consumer. `until(condition, seconds)` waits.

    from testing.rig import Cloud, Device, LocalBroker, until
    with LocalBroker() as broker, Cloud(folder / "cloud.db", broker.port) as cloud:
        device = Device(folder / "box", broker.port)
        device.say("a", 1, 500)
        assert until(lambda: cloud.kept("a") == 500, 10)
"""

from __future__ import annotations

from broker.mosquitto import LocalBroker, free_port
from broker.settings import BrokerSettings, TlsFiles
from contract.envelope import Origin
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.outbox.limits import OutboxLimits
from testing.delivery.account import Account, Promises
from testing.delivery.cloud import Cloud, Receive, audit, kept
from testing.delivery.device import ORIGIN, Device, visit
from testing.delivery.device_process import STAGES, Command, DeviceProcess, Fuse
from testing.delivery.plaza import Plaza
from testing.delivery.wire_level import MqttRecorder, RawClient, client
from testing.faults.deaf_proxy import DeafProxy
from testing.faults.torn_write import tear
from testing.waiting import until, wait_for

__all__ = [
    "ORIGIN",
    "STAGES",
    "Account",
    "BrokerSettings",
    "Cloud",
    "Command",
    "DeafProxy",
    "DeliveryLimits",
    "Device",
    "DeviceProcess",
    "Fuse",
    "LocalBroker",
    "MqttRecorder",
    "Origin",
    "OutboxLimits",
    "Plaza",
    "Promises",
    "RawClient",
    "Receive",
    "TlsFiles",
    "audit",
    "client",
    "free_port",
    "kept",
    "tear",
    "until",
    "visit",
    "wait_for",
]
