"""The shop as a device of Home Assistant, by MQTT discovery: `device` is what it is told, `link` how."""
