"""The supervisor's end of the fork server: starts it, asks it for children, replaces it where it has died.

Nothing here waits: a request is answered by one of the `Started`, `NotStarted` and `Exited` that `receive`
gives later. The children of a server that has died run on.
"""

from __future__ import annotations

import array
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from runtime.supervisor.children.shortage import TOO_LITTLE_MEMORY, refusal_reason
from runtime.supervisor.forkserver.server import ANSWER, BORN, ENDED, READY, REFUSED, TICKET
from tagsight.errors import TagsightError

READY_WITHIN_S = 90.0
"""Until a fresh server has imported what the children share, on a busy machine."""
ANSWER_WITHIN_S = 10.0
"""Until a server that is ready has forked."""
ENDED_BY_ITSELF = "the fork server has ended"
CODE = (
    "import sys; sys.path[:] = {path!r}; "
    "from runtime.supervisor.forkserver.server import main; main({fd}, {preload!r})"
)

log = logging.getLogger(__name__)


class ForkServerError(TagsightError):
    """The kernel or the fork server does not give us a process now; it may later."""


@dataclass(frozen=True)
class Started:
    """The child of this ticket runs. `pidfd` belongs to who receives this; None where the kernel has none."""

    ticket: int
    pid: int
    pidfd: int | None


@dataclass(frozen=True)
class NotStarted:
    """There will be no child for this ticket."""

    ticket: int
    why: str


@dataclass(frozen=True)
class Exited:
    """The child with this pid has ended; `code` as subprocess counts it, negative for a signal."""

    pid: int
    code: int


Answer = Started | NotStarted | Exited


class ForkServerClient:
    """One fork server, started when it is first needed. Times are monotonic seconds."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = list(preload)
        self._server: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._ready = False
        self._waiting: dict[int, float] = {}
        self._since_s = 0.0
        self._lost: list[NotStarted] = []
        self._tickets = 0

    @property
    def line(self) -> socket.socket | None:
        """Readable where `receive` has something to give; another one once a server has been replaced."""
        return self._line

    @property
    def pid(self) -> int | None:
        """Of the server that runs."""
        return None if self._server is None else self._server.pid

    def ask(
        self,
        name: str,
        target: Callable[..., None],
        control: socket.socket,
        arguments: tuple[Any, ...],
        now_s: float,
    ) -> int:
        """Ask for a child that calls `target(control, *arguments)`; the ticket under which it is answered.

        Raises ForkServerError where it cannot even be asked for.
        """
        self._tickets += 1
        try:
            job = _in_memory(pickle.dumps((name, target, arguments)))
            try:
                self._send(array.array("i", (job, control.fileno())), now_s)
            finally:
                os.close(job)
        except OSError as error:
            raise ForkServerError(refusal_reason(error.errno or 0)) from error
        except MemoryError as error:
            raise ForkServerError(TOO_LITTLE_MEMORY) from error
        self._waiting[self._tickets] = now_s
        return self._tickets

    def receive(self, now_s: float) -> list[Answer]:
        """What the server has answered since, and what it will never answer because it has ended."""
        answers: list[Answer] = []
        while self._line is not None:
            fds = array.array("i")
            try:
                data, ancillary, _, _ = self._line.recvmsg(
                    ANSWER.size, socket.CMSG_SPACE(fds.itemsize), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                break
            except OSError:
                data, ancillary = b"", []
            for _, _, payload in ancillary:
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
            if len(data) != ANSWER.size:
                self._discard_server(ENDED_BY_ITSELF)
                break
            what, subject, value = ANSWER.unpack(data)
            answers += self._decode(what, subject, value, fds[0] if fds else None, now_s)
        lost, self._lost = self._lost, []
        return [*answers, *lost]

    def check(self, now_s: float) -> None:
        """Kill a server that does not answer: its children run on, and the next request starts a new one."""
        if self._server is None or not self._waiting:
            return
        limit_s = ANSWER_WITHIN_S if self._ready else READY_WITHIN_S
        if now_s - max(self._since_s, min(self._waiting.values())) > limit_s:
            self._discard_server(f"the fork server has not answered for {limit_s:.0f} s")

    def reset_timeouts(self, now_s: float) -> None:
        """Nobody has listened to the server until now."""
        self._since_s = now_s

    def close(self) -> None:
        """End the server; its children see the end of their supervisor by themselves."""
        if self._server is not None:
            self._discard_server("")

    def _send(self, fds: array.array[int], now_s: float) -> None:
        """Send the request, to a new server where there is none or the one that was there is dead."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)
        data = [TICKET.pack(self._tickets)]
        if self._line is not None:
            try:
                self._line.sendmsg(data, [rights])
            except (BrokenPipeError, ConnectionResetError):
                self._discard_server(ENDED_BY_ITSELF)
            else:
                return
        self._start(now_s).sendmsg(data, [rights])

    def _start(self, now_s: float) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            code = CODE.format(path=sys.path, fd=theirs.fileno(), preload=self._preload)
            self._server = subprocess.Popen(  # noqa: S603 - this interpreter, our own code
                [sys.executable, *subprocess._args_from_interpreter_flags(), "-c", code],  # type: ignore[attr-defined]
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._line, self._ready, self._since_s = ours, False, now_s
        return ours

    def _decode(self, what: int, subject: int, value: int, fd: int | None, now_s: float) -> list[Answer]:
        if what == BORN:
            self._waiting.pop(subject, None)
            return [Started(subject, value, fd)]
        if fd is not None:
            os.close(fd)
        if what == REFUSED:
            self._waiting.pop(subject, None)
            return [NotStarted(subject, refusal_reason(value))]
        if what == ENDED:
            return [Exited(subject, value)]
        if what == READY:
            self._ready, self._since_s = True, now_s
        return []

    def _discard_server(self, why: str) -> None:
        """Be done with the server, dead or not, and with what it was asked for."""
        server, line = self._server, self._line
        self._server = self._line = None
        if line is not None:
            line.close()
        if server is not None:
            server.send_signal(signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                server.wait(1.0)
        if why:
            log.error("%s; the processes that run go on, the next to start gets a new one", why)
        self._lost += [NotStarted(ticket, why) for ticket in self._waiting]
        self._waiting = {}


def _in_memory(data: bytes) -> int:
    """A descriptor of these bytes."""
    fd = os.memfd_create("tagsight-job", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(data)
    except BaseException:
        os.close(fd)
        raise
    return fd
