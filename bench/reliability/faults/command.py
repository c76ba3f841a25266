"""What goes wrong in a shop, and what it costs: a table of faults.

Three rigs. Rows about the way to the cloud and the outbox run a device process of their own
(`rig`: outbox and sender, a private Mosquitto, the reference receiver); rows about cameras, readers, memory
and configuration run the whole daemon (`box`); rows about streams, consumers, state and processes run daemon
and receiver as processes (`trial`).

A device promises an event when it is on disk: that is when the store process is told. For every fault the
consumer's audit (`testing.delivery.account`) says how many promised events were neither received nor named in
a gap ("lost": must be 0), how many facts or numbers were kept twice or out of order (must be 0), and how long
after the fault was over everything was accounted for.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.reliability.faults.box import Box, NoBox, fresh_box
from bench.reliability.faults.mends import MENDS, table, take_back
from bench.reliability.faults.rig import Outcome
from bench.reliability.faults.rows import box, clock, consumer, device, link, reader, state, stream
from testing.delivery.account import Account


class FaultRow(NamedTuple):
    """What strikes, and how often in a full and in a quick run."""

    strike: Callable[[int], Outcome]
    times: int
    quick: int = 1


class BoxRow(NamedTuple):
    """The same for what strikes the whole daemon; these rows share one, one after the other."""

    strike: Callable[[Box, int], Outcome]
    times: int
    quick: int = 1


ROWS: dict[str, FaultRow] = {
    "broker-killed": FaultRow(link.broker_killed, 3),
    "broker-gone": FaultRow(link.broker_gone, 1),
    "cloud-away": FaultRow(link.cloud_away_and_broker_killed, 2),
    "half-open": FaultRow(link.half_open, 2),
    "first-after-cut": FaultRow(link.first_message_after_a_cut, 3),
    "acl-refusal": FaultRow(link.refused_by_acl, 1),
    "certificate-expired": FaultRow(link.certificate_expired, 1),
    "device-killed": FaultRow(device.device_killed, 200, 8),
    "power-cut": FaultRow(device.power_cut, 20, 3),
    "disk-full": FaultRow(device.disk_full, 2),
    "outbox-damaged": FaultRow(device.outbox_damaged, 2, 2),
    "clock-steps": FaultRow(device.clock_steps, 2),
    "clock-years-off": FaultRow(clock.clock_years_off, 1),
    "new-disk": FaultRow(stream.new_disk, 2),
    "restored-image": FaultRow(stream.restored_image, 2),
    "clones": FaultRow(stream.clones, 1),
    "forged-ack": FaultRow(stream.forged_ack, 2),
    "replay-flood": FaultRow(stream.replay_flood, 2),
    "fork-fails": FaultRow(state.fork_fails, 2),
    "outbox-unlinked": FaultRow(stream.outbox_unlinked, 2, 2),
    "consumer-older": FaultRow(consumer.consumer_older, 2),
    "restored-cloud": FaultRow(consumer.restored_cloud, 2),
    "ack-before-commit": FaultRow(consumer.ack_before_commit, 5),
    "two-daemons": FaultRow(state.two_daemons, 2),
    "huge-message": FaultRow(consumer.huge_message, 2),
    "big-reload": FaultRow(state.big_reload, 1),
    "epc-flood": FaultRow(reader.epc_flood, 1),
    "state-read-only": FaultRow(state.state_read_only, 2),
    "outbox-newer": FaultRow(stream.outbox_newer, 2),
    "secret-in-uri": FaultRow(state.secret_in_uri, 1),
}
BOX_ROWS: dict[str, BoxRow] = {
    "config-broken": BoxRow(box.config_broken, 1),
    "camera-dead": BoxRow(box.camera_dead, 2),
    "camera-frozen": BoxRow(box.camera_frozen, 1),
    "camera-resized": BoxRow(box.camera_resized, 1),
    "reader-unplugged": BoxRow(box.reader_unplugged, 2),
    "memory-cap": BoxRow(box.memory_cap_hit, 2),
    "processes-killed": BoxRow(box.processes_killed, 1),
    "box-power-cut": BoxRow(box.box_power_cut, 2),
}
NAMES = (*ROWS, *BOX_ROWS)
NOTHING = Account(0, 0, 0, 0, 0, 0, 0)


def run_faults(names: Sequence[str], times: Mapping[str, int], tell: Callable[[str], None]) -> list[Outcome]:
    """These rows of the table, each so many `times`; `tell` hears of each when it is over."""
    outcomes = []
    with ExitStack() as stack:
        shared_box: Box | None = None
        for name in names:
            began_s = time.monotonic()
            try:
                if name in ROWS:
                    outcome = ROWS[name].strike(times[name])
                else:
                    shared_box = shared_box or stack.enter_context(fresh_box())
                    outcome = BOX_ROWS[name].strike(shared_box, times[name])
            except NoBox as error:
                outcome = Outcome(name, 0, NOTHING, 0.0, f"not run: {error}")
            except (RuntimeError, AssertionError) as error:
                outcome = Outcome(name, times[name], NOTHING, 0.0, f"FAILED: {error}", failed=True)
                stack.close()
                shared_box = None
            outcomes.append(outcome)
            tell(f"{outcome.fault}: {_verdict_of(outcome)} ({time.monotonic() - began_s:.0f} s)")
    return outcomes


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Faults: what they cost")
    for heading in (
        "fault",
        "times",
        "promised",
        "lost",
        "in gaps",
        "twice",
        "disorder",
        "recovered in",
        "said",
    ):
        table.add_column(heading, justify="left" if heading in ("fault", "said") else "right")
    for one in outcomes:
        account = one.account
        table.add_row(
            one.fault,
            str(one.times),
            f"{account.promised:,}",
            f"{account.lost:,}",
            f"{account.named_in_gaps:,}",
            str(account.kept_twice + account.seq_twice),
            str(account.out_of_order),
            f"{one.recovery_s:.1f} s",
            one.said,
        )
    return table


def _verdict_of(outcome: Outcome) -> str:
    if outcome.times == 0 or outcome.failed:
        return outcome.said
    return "nothing lost" if outcome.passed else "FAILED"


def _verdict(outcomes: list[Outcome]) -> str:
    """The consumer's audit over the whole run."""
    accounts = [one.account for one in outcomes]
    return (
        f"whole run: {sum(one.promised for one in accounts):,} events promised, "
        f"{sum(one.received for one in accounts):,} received, "
        f"{sum(one.named_in_gaps for one in accounts):,} named in gaps, "
        f"{sum(one.lost for one in accounts):,} lost, "
        f"{sum(one.kept_twice + one.seq_twice for one in accounts)} twice after dedupe, "
        f"{sum(one.out_of_order for one in accounts)} out of order by seq"
    )


@click.command()
@click.option("--rows", "names", help="Only these, separated by commas: " + ", ".join(NAMES))
@click.option("--quick", is_flag=True, help="Each fault once or a few times.")
@click.option("--kills", type=click.IntRange(1), help="How often the device is killed instead.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the table as JSON here.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option(
    "--taken-back", is_flag=True, help="See each row fail without its mend, in a copy of the source."
)
def faults(
    names: str | None, quick: bool, kills: int | None, out: Path | None, as_json: bool, taken_back: bool
) -> None:
    """Break everything we know how to break, and account for every event. Exits with 1 if any is lost.

    \b
    Example:
      tagsight bench faults --out faults.json
      tagsight bench faults --rows device-killed,power-cut --kills 200
      tagsight bench faults --taken-back --rows new-disk
    """
    chosen = list(NAMES) if names is None else [name.strip() for name in names.split(",")]
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        raise click.UsageError(f"no such row: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if taken_back:
        _take_back(chosen)
        return
    for room in ("broker", "fleet", "runtime"):
        logging.getLogger(room).setLevel(logging.ERROR)
    times = {name: row.quick if quick else row.times for name, row in (ROWS | BOX_ROWS).items()}
    if kills is not None:
        times["device-killed"] = kills
    outcomes = run_faults(chosen, times, lambda words: click.echo(words, err=True))
    rows = [{**msgspec.to_builtins(one), "passed": one.passed} for one in outcomes]
    document = json.dumps(rows, indent=2)
    if out is not None:
        out.write_text(document + "\n")
    if as_json:
        click.echo(document)
    else:
        Console(width=160).print(_table(outcomes))
        click.echo(_verdict(outcomes))
    if not all(outcome.passed for outcome in outcomes):
        sys.exit(1)


def _take_back(rows: Sequence[str]) -> None:
    """The rows without their mends, as a table; exits with 1 where one passes."""
    verdicts = []
    for mend in MENDS:
        if mend.row in rows:
            verdicts.append(take_back(mend))
            click.echo(f"{mend.row} without its mend: {verdicts[-1].said}", err=True)
    click.echo(table(verdicts))
    if not all(verdict.noticed for verdict in verdicts):
        sys.exit(1)
