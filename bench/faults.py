"""What goes wrong between a shop and the cloud, and what it costs: a table of faults.

A device process (outbox and sender, `bench.fault_device`) says events; a private Mosquitto passes them on;
the reference receiver keeps them and acknowledges. A device promises an event when it is on disk. For every
fault the account at the end says how many promised events were neither received nor named in a gap ("lost":
must be 0), how many facts were kept twice (must be 0), and how long after the fault was over everything was
accounted for.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.fault_rig import Outcome, Rig, fresh_rig
from runtime.uplink.outbox_reader import OutboxReader

BURST = 2_000


def broker_killed(rig: Rig, times: int) -> Outcome:
    """kill -9 of the broker in a burst."""
    rig.start_device()
    for _ in range(times):
        goal = rig.promised + BURST
        rig.tell("say", BURST)
        rig.wait_for_promise(goal - BURST // 2)
        rig.broker.kill()
        rig.wait_for_promise(goal)
        rig.broker.start()
    return rig.settle("broker kill -9 in a burst", times)


def broker_gone(rig: Rig, times: int) -> Outcome:
    """The broker is away while events pile up."""
    rig.start_device()
    rig.tell("say", 10)
    rig.wait_for_promise(10)
    rig.broker.stop()
    for _ in range(10 * times):
        rig.tell("say", BURST)
        time.sleep(0.1)
    rig.wait_for_promise(10 + 10 * times * BURST)
    rig.broker.start()
    return rig.settle("broker gone while events pile up", 1)


def cloud_away_and_broker_killed(rig: Rig, times: int) -> Outcome:
    """Acknowledged by the broker, for a subscriber that is away, and then the broker is killed."""
    rig.start_device()
    for _ in range(times):
        rig.cloud.leave()
        goal = rig.promised + BURST
        rig.tell("say", BURST)
        rig.wait_for_promise(goal)
        time.sleep(1.0)
        rig.broker.kill()
        rig.broker.start()
        rig.cloud.arrive()
    return rig.settle("subscriber away, broker kill -9", times)


def half_open(rig: Rig, times: int) -> Outcome:
    """The link goes silent without closing; the first message after it came back must not be lost."""
    rig.start_device(rig.proxy.port)
    for _ in range(times):
        goal = rig.promised + BURST
        rig.tell("say", BURST // 2)
        rig.wait_for_promise(goal - BURST // 2)
        rig.proxy.deaf = True
        rig.tell("say", BURST // 2)
        rig.wait_for_promise(goal)
        rig.proxy.forget()
    return rig.settle("half-open connection", times)


def device_killed(rig: Rig, times: int) -> Outcome:
    """kill -9 of the device at random moments while it writes and sends."""
    chance = random.Random(1)
    for _ in range(times):
        rig.start_device()
        before = rig.promised
        rig.tell("say", 1_000_000)
        rig.wait_for_promise(before + 1)
        time.sleep(chance.uniform(0.0, 0.3))
        rig.kill_device()
    rig.start_device()
    rig.tell("say", 1)
    return rig.settle("device kill -9 at random", times)


def disk_full(rig: Rig, times: int) -> Outcome:
    """The disk takes nothing for a while (no file may grow)."""
    rig.start_device()
    for _ in range(times):
        goal = rig.promised + BURST
        rig.tell("say", BURST // 2)
        rig.wait_for_promise(goal - BURST // 2)
        rig.tell("disk", rig.outbox.stat().st_size)
        rig.tell("say", BURST // 2)
        time.sleep(1.5)
        rig.tell("disk", 0)
        rig.wait_for_promise(goal)
    return rig.settle("disk full, then freed", times)


def outbox_damaged(rig: Rig, times: int) -> Outcome:
    """A quarter of the outbox's pages is overwritten while the device is down."""
    for _ in range(times):
        rig.start_device()
        goal = rig.promised + BURST
        rig.tell("say", BURST)
        rig.wait_for_promise(goal)
        rig.kill_device()
        OutboxReader(rig.outbox).close()
        size = rig.outbox.stat().st_size
        with rig.outbox.open("r+b") as file:
            file.seek(size // 2)
            file.write(os.urandom(size // 4))
    rig.start_device()
    rig.tell("say", 1)
    rig.wait_for_promise(rig.promised + 1)
    return rig.settle("outbox damaged", times)


def clock_steps(rig: Rig, times: int) -> Outcome:
    """The wall clock jumps an hour ahead and an hour back."""
    rig.start_device()
    for _ in range(times):
        for step_s in (3600.0, -7200.0, 3600.0):
            goal = rig.promised + BURST // 2
            rig.tell("step", step_s)
            rig.tell("say", BURST // 2)
            rig.wait_for_promise(goal)
    return rig.settle("clock step +1 h and -1 h", times)


FAULTS: dict[str, Callable[[Rig, int], Outcome]] = {
    "broker-killed": broker_killed,
    "broker-gone": broker_gone,
    "cloud-away": cloud_away_and_broker_killed,
    "half-open": half_open,
    "device-killed": device_killed,
    "disk-full": disk_full,
    "outbox-damaged": outbox_damaged,
    "clock-steps": clock_steps,
}


def run_fault(name: str, times: int) -> Outcome:
    """One row of the table."""
    with fresh_rig() as parts:
        return FAULTS[name](parts, times)


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Faults: what they cost")
    for heading in ("fault", "times", "promised", "lost", "in gaps", "kept twice", "recovered in"):
        table.add_column(heading, justify="left" if heading == "fault" else "right")
    for one in outcomes:
        table.add_row(
            one.fault,
            str(one.times),
            f"{one.promised:,}",
            f"{one.lost:,}",
            f"{one.named_in_gaps:,}",
            str(one.kept_twice),
            f"{one.recovery_s:.1f} s",
        )
    return table


@click.command()
@click.option(
    "--fault", "names", multiple=True, type=click.Choice(list(FAULTS)), help="Only this one; repeatable."
)
@click.option(
    "--times", default=2, show_default=True, type=click.IntRange(1), help="How often each fault strikes."
)
@click.option(
    "--kills", default=20, show_default=True, type=click.IntRange(1), help="How often the device is killed."
)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def faults(names: tuple[str, ...], times: int, kills: int, as_json: bool) -> None:
    """Break the way to the cloud in every way we know, and account for every event. Exits with 1 if any is
    lost.

    \b
    Example:
      tagsight bench faults --fault device-killed --kills 200
    """
    outcomes = []
    for name in names or FAULTS:
        outcomes.append(run_fault(name, kills if name == "device-killed" else times))
        if not as_json:
            click.echo(f"{outcomes[-1].fault}: {'nothing lost' if outcomes[-1].passed else 'LOST'}", err=True)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(outcomes), indent=2))
    else:
        Console(width=110).print(_table(outcomes))
    if not all(outcome.passed for outcome in outcomes):
        sys.exit(1)
