"""The sections of `store.yaml` as plain declarations.

Field names are the YAML keys. Lengths are metres on the store's floor, times are seconds unless the name says
otherwise. Paths are absolute once a file has been loaded. The descriptions are printed by
`tagsight config schema` and the limits are enforced by `runtime.config.parsing.decode`.
"""

from runtime.config.sections.broker import Broker, Tls
from runtime.config.sections.cameras import MAX_CAMERAS, Camera, PointPair
from runtime.config.sections.console import Console
from runtime.config.sections.engines import Engines
from runtime.config.sections.floor import MAX_FIXTURES, MAX_ZONES, Entrance, Fixture, Floor, Sku, Zone
from runtime.config.sections.home_assistant import HomeAssistant
from runtime.config.sections.inventory import StockEvents
from runtime.config.sections.metrics import Metrics
from runtime.config.sections.readers import MAX_READERS, Antenna, Reader
from runtime.config.sections.site import Intervals, Log, Retention, Site
from runtime.config.sections.uplink import Uplink
from runtime.config.sections.words import Section

__all__ = [
    "MAX_CAMERAS",
    "MAX_FIXTURES",
    "MAX_READERS",
    "MAX_ZONES",
    "Antenna",
    "Broker",
    "Camera",
    "Console",
    "Engines",
    "Entrance",
    "Fixture",
    "Floor",
    "HomeAssistant",
    "Intervals",
    "Log",
    "Metrics",
    "PointPair",
    "Reader",
    "Retention",
    "Section",
    "Site",
    "Sku",
    "StockEvents",
    "Tls",
    "Uplink",
    "Zone",
]
