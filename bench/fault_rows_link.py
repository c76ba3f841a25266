"""Rows about the way from the box to the cloud: broker, network, rights, certificates."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.authority import Authority, secured_settings
from bench.fault_device import Command
from bench.fault_rig import Outcome, Rig, fresh_rig, running
from runtime.config import Tls, Uplink
from runtime.uplink.broker import LocalBroker

BURST = 2_000
OUTAGE_S = 1_800.0
OUTAGE_STEPS = 30
REST_ALLOWED = "topic read #\ntopic write tagsight/v1/+/+/status\ntopic write tagsight/v1/+/+/ack\n"


def broker_killed(times: int) -> Outcome:
    """kill -9 of the broker in a burst."""
    with fresh_rig() as rig:
        rig.start_device()
        for _ in range(times):
            goal = rig.promised + BURST
            rig.say(BURST)
            rig.wait_for_promise(goal - BURST // 2)
            rig.broker.kill()
            rig.wait_for_promise(goal)
            rig.broker.start()
        return rig.settle("broker kill -9 in a burst", times)


def broker_gone(times: int) -> Outcome:
    """The broker is away for half an hour of the device's clock; its port refuses every attempt meanwhile."""
    with fresh_rig() as rig:
        rig.start_device()
        rig.say(10)
        rig.wait_for_promise(10)
        for _ in range(times):
            rig.broker.stop()
            for _ in range(OUTAGE_STEPS):
                goal = rig.promised + BURST // 4
                rig.tell(Command("step", OUTAGE_S / OUTAGE_STEPS))
                rig.say(BURST // 4)
                rig.wait_for_promise(goal)
                time.sleep(0.1)
            rig.broker.start()
        said = "with the pause before the next attempt, at most 30 s"
        return rig.settle("broker gone for 30 minutes (simulated clock)", times, said)


def cloud_away_and_broker_killed(times: int) -> Outcome:
    """Acknowledged by the broker, for a subscriber that is away, and then the broker is killed."""
    with fresh_rig() as rig:
        rig.start_device()
        for _ in range(times):
            rig.cloud.leave()
            goal = rig.promised + BURST
            rig.say(BURST)
            rig.wait_for_promise(goal)
            time.sleep(1.0)
            rig.broker.kill()
            rig.broker.start()
            rig.cloud.arrive()
        return rig.settle("subscriber away, broker kill -9", times)


def half_open(times: int) -> Outcome:
    """The link goes silent without closing while events flow."""
    with fresh_rig() as rig:
        rig.start_device(rig.proxy.port)
        for _ in range(times):
            goal = rig.promised + BURST
            rig.say(BURST // 2)
            rig.wait_for_promise(goal - BURST // 2)
            rig.proxy.deaf = True
            rig.say(BURST // 2)
            rig.wait_for_promise(goal)
            rig.proxy.forget()
        return rig.settle("network half-open, packets dropped", times)


def first_message_after_a_cut(times: int) -> Outcome:
    """An idle link is cut silently; the first event after that is the one that finds out."""
    with fresh_rig() as rig:
        rig.start_device(rig.proxy.port)
        worst_s = 0.0
        for _ in range(times):
            goal = rig.promised + 2
            rig.say(1)
            rig.wait_for_promise(goal - 1)
            _arrived(rig, goal - 1)
            rig.proxy.forget()
            rig.say(1)
            rig.wait_for_promise(goal)
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
            rig.start_device()
            for _ in range(times):
                goal = rig.promised + BURST
                rig.say(BURST)
                rig.wait_for_promise(goal)
                said = rig.wait_for_log("reason 135")
                time.sleep(1.0)
                assert rig.cloud.audit() is None or not _has(rig, goal), "the ACL did not refuse"
                _reload(rig.broker, acl, "topic readwrite #\n")
                outcome = rig.settle("refused by the ACL, then allowed", times, said.partition(" ")[2])
                _reload(rig.broker, acl, REST_ALLOWED)
            return outcome


def _has(rig: Rig, seq: int) -> bool:
    audit = rig.cloud.audit()
    return audit is not None and audit.last_seq >= seq


def _reload(broker: LocalBroker, acl: Path, text: str) -> None:
    acl.write_text(text)
    os.kill(broker.pid, signal.SIGHUP)


def certificate_expired(times: int) -> Outcome:
    """The device's certificate has expired: the broker shuts it out until a new one lies in its place."""
    with TemporaryDirectory(prefix="tagsight-keys-") as name:
        authority = Authority(Path(name))
        device, cloud = authority.issue("plaza/box-1", days=-1), authority.issue("cloud")
        with LocalBroker(secured_settings(authority)) as broker:
            settings = [Uplink(host="localhost", port=broker.port, tls=tls) for tls in (device, cloud)]
            with (
                TemporaryDirectory(prefix="tagsight-faults-") as folder,
                running(Rig(Path(folder), broker, *settings)) as rig,
            ):
                return _renew_in_time(rig, authority, device, times)


def _renew_in_time(rig: Rig, authority: Authority, tls: Tls, times: int) -> Outcome:
    assert tls.cert is not None
    said = ""
    for _ in range(times):
        authority.sign(tls.cert.with_suffix(".csr"), days=-1)
        rig.start_device()
        goal = rig.promised + BURST
        rig.say(BURST)
        rig.wait_for_promise(goal)
        said = rig.wait_for_log("certificate")
        assert not _has(rig, goal), "an expired certificate was taken"
        authority.sign(tls.cert.with_suffix(".csr"), days=30)
        outcome = rig.settle("certificate expired, then renewed", times, said.partition(" ")[2])
        rig.kill_device()
    return outcome
