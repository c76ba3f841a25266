"""The simulated reader's LLRP side: one client at a time, as an Impinj R420 would answer it."""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rfid_reader.errors import LlrpFrameError, ReaderError
from rfid_reader.simulator.llrp.client import OTHER_ATTEMPT, Client, busy_greeting
from rfid_reader.simulator.llrp.faults import FAULTS, Fault
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.scenarios.files import ScenarioFile, load_scenario
from rfid_reader.simulator.sources import ReadSource, ScenarioSource

TICK_S = 0.02
HANDSHAKE_S = 1.0
EPOCH_2000_S = 946_684_800.0


def reader_certificate(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """TLS with a reader's certificate (PEM, with its key or beside it). Raises ReaderError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise ReaderError(
            f"{certificate}: {error.strerror or error}; a PEM file with the reader's certificate and its key "
            "would be right"
        ) from None
    return context


class SimulatedReader:
    """A reader in a thread of its own; use it as a context manager, or `start` and `stop`.

    source: a scenario (path or loaded), or any ReadSource. port 0 picks a free one; see `.port`. epoch:
    host UTC seconds at which the scenario's time is 0 (default: now). on_flip gets every true flip when it
    ends, as (TrueFlip, epoch). impinj False makes it a reader without Impinj's extensions. on_sent
    gets every RO_ACCESS_REPORT message that has left completely. tls: speak LLRP over TLS, with the
    reader's certificate.
    """

    def __init__(
        self,
        source: ScenarioFile | ReadSource | str | Path,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        epoch: float | None = None,
        seed: int | None = None,
        impinj: bool = True,
        on_flip: Callable[[TrueFlip, float], None] | None = None,
        on_sent: Callable[[bytes], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if isinstance(source, (str, Path)):
            source = load_scenario(source)
        self.source: ReadSource = ScenarioSource(source, seed) if isinstance(source, ScenarioFile) else source
        self.host = host
        self.epoch = time.time() if epoch is None else epoch
        self.impinj = impinj
        self.connects = 0
        self.reports_sent = 0
        self.faults_done = 0
        self.reports_before_fault = 0
        self._on_flip = on_flip
        self._on_sent = on_sent
        self._tls = tls
        self._clock_shift_s = 0.0
        self._refuse_until_s = 0.0
        self._busy_until_s = 0.0
        self._faults: queue.Queue[Fault] = queue.Queue(maxsize=64)
        self._client: Client | None = None
        self._listener: socket.socket | None = self._listen(port)
        self.port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated reader", daemon=True)
        self.failure: BaseException | None = None

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, port))
            listener.listen(8)
        except OSError as error:
            listener.close()
            raise ReaderError(f"cannot listen on {self.host}:{port}: {error.strerror}") from None
        listener.setblocking(False)
        return listener

    def start(self) -> SimulatedReader:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def __enter__(self) -> SimulatedReader:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def failed(self) -> BaseException | None:
        """What ended the reader's thread, if anything did."""
        return self.failure

    def idle(self) -> bool:
        """Nothing waits to be sent."""
        client = self._client
        return client is None or client.drained()

    def fault(self, kind: str, seconds: float = 0.0, size: int = 1) -> None:
        """Make something go wrong, soon; kinds as in `faults.Fault`."""
        if kind not in FAULTS:
            raise ReaderError(f"fault {kind!r} is unknown; {', '.join(FAULTS)} would be right")
        self._faults.put_nowait(Fault(kind, seconds, size))

    def reader_us(self) -> int:
        """The reader's own clock, microseconds."""
        return round((time.time() + self._clock_shift_s) * 1e6)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._tick()
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._drop_client()

    def _tick(self) -> None:
        now_s = time.monotonic()
        self._carry_out_faults(now_s)
        if self._listener is None and now_s >= self._refuse_until_s:
            self._listener = self._listen(self.port)
        client = self._client
        wanted = [sock for sock in (self._listener, client.socket if client else None) if sock is not None]
        writing = [client.socket] if client and client.wants_to_write(now_s) else []
        readable, writable, _ = select.select(wanted, writing, [], TICK_S)
        if client is not None:
            self._serve(client, client.socket in readable, bool(writable))
        if self._listener in readable and self._listener is not None:
            self._accept(self._listener, now_s)
        self._advance_source()

    def _advance_source(self) -> None:
        until_s = time.time() - self.epoch
        spec = self._client.rospecs.active() if self._client else None
        if spec is not None and self._client is not None:
            reads = self.source.reads(until_s, spec.setup)
            shift_us = (self.epoch + self._clock_shift_s) * 1e6
            self._client.report(reads, spec, shift_us)
        else:
            self.source.skip_to(until_s)
        if self._on_flip is not None:
            for flip in self.source.finished_flips(until_s):
                self._on_flip(flip, self.epoch)

    def _serve(self, client: Client, readable: bool, writable: bool) -> None:
        try:
            if readable and not client.receive():
                self._drop_client()
                return
            client.keep_alive()
            if writable:
                client.send(time.monotonic())
            self.reports_sent += client.take_reports_sent()
            if client.finished:
                self._drop_client()
        except (OSError, LlrpFrameError):
            self._drop_client()

    def _accept(self, listener: socket.socket, now_s: float) -> None:
        try:
            incoming, _ = listener.accept()
        except OSError:
            return
        self.connects += 1
        try:
            incoming.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                incoming.settimeout(HANDSHAKE_S)
                incoming = self._tls.wrap_socket(incoming, server_side=True)
        except OSError:
            incoming.close()
            return
        incoming.setblocking(False)
        if self._client is not None or now_s < self._busy_until_s:
            with contextlib.suppress(OSError):
                incoming.send(busy_greeting(self.reader_us()))
            incoming.close()
            if self._client is not None:
                self._client.notify(OTHER_ATTEMPT)
            return
        self._client = Client(incoming, self.source, self.reader_us, self.impinj, self._on_sent)

    def _drop_client(self) -> None:
        if self._client is not None:
            self.reports_sent += self._client.take_reports_sent()
            self._client.socket.close()
            self._client = None

    def _carry_out_faults(self, now_s: float) -> None:
        while True:
            try:
                fault = self._faults.get_nowait()
            except queue.Empty:
                return
            if fault.kind in ("refuse", "reboot"):
                self._drop_client()
                if self._listener is not None:
                    self._listener.close()
                    self._listener = None
                self._refuse_until_s = now_s + fault.seconds
                if fault.kind == "reboot":
                    self._clock_shift_s = EPOCH_2000_S - time.time()
            elif fault.kind == "busy":
                self._drop_client()
                self._busy_until_s = now_s + fault.seconds
            elif fault.kind == "clock":
                self._clock_shift_s += fault.seconds
            elif self._client is not None:
                self.reports_before_fault = self._client.reports_made
                self._client.suffer(fault, now_s)
            self.faults_done += 1
