"""What others may take out of tagsight: one import, names that stay.

    import tagsight

    detector = tagsight.PersonDetector.open()
    boxes = detector.detect(image_bgr).boxes          # (n, 4) float32: left, top, right, bottom in pixels

============== ==========================================================================================
pictures       PersonDetector, Detections
people         FloorTracker, TrackerSettings, CameraView, Track, Homography, image_to_floor
behaviour      Behaviour, FloorPlan, PersonsSeen, Person, TagFlip, TagPresence
tag reads      ReaderSession, ReaderSettings, ReadTable, load_reads, save_reads
flips          make_detector, FlipDetector
events         Event, Envelope, open_event, unpack, the facts (Footfall, Visit, Dwell, Flow, Heatmap, Flip,
               Interaction, TryOn, ProcessHealth, Gap), Outbox, OutboxLimits, Origin
configuration  load_config, StoreConfig
errors         TagsightError, EngineError, ReaderError, PayloadError
============== ==========================================================================================

A name is imported from its module when it is first used, so `import tagsight` costs nothing and a program
that only reads events loads no network. `__version__` is the installed version.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contract.envelope import Envelope, Event, Origin, open_event
    from contract.errors import PayloadError
    from contract.facts import Dwell, Flip, Flow, Footfall, Heatmap, Interaction, ProcessHealth, TryOn, Visit
    from contract.gaps import Gap
    from contract.wire import unpack
    from engines.errors import EngineError
    from engines.inference.detector import Detections, PersonDetector
    from rfid_reader.errors import ReaderError
    from rfid_reader.flips.detector import Detector as FlipDetector
    from rfid_reader.flips.methods import make_detector
    from rfid_reader.reads import ReadTable, load_reads, save_reads
    from rfid_reader.session.reader_session import ReaderSession
    from rfid_reader.settings import ReaderSettings
    from runtime.config import StoreConfig, image_to_floor
    from runtime.config import load as load_config
    from runtime.geometry import Homography
    from runtime.messages import Person, PersonsSeen, TagFlip, TagPresence
    from runtime.store.behaviour import Behaviour
    from runtime.store.floorplan import FloorPlan
    from runtime.uplink.outbox.limits import OutboxLimits
    from runtime.uplink.outbox.writer import Outbox
    from runtime.vision.track import CameraView, FloorTracker, Track, TrackerSettings
    from tagsight.errors import TagsightError

    __version__: str

__all__ = [
    "Behaviour",
    "CameraView",
    "Detections",
    "Dwell",
    "EngineError",
    "Envelope",
    "Event",
    "Flip",
    "FlipDetector",
    "FloorPlan",
    "FloorTracker",
    "Flow",
    "Footfall",
    "Gap",
    "Heatmap",
    "Homography",
    "Interaction",
    "Origin",
    "Outbox",
    "OutboxLimits",
    "PayloadError",
    "Person",
    "PersonDetector",
    "PersonsSeen",
    "ProcessHealth",
    "ReadTable",
    "ReaderError",
    "ReaderSession",
    "ReaderSettings",
    "StoreConfig",
    "TagFlip",
    "TagPresence",
    "TagsightError",
    "Track",
    "TrackerSettings",
    "TryOn",
    "Visit",
    "__version__",
    "image_to_floor",
    "load_config",
    "load_reads",
    "make_detector",
    "open_event",
    "save_reads",
    "unpack",
]

_PLACES = {
    "contract.envelope": ("Envelope", "Event", "Origin", "open_event"),
    "contract.errors": ("PayloadError",),
    "contract.facts": (
        "Dwell",
        "Flip",
        "Flow",
        "Footfall",
        "Heatmap",
        "Interaction",
        "ProcessHealth",
        "TryOn",
        "Visit",
    ),
    "contract.gaps": ("Gap",),
    "contract.wire": ("unpack",),
    "engines.inference.detector": ("Detections", "PersonDetector"),
    "engines.errors": ("EngineError",),
    "rfid_reader.errors": ("ReaderError",),
    "rfid_reader.flips.detector": ("FlipDetector",),
    "rfid_reader.flips.methods": ("make_detector",),
    "rfid_reader.reads": ("ReadTable", "load_reads", "save_reads"),
    "rfid_reader.session.reader_session": ("ReaderSession",),
    "rfid_reader.settings": ("ReaderSettings",),
    "runtime.config": ("StoreConfig", "image_to_floor", "load_config"),
    "runtime.geometry": ("Homography",),
    "runtime.messages": ("Person", "PersonsSeen", "TagFlip", "TagPresence"),
    "runtime.store.behaviour": ("Behaviour",),
    "runtime.store.floorplan": ("FloorPlan",),
    "runtime.uplink.outbox.limits": ("OutboxLimits",),
    "runtime.uplink.outbox.writer": ("Outbox",),
    "tagsight.errors": ("TagsightError",),
    "runtime.vision.track": ("CameraView", "FloorTracker", "Track", "TrackerSettings"),
}
"""Where each name lives; a test holds this against the imports above."""
_RENAMED = {"FlipDetector": "Detector", "load_config": "load"}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name on its first use (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("tagsight")
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), _RENAMED.get(name, name))
    else:
        raise AttributeError(f"module 'tagsight' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
