"""The real daemon on the demo's store: looped clip as cameras, simulated reader, a broker that is given."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import yaml

from broker.mosquitto import free_port
from contract.ranges import SeqRanges
from runtime.demo.plaza import SCENARIO, STORE, find_clip
from testing.delivery.cloud import ROOT, TAGSIGHT
from testing.waiting import until

STARTED = re.compile(r"MainProcess: (.+) started, pid (\d+)$", re.MULTILINE)
INTERVALS = {"footfall_s": 1, "heatmap_s": 5, "flow_s": 5, "health_s": 1}
BEGUN_SEQ = 5
START_S = 240.0
"""Starting takes a few seconds on two idle cores, and minutes on two that dozens of programs share."""
STOP_S = 15.0


class Plaza:
    """`tagsight run` as a process group of its own, with its files in `folder`.

    `cameras` looped clips are analysed at `fps` each (none: the daemon is up in seconds); `reader` says
    whether there is a simulated one, which runs from the beginning until `close`. `change` edits the
    configuration before it is written. `state` is the state folder, by default `folder`/state. `p` is the
    process that was started, `store` the configuration, `config` its file, `log` the daemon's words. Usable
    as a context manager.
    """

    def __init__(
        self,
        folder: Path | str,
        port: int,
        *,
        trust: bool = False,
        cameras: int = 1,
        fps: float = 1,
        reader: bool = True,
        change: Callable[[dict[str, Any]], object] | None = None,
        state: Path | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "daemon.log"
        self.config = self.folder / "store.yaml"
        self.rport = free_port()
        self.reader: subprocess.Popen[bytes] | None = None
        self.p: subprocess.Popen[bytes]
        self.store = self._describe(port, trust, cameras, fps, reader, state or self.folder / "state")
        if change is not None:
            change(self.store)
        self.write_config()
        if reader:
            self.start_reader()

    def _describe(
        self, port: int, trust: bool, cameras: int, fps: float, reader: bool, state: Path
    ) -> dict[str, Any]:
        store: dict[str, Any] = yaml.safe_load(STORE.read_text())
        clip = f"file:{find_clip()}?loop=1&pace=real" if cameras else ""
        (camera,) = store["cameras"]
        store["cameras"] = [
            {**camera, "name": f"cam{number}", "uri": clip, "analysis_fps": fps} for number in range(cameras)
        ]
        if reader:
            store["readers"][0].update(port=self.rport)
        else:
            store["readers"] = []
        store["uplink"] = {"host": "127.0.0.1", "port": port, "trust_broker": trust}
        store["state_dir"] = str(state)
        store["intervals"] = dict(INTERVALS)
        return store

    @property
    def state(self) -> Path:
        """The state folder."""
        return Path(self.store["state_dir"])

    @property
    def outbox(self) -> Path:
        """The outbox in it."""
        return self.state / "outbox.db"

    def write_config(self) -> None:
        """Write `store` as store.yaml."""
        self.config.write_text(yaml.dump(self.store, Dumper=yaml.CSafeDumper, sort_keys=False))

    def start_reader(self) -> None:
        """Start the simulated reader."""
        simulate = ["rfid", "simulate", "--scenario", str(SCENARIO), "--port", str(self.rport)]
        with (self.folder / "reader.log").open("ab") as log:
            self.reader = subprocess.Popen(
                [*TAGSIGHT, *simulate], stdout=log, stderr=log, cwd=ROOT, env=_env()
            )

    def kill_reader(self) -> None:
        """Pull the simulated reader's plug."""
        if self.reader is not None:
            self.reader.kill()
            self.reader.wait()
            self.reader = None

    def start(
        self, prefix: Sequence[str] = (), wait: bool = True, env: Mapping[str, str] | None = None
    ) -> bool:
        """Start the daemon, behind the words of `prefix` if any (prlimit, setpriv, strace, faketime).

        With `wait`, whether it has written events before it ended or START_S were over; else True.
        """
        before = self.seq()
        with self.log.open("ab") as log:
            self.p = subprocess.Popen(
                [*prefix, *TAGSIGHT, "run", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**_env(), **(env or {})},
                start_new_session=True,
            )
        goal = max(before, 0) + BEGUN_SEQ
        if not wait:
            return True
        until(lambda: self.seq() > goal or self.p.poll() is not None, START_S)
        return self.seq() > goal

    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self.p.poll() is None

    def reload(self) -> None:
        """SIGHUP to the supervisor."""
        os.kill(self.supervisor(), signal.SIGHUP)

    def supervisor(self) -> int:
        """The process id of `tagsight run` itself, which a `prefix` may have as its child."""
        for line in self.group():
            pid, *_, words = line.split(maxsplit=6)
            if words.startswith(f"{' '.join(TAGSIGHT)} run"):
                return int(pid)
        return self.p.pid

    def said(self) -> str:
        """The daemon's log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def pids(self) -> dict[str, int]:
        """The daemon's processes that were started last, without the supervisor."""
        return {name: int(pid) for name, pid in STARTED.findall(self.said())}

    def group(self) -> list[str]:
        """The processes of the daemon's session: "pid ppid sid stat rss_kb comm args", a line each."""
        lines = [_line_of(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [line for line in lines if line and int(line.split()[2]) == self.p.pid]

    def seq(self) -> int:
        """The last `seq` on the device's disk; -1 where it cannot be read."""
        try:
            return int(self._note("last_seq"))
        except (sqlite3.Error, TypeError, ValueError):
            return -1

    def delivered(self) -> int:
        """Everything up to this `seq` is noted as delivered; -1 where it cannot be read."""
        try:
            return SeqRanges.parse(self._note("delivered")).prefix_end()
        except (sqlite3.Error, TypeError, ValueError):
            return -1

    def _note(self, name: str) -> str:
        """Raises sqlite3.Error where the outbox cannot be read, TypeError where it has no such note."""
        with closing(sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True, timeout=2.0)) as db:
            row = db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def kill(self) -> None:
        """SIGKILL for the whole session: supervisor, fork server and every process."""
        for line in self.group():
            with suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)
        with suppress(ProcessLookupError):
            self.p.kill()
        self.p.wait()
        until(lambda: not self.group(), STOP_S)

    def stop(self) -> int | str:
        """SIGTERM; returns the exit code, or "did not stop" after 15 s. Nothing of the session is left."""
        code: int | str
        if self.p.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.supervisor(), signal.SIGTERM)
            try:
                code = self.p.wait(STOP_S)
            except subprocess.TimeoutExpired:
                code = "did not stop"
        else:
            code = self.p.returncode
        self.kill()
        return code

    def close(self) -> int | str:
        """Stop daemon and reader; returns the daemon's exit code, 0 where none was started."""
        code = self.stop() if hasattr(self, "p") else 0
        self.kill_reader()
        return code

    def tail(self, n: int = 6, drop: str = "started, pid") -> str:
        """The last `n` lines of the log without those that have `drop`, indented to be printed."""
        lines = [line for line in self.said().splitlines() if drop not in line]
        return "\n".join("      | " + line[:230] for line in lines[-n:])

    def __enter__(self) -> Plaza:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _env() -> dict[str, str]:
    """One thread a process: the daemons of many trials share few cores."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _line_of(pid: int) -> str:
    """As `ps -o pid,ppid,sid,stat,rss,comm,args` has it; empty where the process is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    head, _, rest = stat.rpartition(")")
    fields = rest.split()
    if fields[0] == "Z":
        return ""
    rss_kb = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024
    comm = head.partition("(")[2].replace(" ", "_")
    return f"{pid} {fields[1]} {fields[3]} {fields[0]} {rss_kb} {comm} {words.strip() or comm}"
