"""The Home Assistant process: the shop as a device with sensors, by the broker that Home Assistant uses."""

from __future__ import annotations

import socket
from importlib.metadata import version

from broker.settings import BrokerSettings
from runtime.config import StoreConfig
from runtime.messages import Health, HealthState
from runtime.neighbours.home_assistant.device import discovery, discovery_topic, state, topic_of
from runtime.neighbours.home_assistant.link import Link, Message
from runtime.neighbours.layout import Layout
from runtime.processes.neighbours.service import Neighbour
from runtime.processes.spec import Spec
from runtime.uplink.configured import settings_of
from tagsight.errors import TagsightError

TELL_EVERY_S = 1.0


class HomeAssistantSpec(Spec, frozen=True):
    """Which broker, and what is told, which can change while it is told."""

    LIVE = frozenset({"layout"})

    broker: BrokerSettings
    prefix: str
    layout: Layout


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> HomeAssistantSpec:
    """The spec of the link to Home Assistant; there is one, whatever `name` says."""
    section = config.home_assistant
    broker = settings_of(section, section.host or "localhost", "home_assistant")
    return HomeAssistantSpec(broker=broker, prefix=section.prefix, layout=Layout.of(config), clock=clock)


class HomeAssistantProcess(Neighbour):
    """Passes on what the shop is like, once a second."""

    def __init__(self, control: socket.socket, spec: HomeAssistantSpec) -> None:
        super().__init__(control, "home_assistant", spec, spec.layout)
        self._prefix = spec.prefix
        self._link = Link(
            spec.broker,
            f"tagsight-home-{spec.layout.site}-{spec.layout.device}",
            topic_of(spec.layout, "available"),
            f"{spec.prefix}/status",
        )
        self.configured_by(HomeAssistantSpec, lambda spec: self.shop.use(spec.layout))
        self.every(TELL_EVERY_S, self._tell)

    def begin(self) -> None:
        """Begin to connect."""
        self._link.start()

    def turn(self) -> None:
        """Raises TagsightError where the thread has died of a fault."""
        if not self._link.is_alive:
            raise TagsightError("the link to Home Assistant has ended by a fault; its trace is in the log")

    def finish(self) -> None:
        """Say that we are gone."""
        self._link.stop()
        super().finish()

    def health(self) -> Health:
        """Whether Home Assistant's broker is told."""
        now_s, link = self.clock.now(), self._link
        values = {"connects": float(link.connects), "births_heard": float(link.births)}
        detail = "; ".join(filter(None, (link.fault, self.fault)))
        if link.is_connected:
            found = HealthState.REFUSED if link.fault else HealthState.LIVE
        else:
            found = HealthState.DISCONNECTED if link.fault else HealthState.CONNECTING
        return Health(self.name, found, now_s, now_s, detail, values)

    def _tell(self) -> None:
        if not self.has_read:
            return
        layout = self.shop.layout
        self._link.tell(
            Message(discovery_topic(layout, self._prefix), discovery(layout, version("tagsight"))),
            Message(topic_of(layout, "state"), {**state(self.shop, self.clock.now())}),
        )


def main(control: socket.socket, spec: HomeAssistantSpec) -> None:
    """Tell Home Assistant until told to stop or the supervisor is gone."""
    HomeAssistantProcess(control, spec).run()
