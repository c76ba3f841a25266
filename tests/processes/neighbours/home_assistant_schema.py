"""Run by a Python that has Home Assistant: a discovery message on standard input, judged by its own schemas.

It does what `homeassistant.components.mqtt.discovery` does with a device: the device's schema, then each
component with the shared options by the schema of its platform. Prints the names of what it would set up.
"""

import json
import sys

from homeassistant.components.mqtt import binary_sensor, sensor
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA, SHARED_OPTIONS

PLATFORMS = {"sensor": sensor, "binary_sensor": binary_sensor}
device = DEVICE_DISCOVERY_SCHEMA(json.load(sys.stdin))
shared = {key: device[key] for key in SHARED_OPTIONS if key in device}
names = []
for component in device["components"].values():
    platform = PLATFORMS[component["platform"]]
    given = {**shared, "device": device["device"], **component}
    judged = platform.DISCOVERY_SCHEMA(given)
    unknown = {*component} - {*map(str, judged)} - {"platform"}
    assert not unknown, f"Home Assistant knows no {unknown} of a {component['platform']}"
    names.append(judged["name"])
print("\n".join(names))
