"""The shop as a device of Home Assistant, over a real broker; the test is Home Assistant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from broker.mosquitto import LocalBroker, free_port
from runtime import messages
from runtime.clock import HostClock
from runtime.config import ConfigErrors, StoreConfig, parse
from runtime.messages import FloorNow, HealthState, OnFloor
from runtime.neighbours.home_assistant.device import components, discovery, slug, state
from runtime.neighbours.layout import Layout
from runtime.neighbours.now import ShopNow
from runtime.processes.neighbours import home_assistant
from tests.neighbours.written import a_store, flip, footfall, health, write
from tests.processes.in_a_thread import WITHIN_S, InAThread

DEVICE = "homeassistant/device/tagsight_shop_box_1_96fb25/config"
STATE, AVAILABLE = "tagsight/home/shop/box-1/state", "tagsight/home/shop/box-1/available"

Wait = Callable[..., None]


class HomeAssistant:
    """As far as the broker sees it: it hears everything, and says when it has started."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "home-assistant")
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("homeassistant/#", 1), ("tagsight/#", 1)]
        )
        self._client.on_message = lambda _, __, message: self._hear(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def start_again(self) -> None:
        self.heard.clear()
        self._client.publish("homeassistant/status", "online", qos=1)

    def newest(self, topic: str) -> Any:
        return next((body for name, body in reversed(self.heard) if name == topic), None)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, message: paho.MQTTMessage) -> None:
        text = message.payload.decode()
        self.heard.append((message.topic, json.loads(text) if text.startswith("{") else text))


class Box(InAThread):
    """The running process."""

    def __init__(self, config: StoreConfig) -> None:
        spec = home_assistant.spec_of(config, "home_assistant", HostClock().state)
        super().__init__(home_assistant.main, spec)


@pytest.fixture
def config(tmp_path: Path) -> StoreConfig:
    """A store whose day has begun."""
    config = a_store(
        tmp_path, "home_assistant: {host: 127.0.0.1, port: PORT}\n".replace("PORT", str(free_port()))
    )
    config.outbox_path().parent.mkdir(exist_ok=True)
    now_s = time.time()
    facts = (
        footfall(now_s - 61, 4, 1),
        flip(now_s - 1),
        health("vision", now_s + 30, fps=9.0),
        health("reader:racks", now_s + 30, "disconnected"),
        health("uplink", now_s + 30, "ok"),
    )
    write(config.outbox_path(), facts, now_s)
    return config


@pytest.fixture
def broker(config: StoreConfig, mosquitto: None) -> Iterator[LocalBroker]:
    assert config.home_assistant.port is not None
    with LocalBroker(port=config.home_assistant.port) as local:
        yield local


@pytest.fixture
def box(config: StoreConfig) -> Iterator[Box]:
    running = Box(config)
    yield running
    running.stop()
    running.close()


@pytest.fixture
def home(broker: LocalBroker) -> Iterator[HomeAssistant]:
    started = HomeAssistant(broker.port)
    yield started
    started.close()


def shown(value_template: str, values: dict[str, Any]) -> str:
    """What Home Assistant makes of a template, which is Jinja's."""
    import jinja2

    return jinja2.Environment(autoescape=False).from_string(value_template).render(value_json=values)


def test_a_device_comes_up_with_its_values_and_goes(home: HomeAssistant, box: Box, wait_until: Wait) -> None:
    seen = FloorNow(time.time() + 30, (OnFloor("v1s1t0r", (1.0, 1.0)), OnFloor("s3c0nd", (2.0, 2.0))))
    messages.send(box.store, seen)
    wait_until(lambda: home.newest(DEVICE) and (home.newest(STATE) or {}).get("floor_persons") == 2, WITHIN_S)
    device, values = home.newest(DEVICE), home.newest(STATE)
    assert home.newest(AVAILABLE) == "online"
    sensors = {
        sensor["name"]: shown(sensor["value_template"], values) for sensor in device["components"].values()
    }
    assert sensors == {
        "Persons on the floor": "2",
        "Persons in racks": "2",
        "Somebody in racks": "ON",
        "Persons in till": "0",
        "Somebody in till": "OFF",
        "In by door today": "4",
        "Out by door today": "1",
        "Garments turned today": "1",
        "Garments tried on today": "0",
        "Reader racks": "ON",
        "Counting": "None",
        "Way to the cloud": "OFF",
    }
    assert device["state_topic"] == STATE and device["availability_topic"] == AVAILABLE
    assert not re.search("v1s1t0r|s3c0nd", json.dumps(home.heard)), "no visitor is told"
    box.stop()
    wait_until(lambda: home.newest(AVAILABLE) == "offline", WITHIN_S)


def test_it_is_told_anew_when_home_assistant_has_started(
    home: HomeAssistant, box: Box, wait_until: Wait
) -> None:
    wait_until(lambda: home.newest(STATE) and home.newest(DEVICE), WITHIN_S)
    before = home.newest(DEVICE)
    home.start_again()
    wait_until(lambda: home.newest(DEVICE) and home.newest(STATE) and home.newest(AVAILABLE), WITHIN_S)
    assert home.newest(DEVICE) == before
    assert box.health(HealthState.LIVE).values["connects"] == 1


def test_values_are_told_when_they_change_and_not_else(
    home: HomeAssistant, box: Box, wait_until: Wait, config: StoreConfig
) -> None:
    wait_until(lambda: (home.newest(STATE) or {}).get("entrance_door_entered") == 4, WITHIN_S)
    home.heard.clear()
    time.sleep(2.5)
    assert home.heard == []
    write(config.outbox_path(), (footfall(time.time() - 1, 1, 0),), time.time())
    wait_until(lambda: (home.newest(STATE) or {}).get("entrance_door_entered") == 5, WITHIN_S)


def test_a_broker_that_comes_late_is_found_and_its_absence_said(
    box: Box, config: StoreConfig, mosquitto: None, wait_until: Wait
) -> None:
    assert "check home_assistant.host" in box.health(HealthState.DISCONNECTED).detail
    with LocalBroker(port=config.home_assistant.port):
        box.health(HealthState.LIVE)
        home = HomeAssistant(config.home_assistant.port or 0)
        wait_until(lambda: home.newest(AVAILABLE) == "online" and home.newest(DEVICE), WITHIN_S)
        home.close()
    assert box.health(HealthState.DISCONNECTED).detail


def test_every_sensor_has_a_value_and_every_value_a_sensor(config: StoreConfig) -> None:
    layout = Layout.of(config)
    assert components(layout).keys() == state(ShopNow(layout), time.time()).keys()


def test_other_names_are_other_sensors() -> None:
    names = ["till 1", "till-1", "Till 1", "till_1", "till", "Kasse", "Kässe", "收银台", "试衣间"]
    assert len({slug(name) for name in names}) == len(names)
    assert all(re.fullmatch("[a-z0-9_]+", slug(name)) for name in names)


def test_home_assistants_own_schema_takes_the_device(config: StoreConfig, repo: Path) -> None:
    python = os.environ.get("TAGSIGHT_HOME_ASSISTANT")
    if not python:
        pytest.skip("no Home Assistant: export TAGSIGHT_HOME_ASSISTANT=$(scripts/fetch-home-assistant)")
    layout = Layout.of(config)
    layout.zones[0] = layout.zones[0].__class__(name="试衣间 2", polygon=layout.zones[0].polygon)
    sent = json.dumps(discovery(layout, "0.1"))
    done = subprocess.run(
        [python, repo / "tests" / "processes" / "neighbours" / "home_assistant_schema.py"],
        input=sent, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == [str(one["name"]) for one in components(layout).values()]


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("{host: mqtt://home}", "home_assistant.host: 'mqtt://home' is not a host name"),
        ("{host: home, password_file: p}", "home_assistant.password_file"),
        ("{host: home, tls: {cert: a.pem}}", "home_assistant.tls.cert: cert without key"),
        ("{host: home, prefix: 'a/#'}", "home_assistant.prefix"),
    ],
)
def test_a_mistake_is_named_at_its_key(section: str, says: str) -> None:
    text = f"site: {{name: s, device: d}}\nfloor: {{extent_m: [0, 0, 5, 5]}}\nhome_assistant: {section}\n"
    with pytest.raises(ConfigErrors) as found:
        parse(text, Path("store.yaml"))
    assert any(says in str(mistake) for mistake in found.value.mistakes), found.value
