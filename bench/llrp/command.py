"""`tagsight bench llrp`: what a session survives, what it loses, and how fast it decodes."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from bench.llrp.failures import FAILURES, Survived
from bench.llrp.hostile import Ordeal, record_corpus, torment
from bench.llrp.numbered_source import NumberedSource
from bench.llrp.rate import Rates, measure_rates
from bench.llrp.storm import Weather, storm
from bench.llrp.usual_client import usual_client_under
from tagsight.errors import TagsightError

PARTS = ("failures", "storm", "fuzz", "rate")
PLAIN_COLUMNS = 150


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)


def _usual(survived: Survived) -> str:
    """What becomes of sllurp's own client under the same fault."""
    if survived.strike is None:
        return ""
    try:
        return usual_client_under(*survived.strike)
    except TagsightError as error:
        return str(error)


def _print_failures(console: Console, survived: list[Survived], usual: list[str]) -> None:
    head = ("fault", "reads again after", "sllurp's client", "sent / received / lost", "beside it", "")
    table = Table(*head)
    for one, other in zip(survived, usual, strict=True):
        account = one.account
        table.add_row(
            one.fault,
            f"{one.recovery_s:.1f} s",
            other,
            f"{account.sent} / {account.received} / {account.lost}",
            f"{one.said}; up to {one.attempts_per_s} attempts/s",
            "passed" if one.passed else "FAILED",
        )
    console.print(table)


def _print_storm(console: Console, weather: Weather) -> None:
    table = Table("fault", "times", "reads again after, at most")
    for kind, count in sorted(weather.strikes.items()):
        table.add_row(kind, str(count), f"{weather.recovery_s[kind]:.1f} s")
    console.print(table)
    account, before, after = weather.account, weather.before, weather.after
    for line in (
        f"{weather.seconds:.0f} s, {sum(weather.strikes.values())} faults, "
        f"{weather.connections} connections, {weather.malformed} malformed frames",
        f"reads sent before a fault {account.sent}, behind a malformed frame {account.unowed}",
        f"received {account.received}, lost {account.lost}, twice {account.twice}, wrong {account.wrong}",
        f"descriptors {before.descriptors} -> {after.descriptors}, threads {before.threads} -> "
        f"{after.threads}, memory {before.memory_mb:.1f} -> {after.memory_mb:.1f} MB",
        "passed" if weather.passed else "FAILED",
    ):
        console.print(line)


def _print_fuzz(console: Console, ordeal: Ordeal) -> None:
    ended = ", ".join(f"{count} {kind}" for kind, count in sorted(ordeal.ended.items()))
    console.print(
        f"{ordeal.inputs} hostile inputs in {ordeal.seconds:.0f} s: {ordeal.crashes} crashes, slowest "
        f"{ordeal.slowest_s * 1e3:.0f} ms of CPU time, memory {ordeal.grown_mb:+.1f} MB "
        f"({ended}; {ordeal.reads} reads): {'passed' if ordeal.passed else 'FAILED'}"
    )
    if ordeal.first_crash:
        console.print(f"first crash: {ordeal.first_crash}")


def _print_rate(console: Console, rates: Rates) -> None:
    console.print(
        f"{rates.reads} reads on one core: {rates.decoded_per_s:,.0f} a second from bytes to read tables, "
        f"{rates.judged_per_s:,.0f} judged by the production detector as well; sllurp's codec alone "
        f"{rates.sllurp_per_s:,.0f} ({rates.decoded_per_s / rates.sllurp_per_s:.1f} times)"
    )


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--minutes", default=10.0, show_default=True, help="How long random faults go on.")
@click.option("--inputs", default=1_000_000, show_default=True, help="Hostile inputs.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def llrp(parts: tuple[str, ...], minutes: float, inputs: int, seed: int, as_json: bool) -> None:
    """The session against everything that goes wrong with readers, over TCP with the simulated reader.

    PARTS: failures (the faults that stop the usual client, each once, beside sllurp's own client where it
    is here), storm (random faults for --minutes), fuzz (--inputs mutated frames), rate (reads a second on
    one core); all by default. Exits 1 if anything is lost, leaks or crashes.

    \b
    Example:
      tagsight bench llrp failures rate
      tagsight bench llrp storm --minutes 10
    """
    logging.getLogger("sllurp").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS)
    wanted = parts or PARTS
    found: dict[str, object] = {}
    good = True
    if "failures" in wanted:
        survived = [failure() for failure in FAILURES]
        usual = [_usual(one) for one in survived]
        found["failures"] = [
            {**asdict(one), "sllurp_client": other} for one, other in zip(survived, usual, strict=True)
        ]
        good &= all(one.passed for one in survived)
        if not as_json:
            _print_failures(console, survived, usual)
    if "storm" in wanted:
        weather = storm(60 * minutes, seed, tell=_progress)
        found["storm"] = asdict(weather)
        good &= weather.passed
        if not as_json:
            _print_storm(console, weather)
    if "fuzz" in wanted:
        ordeal = torment(record_corpus(NumberedSource(100.0)), inputs, seed, _progress)
        found["fuzz"] = asdict(ordeal)
        good &= ordeal.passed
        if not as_json:
            _print_fuzz(console, ordeal)
    if "rate" in wanted:
        rates = measure_rates()
        found["rate"] = asdict(rates)
        if not as_json:
            _print_rate(console, rates)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    if not good:
        raise TagsightError("something was lost, leaked or crashed: see above")
