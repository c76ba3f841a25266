"""The kinds of processes a box runs: each is declared here, once.

A kind has a module here with its `main(control, spec)`; the supervisor gets everything else from the
declaration: which processes of it a store needs, with which specs, who they talk to, when they hang. From
who sends to whom follow the order in which they start (those who listen first) and stop (sources first).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from runtime.config import StoreConfig
from runtime.messages import HealthState
from runtime.processes import camera, console, reader, store, uplink, vision
from runtime.processes.neighbours import home_assistant, metrics
from runtime.processes.spec import Spec


@dataclass(frozen=True)
class Progress:
    """In `state` the last progress of a process must not be older than `limit_s`; `stall` says why."""

    state: HealthState
    limit_s: float
    stall: str


@dataclass(frozen=True)
class SendsTo:
    """Each process of a kind has a record socket to each of kind `to`.

    The sender gets `Attach(role, NAME OF THE OTHER)`, the other `Attach(as_role, NAME OF THE SENDER)`;
    with `by_instance` the sender's name is that of its camera or reader alone. A sender's ring goes along.
    """

    to: str
    role: str = "records"
    as_role: str = "records"
    by_instance: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of process. `instances` are the names of its cameras or readers; None: there is just one."""

    module: ModuleType
    spec_of: Callable[[StoreConfig, str, tuple[float, float]], Spec]
    sends_to: tuple[SendsTo, ...] = ()
    instances: Callable[[StoreConfig], Sequence[str]] | None = None
    wanted: Callable[[StoreConfig], bool] = lambda _: True
    progress: Progress | None = None
    has_ring: bool = False
    """Its spec has `slots` and `max_size` of a frame ring, which it is given at its start."""
    preload: bool = False
    """Imported in the fork server, for its processes to share."""

    @property
    def name(self) -> str:
        """The last word of its module's."""
        return self.module.__name__.rpartition(".")[2]

    @property
    def path(self) -> str:
        """Its module below `runtime.processes`, by which a child finds it."""
        return self.module.__name__.removeprefix("runtime.processes.")


def _cameras(config: StoreConfig) -> list[str]:
    return [camera.name for camera in config.cameras]


def _readers(config: StoreConfig) -> list[str]:
    return [reader.name for reader in config.readers]


KINDS = (
    Kind(
        uplink,
        uplink.spec_of,
        progress=Progress(HealthState.OK, 300.0, "nothing delivered of what waits"),
    ),
    Kind(console, console.spec_of, wanted=lambda config: config.console.enabled),
    Kind(
        home_assistant,
        home_assistant.spec_of,
        wanted=lambda config: config.home_assistant.host is not None,
    ),
    Kind(metrics, metrics.spec_of, wanted=lambda config: config.metrics.wanted),
    Kind(
        store,
        store.spec_of,
        (
            SendsTo("uplink"),
            SendsTo("console", role="console", as_role="store"),
            SendsTo("metrics", role="console", as_role="store"),
            SendsTo("home_assistant", role="console", as_role="store"),
        ),
    ),
    Kind(vision, vision.spec_of, (SendsTo("store"),), wanted=lambda config: bool(config.cameras)),
    Kind(
        camera,
        camera.spec_of,
        (
            SendsTo("vision", role="frames", as_role="camera", by_instance=True),
            SendsTo("console", role="frames on request", as_role="camera", by_instance=True),
        ),
        instances=_cameras,
        progress=Progress(HealthState.LIVE, 60.0, "no frame"),
        has_ring=True,
        preload=True,
    ),
    Kind(
        reader,
        reader.spec_of,
        (SendsTo("store"), SendsTo("console", role="survey", as_role="reader", by_instance=True)),
        instances=_readers,
        progress=Progress(HealthState.READING, 60.0, "no word of the reader"),
    ),
)
"""In any order."""


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises KeyError."""
    return {kind.name: kind for kind in KINDS}[name]


def ranked(kinds: Sequence[Kind] = KINDS) -> list[list[Kind]]:
    """Kinds by how many others their records pass through: those who send to nobody first."""
    by_name = {kind.name: kind for kind in kinds}

    def rank(kind: Kind) -> int:
        return max((1 + rank(by_name[one.to]) for one in kind.sends_to), default=0)

    found: dict[int, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(rank(kind), []).append(kind)
    return [found[each] for each in sorted(found)]
