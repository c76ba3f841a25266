"""The first code that runs in a child process."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import os
import re
import resource
import signal
import socket
import traceback
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from runtime.clock import HostClock
from runtime.messages import Health, HealthState, PeerGone, send
from runtime.supervisor.children.shortage import shortage
from runtime.supervisor.systemd.journal import JournalHandler, goes_to_journal
from tagsight.errors import TagsightError
from tagsight.redaction import RedactingFormatter, redact, redact_traces

CRASH_REPORTS_KEPT = 20
CRASH_BYTES_KEPT = 2_000_000
REPORT = re.compile(r"\.(\d{1,10})\.trace$")

log = logging.getLogger(__name__)


def run_child(
    control: socket.socket, kind: str, name: str, spec: Any, crash_dir: str, log_level: int
) -> None:
    """Prepare the process and hand it to `runtime.processes.<kind>.main`.

    Signals that end the daemon are the supervisor's business: the child ends when told `Stop` or when the
    control socket closes. SIGABRT, the supervisor's answer to a stall, leaves the stack of every thread in
    `crash_dir`; core files are never written. Raises SystemExit once a fault has been told.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    configure_logging(log_level)
    report = trace_file(Path(crash_dir), name, os.getpid())
    with _open_trace(report) as trace:
        faulthandler.enable(trace, all_threads=True)
        try:
            module = importlib.import_module(f"runtime.processes.{kind}")
            # What was imported before the fork stays shared: the collector must not touch it.
            gc.freeze()
            module.main(control, spec)
        except TagsightError as error:
            log.error("%s cannot go on: %s", name, error)
            _report_failure(control, name, spec.clock, str(error))
            raise SystemExit(1) from error
        except Exception as error:
            if lacks := shortage(error):
                why = f"{lacks} ({error})"
                log.error("%s cannot go on: %s", name, why)
                _report_failure(control, name, spec.clock, why)
            else:
                log.exception("%s stopped by a fault", name)
            trace.write(redact("".join(traceback.format_exception(error))))
            trace.flush()
            faulthandler.dump_traceback(trace)
            raise SystemExit(1) from error
        finally:
            faulthandler.disable()
    with suppress(OSError):
        report.unlink(missing_ok=True)


def _open_trace(report: Path) -> TextIO:
    """The file of traces; a disk that takes none does not keep a process from running."""
    try:
        return report.open("w")
    except OSError as error:
        log.warning("%s: no trace can be kept (%s)", report, error.strerror)
        return Path(os.devnull).open("w")


def _report_failure(control: socket.socket, name: str, clock: tuple[float, float], why: str) -> None:
    """The last word of a process that ends by a fault somebody can mend: its health says what it is."""
    now_s = HostClock(state=clock).now()
    with suppress(BlockingIOError, PeerGone):
        send(control, Health(name, HealthState.FAILED, now_s, now_s, why))


def configure_logging(level: int) -> None:
    """To the journal where systemd started us, one entry a record; else lines with their time. Secrets are
    struck out of both.
    """
    handler: logging.Handler
    if goes_to_journal():
        handler = JournalHandler()
        handler.setFormatter(RedactingFormatter())
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)-7s %(processName)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    redact_traces()


def trace_file(crash_dir: Path, name: str, pid: int) -> Path:
    """The file of one process's traces; a name from the configuration may hold any character."""
    return crash_dir / f"{re.sub(r'[^A-Za-z0-9_-]', '-', name)}.{pid}.trace"


def prune_crash_reports(crash_dir: Path, alive: Collection[int]) -> None:
    """Keep the newest reports, so many and so much; empty ones are of processes that were killed."""
    found = ((path, REPORT.search(path.name)) for path in crash_dir.glob("*.trace"))
    ended = [path for path, ours in found if ours is not None and int(ours[1]) not in alive]
    ended.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    kept = size = 0
    for path in ended:
        length = path.stat().st_size
        if length and kept < CRASH_REPORTS_KEPT and size + length <= CRASH_BYTES_KEPT:
            kept += 1
            size += length
        else:
            path.unlink(missing_ok=True)
