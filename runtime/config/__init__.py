"""The store's config: `store.yaml` as typed sections, checked as a whole.

Read in this order: `sections/` and `model` (what can be configured), `parsing/` (text to sections, noting
every mistake), `checks/` (whether they fit together), `stock` (a list of tags beside the config), `loading`
(all of it in order), `reading` (the same in a process of its own). `cameras` and `epcs` say what an address,
a floor map and a tag pattern mean.
"""

from runtime.config.cameras import image_to_floor, source_uri
from runtime.config.epcs import Article, ArticleTable
from runtime.config.loading import Examined, load, load_at_work, load_running, parse
from runtime.config.mistakes import ConfigErrors, Mistake
from runtime.config.model import StoreConfig
from runtime.config.sections import (
    Antenna,
    Camera,
    Console,
    Engines,
    Entrance,
    Fixture,
    Floor,
    Intervals,
    Log,
    PointPair,
    Reader,
    Retention,
    Site,
    Sku,
    StockEvents,
    Tls,
    Uplink,
    Zone,
)
from tagsight.secret_files import open_to_others, read_secret

__all__ = [
    "Antenna",
    "Article",
    "ArticleTable",
    "Camera",
    "ConfigErrors",
    "Console",
    "Engines",
    "Entrance",
    "Examined",
    "Fixture",
    "Floor",
    "Intervals",
    "Log",
    "Mistake",
    "PointPair",
    "Reader",
    "Retention",
    "Site",
    "Sku",
    "StockEvents",
    "StoreConfig",
    "Tls",
    "Uplink",
    "Zone",
    "image_to_floor",
    "load",
    "load_at_work",
    "load_running",
    "open_to_others",
    "parse",
    "read_secret",
    "source_uri",
]
