"""Rows about the way from the box to the cloud: broker, network, rights, certificates."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.reliability.faults.rig import Outcome, Rig, fresh_rig, running
from broker.mosquitto import LocalBroker
from broker.settings import BrokerSettings, TlsFiles
from testing.delivery.device_process import Command
from testing.faults.authority import Authority, secured_settings

BURST = 2_000
OUTAGE_S = 1_800.0
OUTAGE_STEPS = 30
REST_ALLOWED = "topic read #\ntopic write tagsight/v1/+/+/status\ntopic write tagsight/v1/+/+/ack\n"


def broker_killed(times: int) -> Outcome:
    """kill -9 of the broker in a burst."""
    with fresh_rig() as rig:
        rig.device.start()
        for _ in range(times):
            goal = rig.device.promised + BURST
            rig.device.say(BURST)
            rig.device.wait_for_promise(goal - BURST // 2)
            rig.broker.kill()
            rig.device.wait_for_promise(goal)
            rig.broker.start()
        return rig.settle("broker kill -9 in a burst", times)


def broker_gone(times: int) -> Outcome:
    """The broker is away for half an hour of the device's clock; its port refuses every attempt meanwhile."""
    with fresh_rig() as rig:
        rig.device.start()
        rig.device.say(10)
        rig.device.wait_for_promise(10)
        for _ in range(times):
            rig.broker.stop()
            for _ in range(OUTAGE_STEPS):
                goal = rig.device.promised + BURST // 4
                rig.device.tell(Command("step", OUTAGE_S / OUTAGE_STEPS))
                rig.device.say(BURST // 4)
                rig.device.wait_for_promise(goal)
                time.sleep(0.1)
            rig.broker.start()
        said = "with the pause before the next attempt, at most 30 s"
        return rig.settle("broker gone for 30 minutes (simulated clock)", times, said)


def cloud_away_and_broker_killed(times: int) -> Outcome:
    """Acknowledged by the broker, for a subscriber that is away, and then the broker is killed."""
    with fresh_rig() as rig:
        rig.device.start()
        for _ in range(times):
            rig.cloud.leave()
            goal = rig.device.promised + BURST
            rig.device.say(BURST)
            rig.device.wait_for_promise(goal)
            time.sleep(1.0)
            rig.broker.kill()
            rig.broker.start()
            rig.cloud.arrive()
        return rig.settle("subscriber away, broker kill -9", times)


def half_open(times: int) -> Outcome:
    """The link goes silent without closing while events flow."""
    with fresh_rig() as rig:
        rig.device.start(rig.proxy.port)
        for _ in range(times):
            goal = rig.device.promised + BURST
            rig.device.say(BURST // 2)
            rig.device.wait_for_promise(goal - BURST // 2)
            rig.proxy.deaf = True
            rig.device.say(BURST // 2)
            rig.device.wait_for_promise(goal)
            rig.proxy.forget()
        return rig.settle("network half-open, packets dropped", times)


def first_message_after_a_cut(times: int) -> Outcome:
    """An idle link is cut silently; the first event after that is the one that finds out."""
    with fresh_rig() as rig:
        rig.device.start(rig.proxy.port)
        worst_s = 0.0
        for _ in range(times):
            goal = rig.device.promised + 2
            rig.device.say(1)
            rig.device.wait_for_promise(goal - 1)
            _arrived(rig, goal - 1)
            rig.proxy.forget()
            rig.device.say(1)
            rig.device.wait_for_promise(goal)
            worst_s = max(worst_s, _arrived(rig, goal))
        outcome = rig.settle("first message after a silent cut", times)
    return msgspec.structs.replace(outcome, recovery_s=round(worst_s, 2))


def _arrived(rig: Rig, seq: int) -> float:
    """Wait until the cloud has a number; returns for how long."""
    began_s = time.monotonic()
    outcome = rig.settle("", 0)
    assert outcome.account.promised >= seq and outcome.account.lost == 0, "the event did not arrive"
    return time.monotonic() - began_s


def refused_by_acl(times: int) -> Outcome:
    """The broker's ACL refuses the kind; PUBACK reason 135 holds it back until the ACL allows it."""
    with TemporaryDirectory(prefix="tagsight-acl-") as name:
        acl = Path(name) / "acl"
        acl.write_text(REST_ALLOWED)
        with fresh_rig(["allow_anonymous true", f"acl_file {acl}"]) as rig:
            rig.device.start()
            for _ in range(times):
                goal = rig.device.promised + BURST
                rig.device.say(BURST)
                rig.device.wait_for_promise(goal)
                said = rig.device.wait_for_log("reason 135")
                time.sleep(1.0)
                assert not rig.cloud.has(goal), "the ACL did not refuse"
                _reload(rig.broker, acl, "topic readwrite #\n")
                outcome = rig.settle("refused by the ACL, then allowed", times, said.partition(" ")[2])
                _reload(rig.broker, acl, REST_ALLOWED)
            return outcome


def _reload(broker: LocalBroker, acl: Path, text: str) -> None:
    acl.write_text(text)
    os.kill(broker.pid, signal.SIGHUP)


def certificate_expired(times: int) -> Outcome:
    """The device's certificate has expired: the broker shuts it out until a new one lies in its place."""
    with TemporaryDirectory(prefix="tagsight-keys-") as name:
        authority = Authority(Path(name))
        device, cloud = authority.issue("plaza/box-1", days=-1), authority.issue("cloud")
        with LocalBroker(secured_settings(authority)) as broker:
            settings = [
                BrokerSettings(host="localhost", port=broker.port, tls=tls) for tls in (device, cloud)
            ]
            with (
                TemporaryDirectory(prefix="tagsight-faults-") as folder,
                running(Rig(Path(folder), broker, *settings)) as rig,
            ):
                return _renew_in_time(rig, authority, device, times)


def _renew_in_time(rig: Rig, authority: Authority, tls: TlsFiles, times: int) -> Outcome:
    assert tls.cert is not None
    said = ""
    for _ in range(times):
        authority.sign(tls.cert.with_suffix(".csr"), days=-1)
        rig.device.start()
        goal = rig.device.promised + BURST
        rig.device.say(BURST)
        rig.device.wait_for_promise(goal)
        said = rig.device.wait_for_log("certificate")
        assert not rig.cloud.has(goal), "an expired certificate was taken"
        authority.sign(tls.cert.with_suffix(".csr"), days=30)
        outcome = rig.settle("certificate expired, then renewed", times, said.partition(" ")[2])
        rig.device.kill()
    return outcome
