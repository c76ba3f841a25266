"""The metrics process: the shop and the box as figures for Prometheus, in a file, at a port, or both.

The client library is imported once the process begins: a box without metrics does not load it.
"""

from __future__ import annotations

import logging
import socket
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from runtime.config import StoreConfig
from runtime.messages import FloorNow, Health, HealthState
from runtime.neighbours.layout import Layout
from runtime.processes.neighbours.service import Neighbour
from runtime.processes.spec import Spec

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

SERVE_EVERY_S = 5.0

log = logging.getLogger(__name__)


class MetricsSpec(Spec, frozen=True):
    """Where the metrics go, and what they are of, which can change while they are told."""

    LIVE = frozenset({"layout"})

    textfile: Path | None
    host: str
    port: int | None
    every_s: float
    layout: Layout


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> MetricsSpec:
    """The spec of the metrics; there is one, whatever `name` says."""
    metrics = config.metrics
    return MetricsSpec(
        textfile=metrics.textfile,
        host=metrics.host,
        port=metrics.port,
        every_s=metrics.every_s,
        layout=Layout.of(config),
        clock=clock,
    )


class MetricsProcess(Neighbour):
    """Writes the file, serves the port."""

    def __init__(self, control: socket.socket, spec: MetricsSpec) -> None:
        super().__init__(control, "metrics", spec, spec.layout)
        from prometheus_client import CollectorRegistry

        from runtime.neighbours.prometheus import ShopCollector

        self._spec = spec
        self._collector = ShopCollector(self.shop, self.clock.now, version("tagsight"))
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._collector)
        self._server: tuple[WSGIServer, Thread] | None = None
        self._faults: dict[str, str] = {}
        self._written = 0
        self.configured_by(MetricsSpec, self._apply_config)
        self.every(SERVE_EVERY_S, self._serve)
        self.every(spec.every_s, self._write)

    def read(self) -> None:
        """What has been written since the last time."""
        with self._collector.lock:
            super().read()

    def take_people(self, people: FloorNow) -> None:
        """The store process says who is where."""
        with self._collector.lock:
            super().take_people(people)

    def finish(self) -> None:
        """What is not kept up to date any more is not left to be taken for the present."""
        if self._spec.textfile is not None and self._written:
            self._spec.textfile.unlink(missing_ok=True)
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
        super().finish()

    def health(self) -> Health:
        """Whether the metrics are told."""
        now_s = self.clock.now()
        faults = "; ".join(filter(None, (*self._faults.values(), self.fault)))
        starting = not self.has_read and not any(self._faults.values())
        state = HealthState.STARTING if starting else HealthState.UNUSABLE if faults else HealthState.LIVE
        return Health(self.name, state, now_s, now_s, faults, {"files_written": float(self._written)})

    def _write(self) -> None:
        if self._spec.textfile is None:
            return
        from runtime.neighbours.textfile import write_textfile

        try:
            write_textfile(self._spec.textfile, self._registry)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self._say("textfile", f"metrics.textfile: {self._spec.textfile} cannot be written: {why}")
        else:
            self._written += 1
            self._say("textfile", "")

    def _serve(self) -> None:
        if self._spec.port is None or self._server is not None:
            return
        from prometheus_client import start_http_server

        try:
            self._server = start_http_server(self._spec.port, self._spec.host, self._registry)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            at = f"{self._spec.host}:{self._spec.port}"
            self._say("port", f"metrics.port: {at} cannot be listened on: {why}")
        else:
            self._say("port", "")
            log.info("metrics are at http://%s:%d/metrics", self._spec.host, self._spec.port)

    def _say(self, what: str, fault: str) -> None:
        if fault and self._faults.get(what) != fault:
            log.error("%s", fault)
        self._faults[what] = fault

    def _apply_config(self, spec: MetricsSpec) -> None:
        self._spec = spec
        with self._collector.lock:
            self.shop.use(spec.layout)


def main(control: socket.socket, spec: MetricsSpec) -> None:
    """Tell metrics until told to stop or the supervisor is gone."""
    MetricsProcess(control, spec).run()
