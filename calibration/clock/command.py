"""`tagsight calibrate clock`: this machine's clock, a time server's and the readers'."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calibration.which_reader import reader_at

if TYPE_CHECKING:
    from rfid_reader.settings import ReaderSettings

POLL_S = 0.1


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="store.yaml: measure all its readers.")
@click.option("--reader", metavar="HOST[:PORT]", help="Measure this reader.")
@click.option("--server", help="Ask this NTP server too.")
@click.option(
    "--seconds", type=click.FloatRange(1, 3_600), default=10.0, help="How long to listen to a reader."
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def clock(config: Path | None, reader: str | None, server: str | None, seconds: float, as_json: bool) -> None:
    """Say whether this machine's clock is synchronised, and how far the readers' clocks are from it.

    A reader's offset is measured from its tag reports, so some tag must be in view. It does not have to be
    small: tagsight maps reader time to host time. A clock of this machine that is wrong makes wrong events.

    \b
    Example:
      tagsight calibrate clock --reader 192.0.2.20 --server pool.ntp.org
    """
    from calibration.clock.report import ask_time_server

    found: dict[str, Any] = {"kernel": _kernel()}
    if server is not None:
        answer = ask_time_server(server)
        found["server"] = {"host": server, "offset_s": answer.offset_s, "round_trip_s": answer.round_trip_s}
    found["readers"] = [_reader(settings, seconds) for settings in _settings(config, reader)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in _lines(found):
        click.echo(line)


def _kernel() -> dict[str, Any] | None:
    from runtime.kernel_clock import kernel_clock

    verdict = kernel_clock()
    if verdict is None:
        return None
    return {
        "synchronised": verdict.synchronised,
        "estimated_error_s": verdict.estimated_error_s,
        "rate_ppm": round(verdict.rate_ppm, 3),
    }


def _settings(config: Path | None, reader: str | None) -> list[ReaderSettings]:
    from runtime.config import load_at_work
    from runtime.reader_settings import settings_of

    chosen = [reader_at(reader)] if reader is not None else []
    if config is not None:
        chosen += [settings_of(entry) for entry in load_at_work(config).readers]
    return chosen


def _reader(settings: ReaderSettings, seconds: float) -> dict[str, Any]:
    """Listens to one reader and reports its clock's offset; null and why when it cannot be known."""
    from rfid_reader.session.reader_session import ReaderSession

    session = ReaderSession(settings, lambda _: None)
    session.start()
    end_s = time.monotonic() + seconds
    try:
        while time.monotonic() < end_s and session.alive():
            time.sleep(POLL_S)
        health = session.health()
    finally:
        session.stop()
    ahead_s = None if health.clock_offset_s is None else -health.clock_offset_s
    return {
        "reader": settings.label,
        "state": health.state,
        "detail": health.detail,
        "reads": health.reads,
        "ahead_s": ahead_s,
        "steps": health.clock_steps,
    }


def _lines(found: dict[str, Any]) -> list[str]:
    kernel = found["kernel"]
    if kernel is None:
        lines = ["this machine's clock: the kernel cannot be asked here"]
    elif kernel["synchronised"]:
        lines = [
            f"this machine's clock: synchronised, estimated error {kernel['estimated_error_s'] * 1e3:.1f} ms"
        ]
    else:
        lines = ["this machine's clock: not synchronised; install and start chrony or systemd-timesyncd"]
    if "server" in found:
        server = found["server"]
        lines.append(
            f"time server {server['host']}: {server['offset_s'] * 1e3:+.1f} ms from ours "
            f"(round trip {server['round_trip_s'] * 1e3:.1f} ms)"
        )
    for reader in found["readers"]:
        if reader["ahead_s"] is None:
            why = reader["detail"] or ("no tag was read" if reader["state"] == "reading" else reader["state"])
            lines.append(f"reader {reader['reader']}: offset unknown: {why}")
        else:
            steps = f", stepped {reader['steps']} times" if reader["steps"] else ""
            lines.append(
                f"reader {reader['reader']}: {reader['ahead_s']:+.3f} s ahead of this machine{steps}"
            )
    return lines
