"""What Home Assistant is told: which sensors there are, and their values. Pure.

Device-based discovery, Home Assistant 2024.12 or later:
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. A value that is not known is null,
which Home Assistant shows as "unknown".
"""

from __future__ import annotations

import hashlib
import re
from typing import TypeAlias

from runtime.daybook.states import is_bad
from runtime.neighbours.layout import Layout
from runtime.neighbours.now import ShopNow

Component: TypeAlias = dict[str, str | bool]
Value: TypeAlias = int | str | None
ROOT = "tagsight/home"
"""Beside the topics of events, whose consumers need not see this."""
ON, OFF = "ON", "OFF"


def slug(name: str) -> str:
    """A name as part of a topic, a key or an id: another name never has the same."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def topic_of(layout: Layout, leaf: str) -> str:
    """Of the box's values ("state") and of whether it is there ("available")."""
    return f"{ROOT}/{layout.site}/{layout.device}/{leaf}"


def discovery_topic(layout: Layout, prefix: str) -> str:
    """Where Home Assistant listens for the device."""
    return f"{prefix}/device/{_box(layout)}/config"


def discovery(layout: Layout, version: str) -> dict[str, object]:
    """The device and all of its sensors."""
    box = _box(layout)
    return {
        "device": {
            "identifiers": [box],
            "name": f"{layout.site} {layout.device}",
            "manufacturer": "tagsight",
            "model": "tagsight box",
            "sw_version": version,
        },
        "origin": {
            "name": "tagsight",
            "sw_version": version,
            "support_url": "https://github.com/tagsight/tagsight",
        },
        "state_topic": topic_of(layout, "state"),
        "availability_topic": topic_of(layout, "available"),
        "components": {
            key: {**component, "unique_id": f"{box}_{key}", "value_template": f"{{{{ value_json.{key} }}}}"}
            for key, component in components(layout).items()
        },
    }


def components(layout: Layout) -> dict[str, Component]:
    """The sensors, by the key of their value."""
    found = {"floor_persons": _persons("Persons on the floor")}
    for zone in layout.zones:
        found[f"zone_{slug(zone.name)}_persons"] = _persons(f"Persons in {zone.name}")
        found[f"zone_{slug(zone.name)}_occupied"] = {
            "platform": "binary_sensor",
            "name": f"Somebody in {zone.name}",
            "device_class": "occupancy",
        }
    for entrance in layout.entrances:
        found[f"entrance_{slug(entrance)}_entered"] = _total(f"In by {entrance} today", "persons")
        found[f"entrance_{slug(entrance)}_left"] = _total(f"Out by {entrance} today", "persons")
    if layout.antennas:
        found["handled"] = _total("Garments turned today", "garments")
        found["tried_on"] = _total("Garments tried on today", "garments")
    for process, name in _watched(layout).items():
        found[f"problem_{slug(process)}"] = {
            "platform": "binary_sensor",
            "name": name,
            "device_class": "problem",
            "entity_category": "diagnostic",
        }
    return found


def state(shop: ShopNow, now_s: float) -> dict[str, Value]:
    """The value of each sensor."""
    found: dict[str, Value] = {"floor_persons": shop.persons(now_s)}
    for zone, persons in shop.persons_by_zone(now_s).items():
        found[f"zone_{slug(zone)}_persons"] = persons
        found[f"zone_{slug(zone)}_occupied"] = None if persons is None else ON if persons else OFF
    for direction, counts in (("entered", shop.entered()), ("left", shop.left())):
        found |= {f"entrance_{slug(name)}_{direction}": count for name, count in counts.items()}
    if shop.layout.antennas:
        found["handled"] = sum(shop.handled().values())
        found["tried_on"] = sum(shop.tried_on().values())
    health = shop.health(now_s)
    for process in _watched(shop.layout):
        said = health.get(process)
        found[f"problem_{slug(process)}"] = None if said is None else ON if is_bad(said) else OFF
    return found


def _box(layout: Layout) -> str:
    return f"tagsight_{slug(layout.site)}_{slug(layout.device)}"


def _persons(name: str) -> Component:
    return {
        "platform": "sensor",
        "name": name,
        "unit_of_measurement": "persons",
        "state_class": "measurement",
    }


def _total(name: str, unit: str) -> Component:
    return {
        "platform": "sensor",
        "name": name,
        "unit_of_measurement": unit,
        "state_class": "total_increasing",
    }


def _watched(layout: Layout) -> dict[str, str]:
    """Processes that somebody in the shop can do something about, and what they are called."""
    return {
        **{f"camera:{name}": f"Camera {name}" for name in layout.cameras},
        **{f"reader:{name}": f"Reader {name}" for name in layout.antennas},
        "store": "Counting",
        "uplink": "Way to the cloud",
    }
