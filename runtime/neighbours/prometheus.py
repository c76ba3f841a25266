"""The shop as Prometheus metrics.

Names follow https://prometheus.io/docs/practices/naming/. What is not known is left out, never told as 0.
Counts of persons and garments begin anew at local midnight, as a counter does when its program restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from contract.facts import ProcessHealth
from runtime.daybook.states import is_bad
from runtime.neighbours.now import ShopNow

DAY_S = 86_400.0
MILLISECOND_S = 1e-3
Figure = tuple[str, str, str, str, float]
"""Process, its figure in health, the metric, what it says, and what the figure's unit is in the metric's."""

FIGURES: tuple[Figure, ...] = (
    ("store", "outbox_waiting", "tagsight_outbox_memory_events", "events that wait to be written to disk", 1),
    ("store", "outbox_bytes", "tagsight_outbox_bytes", "size of the events on disk", 1),
    ("uplink", "backlog", "tagsight_outbox_waiting_events", "events that the cloud has not acknowledged", 1),
    ("uplink", "oldest_waiting_s", "tagsight_outbox_oldest_waiting_seconds", "age of what waits longest", 1),
    ("uplink", "certificate_days", "tagsight_uplink_certificate_seconds", "until it expires", DAY_S),
    ("vision", "fps", "tagsight_vision_frames_per_second", "frames looked at, all cameras together", 1),
    (
        "vision",
        "load",
        "tagsight_vision_busy_ratio",
        "share of the time that finding people takes; 1: full",
        1,
    ),
    ("supervisor", "processes", "tagsight_processes", "processes that run", 1),
)
CAMERA_FIGURES: tuple[tuple[str, str, str, float], ...] = (
    ("fps", "tagsight_camera_frames_per_second", "frames looked at", 1),
    ("delivered_fps", "tagsight_camera_delivered_frames_per_second", "frames that the camera sends", 1),
    ("allowed_fps", "tagsight_camera_allowed_frames_per_second", "frames that the box has capacity for", 1),
    ("latency_ms", "tagsight_camera_latency_seconds", "from a frame to the persons in it", MILLISECOND_S),
)
LOST = "events the outbox had to drop"


class ShopCollector(Collector):
    """What a scrape sees. `collect` may be called by any thread; who changes `shop` holds `lock`."""

    def __init__(self, shop: ShopNow, now: Callable[[], float], version: str) -> None:
        self.lock = Lock()
        self._shop = shop
        self._now = now
        self._version = version

    def collect(self) -> list[Metric]:
        """Every metric of this moment."""
        with self.lock:
            return list(self._metrics())

    def _metrics(self) -> Iterator[Metric]:
        now_s = self._now()
        health = self._shop.health(now_s)
        yield self._box(now_s)
        yield from _processes(health)
        yield from _figures(health)
        yield from self._cameras(health)
        yield from self._readers(health)
        yield from self._people(now_s)
        yield from self._counts()

    def _box(self, now_s: float) -> Metric:
        layout = self._shop.layout
        box = GaugeMetricFamily(
            "tagsight_box_time_seconds",
            "when these metrics were made, UTC seconds",
            labels=("site", "device", "version"),
        )
        box.add_metric((layout.site, layout.device, self._version), now_s)
        return box

    def _cameras(self, health: Mapping[str, ProcessHealth]) -> Iterator[Metric]:
        values = health["vision"].values if "vision" in health else {}
        for figure, name, says, unit in CAMERA_FIGURES:
            metric = GaugeMetricFamily(name, says, labels=("camera",))
            for camera in self._shop.layout.cameras:
                if f"{camera}_{figure}" in values:
                    metric.add_metric((camera,), values[f"{camera}_{figure}"] * unit)
            yield metric

    def _readers(self, health: Mapping[str, ProcessHealth]) -> Iterator[Metric]:
        reads = GaugeMetricFamily("tagsight_reader_reads_per_second", "tag reads", labels=("reader",))
        labels = ("reader", "antenna")
        by_antenna = GaugeMetricFamily("tagsight_antenna_reads_per_second", "tag reads", labels=labels)
        connected = GaugeMetricFamily(
            "tagsight_antenna_connected",
            "0 where the reader says that the antenna is not there",
            labels=labels,
        )
        for reader, antennas in self._shop.layout.antennas.items():
            found = health.get(f"reader:{reader}")
            if found is None or "reads_per_s" not in found.values:
                continue
            reads.add_metric((reader,), found.values["reads_per_s"])
            for port, antenna in antennas.items():
                lost = bool(found.values.get(f"antenna_{port}_lost"))
                by_antenna.add_metric((reader, antenna), found.values.get(f"antenna_{port}_reads_per_s", 0.0))
                connected.add_metric((reader, antenna), float(not lost))
        yield from (reads, by_antenna, connected)

    def _people(self, now_s: float) -> Iterator[Metric]:
        floor = GaugeMetricFamily("tagsight_floor_persons", "persons on the floor that cameras see now")
        persons = self._shop.persons(now_s)
        if persons is not None:
            floor.add_metric((), persons)
        zones = GaugeMetricFamily("tagsight_zone_persons", "persons in a zone now", labels=("zone",))
        for zone, count in self._shop.persons_by_zone(now_s).items():
            if count is not None:
                zones.add_metric((zone,), count)
        yield from (floor, zones)

    def _counts(self) -> Iterator[Metric]:
        for name, says, label, counts in (
            ("tagsight_entered_persons", "persons who came in", "entrance", self._shop.entered()),
            ("tagsight_left_persons", "persons who went out", "entrance", self._shop.left()),
            ("tagsight_handled_garments", "garments turned or picked", "fixture", self._shop.handled()),
            ("tagsight_tried_on_garments", "garments tried on", "room", self._shop.tried_on()),
        ):
            metric = CounterMetricFamily(name, f"{says}; from 0 at local midnight", labels=(label,))
            for place, count in counts.items():
                metric.add_metric((place,), count)
            yield metric


def _processes(health: Mapping[str, ProcessHealth]) -> Iterator[Metric]:
    well = GaugeMetricFamily(
        "tagsight_process_healthy",
        "1 where nothing is wrong with a process, 0 where something is",
        labels=("process",),
    )
    states = GaugeMetricFamily(
        "tagsight_process_state", "1 for the state that a process is in", labels=("process", "state")
    )
    drops = CounterMetricFamily(
        "tagsight_dropped", "what a process had to drop since it started", labels=("process", "reason")
    )
    for name, found in health.items():
        well.add_metric((name,), float(not is_bad(found)))
        states.add_metric((name, found.state), 1.0)
        for reason, count in found.drops.items():
            drops.add_metric((name, reason), count)
    restarts = CounterMetricFamily("tagsight_restarts", "processes that had to be started again")
    if "supervisor" in health:
        restarts.add_metric((), health["supervisor"].values.get("restarts", 0.0))
    yield from (well, states, drops, restarts)


def _figures(health: Mapping[str, ProcessHealth]) -> Iterator[Metric]:
    for process, figure, name, says, unit in FIGURES:
        found = health.get(process)
        metric = GaugeMetricFamily(name, says)
        if found is not None and figure in found.values:
            metric.add_metric((), found.values[figure] * unit)
        yield metric
    lost = CounterMetricFamily(
        "tagsight_outbox_lost_events", "events dropped for want of room; each is in a gap event"
    )
    if "store" in health:
        lost.add_metric((), health["store"].drops.get(LOST, 0))
    yield lost
