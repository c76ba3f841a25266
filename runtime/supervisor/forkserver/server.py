"""The process that children are forked from: it imports once what they share, and forks when it is asked.

The server of `multiprocessing` ends with the first fork that the kernel refuses, every child that it started
is then taken for dead, and whoever asks it waits without a limit. This one refuses a request that cannot be
met and serves the next; `runtime.supervisor.forkserver.client` is its other end.

Requests and answers are datagrams over one `SOCK_SEQPACKET` socket. A request is a ticket with two
descriptors: a memfd of the pickled job `(name, target, arguments)`, and the child's control socket. The
child calls `target(control, *arguments)`.
"""

from __future__ import annotations

import array
import errno
import gc
import importlib
import logging
import mmap
import multiprocessing
import os
import pickle
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from tagsight.redaction import redact

READY, BORN, REFUSED, ENDED = range(4)
"""Of an answer: the imports are done; a child with this ticket has this pid, and a pidfd comes along where
the kernel has such; it cannot be forked, for this errno; the child with this pid has ended, with this status.
"""
ANSWER = struct.Struct("<Bqq")
TICKET = struct.Struct("<q")
FDS_OF_REQUEST = 2

Job = tuple[str, Callable[..., None], tuple[Any, ...]]


def main(line_fd: int, preload: Sequence[str]) -> None:
    """Serve until the supervisor closes its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for module in preload:
        # What cannot be imported here, the child tries again, and says why it cannot.
        with suppress(Exception):
            importlib.import_module(module)
    # What was imported before the fork stays shared: the collector must not touch it.
    gc.freeze()
    _Server(socket.socket(fileno=line_fd)).serve()


class _Server:
    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        self._answer(READY, 0, 0)
        poller = select.poll()
        poller.register(self._line, select.POLLIN)
        poller.register(self._wake_out, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd == self._wake_out:
                    os.read(self._wake_out, 4096)
                    self._reap_exited()
                elif not self._receive():
                    return

    def _receive(self) -> bool:
        """Meet one request; False where the supervisor is gone."""
        space = socket.CMSG_SPACE(FDS_OF_REQUEST * array.array("i").itemsize)
        try:
            data, ancillary, _, _ = self._line.recvmsg(TICKET.size, space, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            return False
        fds = array.array("i")
        for _, _, payload in ancillary:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        if len(data) == TICKET.size:
            (ticket,) = TICKET.unpack(data)
            if len(fds) == FDS_OF_REQUEST:
                self._fork(ticket, fds[0], fds[1])
            else:
                # The kernel hands over only as many descriptors as this process may still open.
                self._answer(REFUSED, ticket, errno.EMFILE)
        for fd in fds:
            os.close(fd)
        return bool(data)

    def _fork(self, ticket: int, job_fd: int, control_fd: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = os.fork()
        except OSError as error:
            self._answer(REFUSED, ticket, error.errno or 0)
            return
        if pid == 0:
            self._run_child(job_fd, control_fd)
        pidfds: list[int] = []
        with suppress(OSError, AttributeError):
            pidfds.append(os.pidfd_open(pid))
        self._answer(BORN, ticket, pid, pidfds)
        for fd in pidfds:
            os.close(fd)

    def _run_child(self, job_fd: int, control_fd: int) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (self._line.detach(), self._wake_out, self._wake_in):
                os.close(fd)
            code = _run_job(job_fd, socket.socket(fileno=control_fd))
        finally:
            os._exit(code)

    def _reap_exited(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._answer(ENDED, pid, os.waitstatus_to_exitcode(status))

    def _answer(self, what: int, subject: int, value: int, fds: Sequence[int] = ()) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        # Where the supervisor is gone, the next look at the line says so.
        with suppress(OSError):
            self._line.sendmsg([ANSWER.pack(what, subject, value)], rights)


def _run_job(job_fd: int, control: socket.socket) -> int:
    """Do the job of a fresh child; returns its exit code."""
    try:
        with mmap.mmap(job_fd, 0, prot=mmap.PROT_READ) as data:
            os.close(job_fd)
            # The supervisor wrote it, into memory that nobody else can reach.
            job: Job = pickle.loads(data)  # noqa: S301
        name, target, arguments = job
        multiprocessing.current_process().name = name
        target(control, *arguments)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except Exception as error:  # noqa: BLE001 - there is nobody above who could do more
        sys.stderr.write(redact(f"tagsight: a process cannot start: {type(error).__name__}: {error}") + "\n")
        return 1
    finally:
        logging.shutdown()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    return 0
