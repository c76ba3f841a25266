"""What the console costs: CPU time of its process, and what becomes of the daemon's own rate.

The plaza runs once. For `--seconds` each: nobody looks; two browsers have the live page open; the same two
also look at camera pictures. The baseline is the rate at which pictures are analysed while nobody looks.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from broker.mosquitto import LocalBroker
from contract.envelope import open_event
from contract.facts import ProcessHealth
from runtime.config import StoreConfig, load
from runtime.console.link import KEY_FILE, sign_in_link
from runtime.console.shown import Setup
from runtime.demo.plaza import find_clip, open_plaza
from runtime.uplink.outbox.reader import OutboxReader
from tagsight.errors import TagsightError

READY_WITHIN_S = 180.0
SETTLE_S = 3.0
VIEWERS = 2
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """One part: who looks, the console's share of a core, pictures analysed a second, what a browser gets."""

    who: str
    cpu_percent: float
    fps: float
    kilobytes_per_s: float


class ReadingBrowser:
    """One that reads as fast as it is told, and draws nothing."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._cookie = ""
        self._open: list[http.client.HTTPConnection] = []
        self.received = 0

    def sign_in(self) -> None:
        """By a link of the terminal."""
        path = "/" + sign_in_link(self._setup).partition("://")[2].partition("/")[2]
        page, first = self._ask(path)
        token = re.search(r'name="token" value="(\w+)"', page)
        body = f"token={'' if token is None else token[1]}"
        kind = "application/x-www-form-urlencoded"
        origin = self._setup.url().rstrip("/")
        _, self._cookie = self._ask(
            path, "POST", body, {"Cookie": first, "Origin": origin, "Content-Type": kind}
        )

    def look(self, path: str) -> None:
        """Keep reading what comes."""
        connection = self._connection()
        connection.request("GET", path, headers={"Cookie": self._cookie})
        answer = connection.getresponse()
        if answer.status != 200:
            raise TagsightError(f"{path}: answered {answer.status}")
        self._open.append(connection)
        threading.Thread(target=self._read, args=(answer,), daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        for connection in self._open:
            if connection.sock is not None:
                connection.sock.close()
            connection.close()

    def _read(self, answer: http.client.HTTPResponse) -> None:
        try:
            while data := answer.read1(65_536):
                self.received += len(data)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return

    def _ask(
        self, path: str, method: str = "GET", body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[str, str]:
        connection = self._connection()
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.read().decode(), str(answer.headers["set-cookie"]).partition(";")[0]

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("localhost", self._setup.port, timeout=30)


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pid_of(log: Path) -> int:
    """Of the console process, as the supervisor's log has it."""
    found = re.findall(r"console started, pid (\d+)", log.read_text())
    if not found:
        raise TagsightError(f"{log}: no console process in it")
    return int(found[-1])


def fps_of(config: StoreConfig, since_s: float) -> float:
    """Pictures a second that were analysed, by the mean of the health told since."""
    reader = OutboxReader(config.outbox_path())
    try:
        rows = reader.rows(reader.first_since(since_s), limit=100_000, max_bytes=50_000_000)
    finally:
        reader.close()
    facts = [open_event(row.body).fact for row in rows if row.kind == "health"]
    told = [
        fact.values["fps"]
        for fact in facts
        if isinstance(fact, ProcessHealth) and fact.process == "vision" and "fps" in fact.values
    ]
    return sum(told) / len(told) if told else 0.0


def wait_for(done: Callable[[], bool], what: str) -> None:
    """Raises TagsightError where it does not come about."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    while not done():
        if time.monotonic() > deadline_s:
            raise TagsightError(f"{what} did not come about within {READY_WITHIN_S:.0f} s")
        time.sleep(0.3)


@click.command("console")
@click.option("--seconds", type=click.FloatRange(5, 600), default=30.0, show_default=True, help="Each part.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def console(seconds: float, as_json: bool) -> None:
    """What the pages cost while nobody looks, and while two do.

    \b
    Example:
      tagsight bench console --seconds 30
    """
    rows = measure(seconds)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    table = Table(
        "who looks", "console, % of a core", "pictures analysed /s", "of nobody's", "kB/s a browser"
    )
    for row in rows:
        share = row.fps / rows[0].fps if rows[0].fps else 0.0
        figures = (f"{row.cpu_percent:.1f}", f"{row.fps:.1f}", f"{share:.2f}", f"{row.kilobytes_per_s:.0f}")
        table.add_row(row.who, *figures)
    Console().print(table)


def measure(seconds: float) -> list[Cost]:
    """The three parts, a row each."""
    rows: list[Cost] = []
    with ExitStack() as stack:
        box = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagsight-bench-")))
        broker = stack.enter_context(LocalBroker())
        plaza = stack.enter_context(open_plaza(box, find_clip(), broker.port))
        config = load(plaza.config)
        setup = Setup.of(config)
        wait_for((setup.folder / KEY_FILE).exists, "the console")
        wait_for(config.outbox_path().exists, "the outbox")
        wait_for(lambda: fps_of(config, time.time() - 10) > 0, "the first picture")
        pid = pid_of(plaza.log)
        browsers = [ReadingBrowser(setup) for _ in range(VIEWERS)]

        def part(who: str) -> None:
            time.sleep(SETTLE_S)
            began_s, used_s = time.time(), cpu_s(pid)
            bytes_before = sum(browser.received for browser in browsers)
            time.sleep(seconds)
            took_s = time.time() - began_s
            received = sum(browser.received for browser in browsers) - bytes_before
            cpu_percent = 100 * (cpu_s(pid) - used_s) / took_s
            rows.append(Cost(who, cpu_percent, fps_of(config, began_s), received / VIEWERS / took_s / 1_000))

        part("nobody")
        for browser in browsers:
            browser.sign_in()
            browser.look("/live/stream")
        part("two, the live page")
        for browser in browsers:
            browser.look(f"/cameras/{config.cameras[0].name}/pictures")
        part("two, and camera pictures")
        for browser in browsers:
            browser.close()
    return rows
