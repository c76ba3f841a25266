"""The consumer: the reference receiver in a thread here, or `tagsight uplink receive` as a process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from broker.settings import BrokerSettings
from fleet.ingest.consumer.audit import Audit
from fleet.ingest.consumer.receiver import Receiver
from fleet.ingest.consumer.store import CloudStore
from testing.waiting import until

ROOT = Path(__file__).resolve().parents[2]
TAGSIGHT = (sys.executable, "-m", "runtime")
CONNECT_S = 10.0
PROCESS_S = 60.0
STOP_S = 15.0


def audit(path: Path) -> list[Audit]:
    """The account of each device (and stream) in a consumer's database."""
    store = CloudStore(path)
    try:
        return store.audit()
    finally:
        store.close()


def kept(path: Path, tag: str) -> int:
    """How many of the visits called `tag` are in a consumer's database; 0 while there is none."""
    if not path.exists():
        return 0
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        query = "SELECT count(*) FROM events WHERE key LIKE ?"
        return int(db.execute(query, (f"visit/{tag}/%",)).fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        db.close()


class Cloud:
    """The receiver on a broker of this machine, keeping events in the SQLite file `path`.

    `broker` says how to connect where host and port alone do not. With `present` false it comes by `arrive`.
    It can `leave`. `died` is what ended it, if anything did. Usable as a context manager.
    """

    def __init__(
        self,
        path: Path,
        port: int,
        client_id: str = "tagsight-receiver",
        *,
        broker: BrokerSettings | None = None,
        present: bool = True,
    ) -> None:
        self.path = path
        self.died: BaseException | None = None
        self._broker = broker or BrokerSettings(host="127.0.0.1", port=port)
        self._client_id = client_id
        self._thread: threading.Thread | None = None
        self._receiver: Receiver | None = None
        if present:
            self.arrive()

    @property
    def receiver(self) -> Receiver:
        """The receiver that runs. Raises RuntimeError while the cloud is away."""
        if self._receiver is None:
            raise RuntimeError("the cloud is away")
        return self._receiver

    def arrive(self) -> None:
        """Connect and receive; returns once connected, or after 10 s."""
        begun = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(begun,), name="cloud", daemon=True)
        self._thread.start()
        begun.wait(CONNECT_S)
        if self._receiver is not None:
            self._receiver.connected.wait(CONNECT_S)

    def _serve(self, begun: threading.Event) -> None:
        try:
            store = CloudStore(self.path)
            try:
                self._receiver = Receiver(self._broker, store, client_id=self._client_id)
                begun.set()
                self._receiver.run()
            finally:
                store.close()
        except BaseException as error:  # noqa: BLE001 - a trial looks at `died`
            self.died = error
        finally:
            begun.set()

    def leave(self) -> None:
        """Stop receiving; `arrive` goes on with the same database."""
        if self._receiver is not None and self._thread is not None:
            self._receiver.stopping.set()
            self._thread.join(CONNECT_S)
        self._receiver = self._thread = None

    def close(self) -> None:
        """Stop receiving."""
        self.leave()

    def audit(self) -> list[Audit]:
        """The account of each device (and stream) so far."""
        return audit(self.path)

    def has(self, last_seq: int) -> bool:
        """Whether every account is whole and one of them reaches `last_seq`."""
        audits = self.audit()
        return all(one.complete for one in audits) and any(one.last_seq >= last_seq for one in audits)

    def kept(self, name: str) -> int:
        """How many of the visits called `name` are kept."""
        return kept(self.path, name)

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Receive:
    """`tagsight uplink receive` as a process of its own, keeping events in the SQLite file `path`.

    What it says goes to `log`, beside `path`. `options` are further ones of the command. Usable as a context
    manager.
    """

    def __init__(self, path: Path, port: int, options: Sequence[str] = (), *, start: bool = True) -> None:
        self.path = path
        self.log = path.with_name(path.name + ".log")
        self.port = port
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        if start:
            self.start()

    def start(self, prefix: Sequence[str] = ()) -> bool:
        """Start it, behind the words of `prefix` if any; whether it has connected within a minute."""
        command = [*TAGSIGHT, "uplink", "receive", "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *command, "--db", str(self.path), *self._options],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )
        return until(lambda: self.connected() or self.exit_code() is not None, PROCESS_S) and self.connected()

    @property
    def pid(self) -> int:
        """Its process id. Raises RuntimeError where it was never started."""
        if self._process is None:
            raise RuntimeError("the receiver was not started")
        return self._process.pid

    def connected(self) -> bool:
        """Whether it holds a TCP connection to the broker's port."""
        return self._process is not None and is_connected(self._process.pid, self.port)

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return None if self._process is None else self._process.poll()

    def said(self) -> str:
        """Its words so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> int | None:
        """End it as an operator would; returns its exit code, None where it did not end and was killed."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                return self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        return self._process.returncode

    def close(self) -> None:
        """End it."""
        self.stop()

    def audit(self) -> list[Audit]:
        """The account of each device (and stream) so far."""
        return audit(self.path)

    def kept(self, name: str) -> int:
        """How many of the visits called `name` are kept."""
        return kept(self.path, name)

    def __enter__(self) -> Receive:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def is_connected(pid: int, port: int) -> bool:
    """Whether a process of ours holds an established IPv4 connection to `port` (Linux: /proc/net/tcp)."""
    wanted = f"0100007F:{port:04X}"
    try:
        inodes = {
            line.split()[9]
            for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
            if line.split()[2] == wanted and line.split()[3] == "01"
        }
        held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    return any(f"socket:[{inode}]" in held for inode in inodes)
