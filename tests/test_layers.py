"""Data walks one way: every room imports only rooms nearer the ground, and no module imports in a circle."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.import_graph import Import, circles, imports_of, modules_of, packages_of

REPO = Path(__file__).resolve().parent.parent
BASE = (
    "tagsight.backoff",
    "tagsight.epc_schemes",
    "tagsight.errors",
    "tagsight.file_uri",
    "tagsight.migrations",
    "tagsight.redaction",
    "tagsight.secret_files",
    "tagsight.worker",
    "tagsight.yaml_files",
)
"""What every room may stand on; these import nothing of ours but one another."""
GROUND = (
    *BASE,
    "runtime.clock",
    "runtime.config",
    "runtime.geometry",
    "runtime.messages",
    "runtime.packing",
)
DATA_PATH = ("runtime.frames", "runtime.vision", "runtime.store", "runtime.uplink")

ROOMS: dict[str, tuple[str, ...]] = {
    "tagsight.backoff": (),
    "tagsight.epc_schemes": (),
    "tagsight.file_uri": (),
    "tagsight.redaction": (),
    "tagsight.worker": (),
    "tagsight.errors": ("tagsight.redaction",),
    "tagsight.yaml_files": ("tagsight.errors",),
    "tagsight.migrations": ("tagsight.errors",),
    "tagsight.secret_files": ("tagsight.errors",),
    "broker": ("contract", "tagsight.errors", "tagsight.secret_files"),
    "contract": ("tagsight.errors",),
    "web": ("tagsight.errors",),
    "engines": BASE,
    "rfid_reader": BASE,
    "runtime": (),
    "runtime.clock": (),
    "runtime.kernel_clock": (),
    "runtime.lazy_group": (),
    "runtime.packing": (),
    "runtime.geometry": ("tagsight.errors",),
    "runtime.messages": BASE,
    "runtime.config": (*BASE, "runtime.geometry", "runtime.packing"),
    "runtime.flip_days_file": ("runtime.store.garments.flip_days",),
    "runtime.stock_file": (
        "rfid_reader.errors",
        "rfid_reader.inventory.state",
        "rfid_reader.inventory.places",
    ),
    "runtime.reader_settings": ("rfid_reader.settings", "runtime.config"),
    "runtime.frames": GROUND,
    "runtime.vision": (
        *GROUND,
        "engines",
        "runtime.frames.errors",
        "runtime.frames.ring",
        "runtime.frames.video.writer",
    ),
    "runtime.store": (
        "contract",
        "rfid_reader.inventory.levels",
        "rfid_reader.inventory.places",
        "runtime.config",
        "tagsight.errors",
        "runtime.geometry",
        "runtime.messages",
    ),
    "runtime.uplink": (
        *GROUND,
        "broker",
        "contract",
        "runtime.lazy_group",
        "runtime.uplink.errors",
    ),
    "runtime.uplink.errors": ("tagsight.errors",),
    "runtime.uplink.outbox": (
        "contract",
        "tagsight.errors",
        "runtime.uplink.errors",
        "tagsight.migrations",
    ),
    "runtime.uplink.delivery": (
        *BASE,
        "broker",
        "contract",
        "runtime.uplink.errors",
        "runtime.uplink.outbox",
    ),
    "runtime.daybook": (
        *BASE,
        "contract",
        "runtime.config",
        "runtime.messages",
        "runtime.store.floorplan",
        "runtime.uplink.outbox.reader",
    ),
    "runtime.console": (
        *GROUND,
        "calibration.errors",
        "calibration.floor",
        "contract",
        "web",
        "runtime.daybook",
        "runtime.frames.ring",
    ),
    "runtime.neighbours": (
        *GROUND,
        "broker",
        "contract",
        "runtime.daybook",
    ),
    "runtime.processes": (
        *GROUND,
        *DATA_PATH,
        "broker",
        "contract",
        "runtime.console",
        "runtime.daybook",
        "web",
        "engines",
        "rfid_reader",
        "runtime.flip_days_file",
        "runtime.neighbours",
        "runtime.reader_settings",
        "runtime.stock_file",
    ),
    "runtime.supervisor": (
        *GROUND,
        "runtime.frames.errors",
        "runtime.frames.ring",
        "runtime.processes",
    ),
    "runtime.doctor": (
        *GROUND,
        *DATA_PATH,
        "broker",
        "engines",
        "rfid_reader",
        "runtime.kernel_clock",
        "runtime.processes",
        "runtime.reader_settings",
        "runtime.supervisor.state.folder",
    ),
    "runtime.demo": (*GROUND, *DATA_PATH, "broker", "contract", "engines", "rfid_reader", "runtime.console"),
    "runtime.network_cameras": ("tagsight.errors",),
    "runtime.commands": (
        *GROUND,
        *DATA_PATH,
        "broker",
        "contract",
        "engines",
        "runtime.console",
        "runtime.daybook",
        "runtime.demo",
        "runtime.doctor",
        "runtime.network_cameras",
        "runtime.supervisor",
        "web.table",
    ),
    "calibration": (
        *GROUND,
        "rfid_reader",
        "runtime.frames",
        "runtime.kernel_clock",
        "runtime.reader_settings",
        "runtime.vision.draw",
    ),
    "tagsight": (*GROUND, *DATA_PATH, "contract", "engines", "rfid_reader"),
    "fleet": ("contract", "tagsight.epc_schemes", "tagsight.errors"),
    "fleet.ingest.consumer": (
        "broker",
        "contract",
        "fleet.errors",
        "tagsight.migrations",
        "tagsight.redaction",
    ),
    "fleet.load": (
        "contract",
        "fleet.embedded",
        "fleet.errors",
        "fleet.ingest.records",
        "fleet.ingest.sources",
        "fleet.load.oracle",
        "fleet.models",
    ),
    "fleet.serve": (
        "contract",
        "fleet.embedded",
        "fleet.errors",
        "fleet.ingest.records",
        "fleet.ingest.sources",
        "fleet.models",
        "tagsight.yaml_files",
        "web.security.guard",
    ),
    "fleet.serve.service": (
        "fleet.board.app",
        "fleet.embedded.replica",
        "fleet.embedded.warehouse",
        "fleet.errors",
        "fleet.serve.filling",
        "fleet.serve.reading",
        "fleet.serve.rest",
        "fleet.serve.settings",
        "fleet.serving",
    ),
    "fleet.board": (
        "contract",
        "fleet.errors",
        "fleet.mirror.building",
        "fleet.mirror.catalogue",
        "fleet.search.finding",
        "fleet.search.word_tower",
        "fleet.search.words",
        "fleet.serve.asking",
        "fleet.serve.reading",
        "fleet.serve.settings",
        "web",
    ),
    "fleet.exchange": ("contract", "fleet.errors", "fleet.ingest.sources", "tagsight.epc_schemes"),
    "fleet.forecast": ("fleet.errors",),
    "fleet.guide": ("fleet.errors", "fleet.serving", "web"),
    "fleet.mirror": ("contract", "fleet.errors", "fleet.search", "fleet.serving", "web"),
    "fleet.search": ("fleet.errors", "tagsight.yaml_files"),
    "fleet.flink": ("fleet.ingest.calendar", "fleet.ingest.columns", "fleet.ingest.rows", "fleet.models"),
    "fleet.cli": (
        "fleet.embedded",
        "fleet.errors",
        "fleet.flink",
        "fleet.exchange",
        "fleet.forecast.command",
        "fleet.ingest",
        "fleet.load.run",
        "fleet.guide.command",
        "fleet.mirror.command",
        "fleet.serve",
    ),
    "fleet.load.oracle": (),
    "testing": (
        *GROUND,
        *DATA_PATH,
        "broker",
        "contract",
        "engines",
        "fleet.ingest.consumer",
        "rfid_reader",
        "runtime.demo",
        "runtime.processes",
    ),
    "bench": (
        *GROUND,
        *DATA_PATH,
        "broker",
        "contract",
        "engines",
        "fleet.ingest.consumer",
        "rfid_reader",
        "runtime.console",
        "runtime.demo",
        "runtime.lazy_group",
        "runtime.processes",
        "testing",
    ),
    "bench.fleet": ("bench.fleet.screens", "contract", "fleet", "testing.fleet"),
    "bench.fleet.screens": ("contract", "fleet", "runtime.uplink.outbox"),
    "bench.paced.daemon": ("runtime.commands", "runtime.config", "runtime.processes", "runtime.supervisor"),
    "runtime.cli": (
        *BASE,
        "bench.cli",
        "calibration.cli",
        "engines.catalogue.cli",
        "rfid_reader.cli",
        "runtime.commands",
        "runtime.lazy_group",
        "runtime.uplink.cli",
        "runtime.uplink.events_cli",
    ),
    "runtime.__main__": ("runtime.cli",),
    "examples": ("tagsight",),
    "examples.consumer": (),
}
"""Room -> the modules of other rooms it may import, by prefix. `runtime` and `tagsight` stand for their
`__init__` alone: each room in them has a line of its own."""

SHOP = ("broker", "calibration", "contract", "engines", "rfid_reader", "runtime", "tagsight", "web")
"""What runs in a shop. Only the table of commands names the benchmarks."""

MAX_MODULES_A_FOLDER = 15

ALONE = ("runtime", "tagsight")
"""Packages whose rooms are named one by one."""

STORE_LIBRARIES = {"numpy", "scipy", "msgspec"}
STORE_FORBIDDEN = {
    "socket",
    "threading",
    "multiprocessing",
    "subprocess",
    "asyncio",
    "time",
    "sqlite3",
    "io",
    "os",
}


@cache
def all_imports(root: Path) -> tuple[Import, ...]:
    modules = modules_of(root)
    return tuple(one for module, file in modules.items() for one in imports_of(module, file, modules))


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def room_of(module: str) -> str | None:
    """The most particular room that a module is in; None where nobody has named one."""
    rooms = (room for room in ROOMS if module == room or (room not in ALONE and within(module, room)))
    return max(rooms, key=len, default=None)


def against(root: Path) -> list[str]:
    """What breaks the rules in a source tree, a sentence each."""
    found = [
        f"{module}: no room is named for it; say in tests/test_layers.py what it may import"
        for module in modules_of(root)
        if room_of(module) is None
    ]
    for one in all_imports(root):
        room = room_of(one.module)
        if room is None or room_of(one.name) == room:
            continue
        if not any(within(one.name, prefix) for prefix in ROOMS[room]):
            found.append(f"{one.module} imports {one.name}, which {room} may not")
    return found


def test_a_room_imports_only_rooms_nearer_the_ground() -> None:
    assert against(REPO) == []


def test_every_room_and_everything_that_rooms_may_import_is_there() -> None:
    modules = modules_of(REPO)
    named = {*ROOMS, *(prefix for allowed in ROOMS.values() for prefix in allowed)}
    assert sorted(name for name in named if name not in modules and name not in packages_of(REPO)) == []


def test_the_rules_themselves_lead_nowhere_but_down() -> None:
    edges: dict[str, set[str]] = {}
    for room, allowed in ROOMS.items():
        reached = {other for prefix in allowed for other in ROOMS if within(other, prefix)}
        reached |= {str(room_of(prefix)) for prefix in allowed}
        edges[room] = reached - {room}
    assert circles(edges) == []


@pytest.mark.parametrize("kinds", [("import",), ("import", "type")], ids=["imports", "with those for types"])
def test_no_modules_import_one_another_in_a_circle(kinds: tuple[str, ...]) -> None:
    edges: dict[str, set[str]] = {module: set() for module in modules_of(REPO)}
    for one in all_imports(REPO):
        if one.kind in kinds:
            edges[one.module].add(one.name)
    assert circles(edges) == []


A_TREE = {
    "contract/__init__.py": "",
    "contract/facts.py": "from runtime.clock import now\n",
    "runtime/__init__.py": "",
    "runtime/geometry.py": "def late():\n    from runtime.config import model\n",
    "runtime/config/__init__.py": "from . import model\n",
    "runtime/config/model.py": "import importlib\nimportlib.import_module(f'engines.{1}')\n",
    "runtime/clock.py": "from importlib import import_module\nT = ('engines.nms',)\nimport_module(T[0])\n",
    "runtime/packing.py": "if TYPE_CHECKING:\n    import engines.nms\n",
    "runtime/attic/__init__.py": "",
    "engines/__init__.py": "",
    "engines/nms.py": "",
    "cellar/__init__.py": "",
}


def test_what_breaks_the_rules_is_named_however_it_is_imported(tmp_path: Path) -> None:
    for name, text in A_TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sorted(against(tmp_path)) == [
        "cellar: no room is named for it; say in tests/test_layers.py what it may import",
        "contract.facts imports runtime.clock, which contract may not",
        "runtime.attic: no room is named for it; say in tests/test_layers.py what it may import",
        "runtime.clock imports engines.nms, which runtime.clock may not",
        "runtime.config.model imports engines.nms, which runtime.config may not",
        "runtime.geometry imports runtime.config.model, which runtime.geometry may not",
        "runtime.packing imports engines.nms, which runtime.packing may not",
    ]
    kinds = {one.kind for one in all_imports(tmp_path) if one.module == "runtime.packing"}
    assert kinds == {"type"}


def test_a_circle_is_found_whatever_its_length() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}, "f": {"f"}, "g": {"a"}}
    assert sorted(circles(edges)) == [["a", "b", "c"], ["d", "e"]]


def test_what_runs_in_a_shop_needs_neither_bench_nor_testing() -> None:
    needed = [
        f"{one.module} imports {one.name}"
        for one in all_imports(REPO)
        if one.module.partition(".")[0] in SHOP
        and one.module != "runtime.cli"
        and one.name.partition(".")[0] in ("bench", "testing")
    ]
    assert needed == []


def test_what_is_installed_imports_no_training() -> None:
    """`tagsight engines adapt` asks whether training is there before it imports it."""
    needed = [
        f"{one.module} imports {one.name}"
        for one in all_imports(REPO)
        if one.module.partition(".")[0] in SHOP
        and "training" not in one.module.split(".")
        and not one.module.endswith(".adapt_cli")
        and (within(one.name, "engines.training") or within(one.name, "rfid_reader.training"))
    ]
    assert needed == []


@pytest.mark.parametrize(
    "folder", ["bench", "contract", "engines", "runtime/frames", "runtime/uplink", "testing", "tests/frames"]
)
def test_no_folder_holds_more_than_fifteen_modules(folder: str) -> None:
    files = list((REPO / folder).rglob("*.py"))
    crowded = [
        f"{parent.relative_to(REPO)}: {count} modules"
        for parent in sorted({file.parent for file in files})
        if (count := len(list(parent.glob("*.py")))) > MAX_MODULES_A_FOLDER
    ]
    assert files and not crowded


def test_a_scene_knows_neither_its_renderer_nor_the_simulated_reader() -> None:
    strangers = {
        "engines.scene": ("engines.training", "rfid_reader", "runtime"),
        "engines.training.synthetic": ("rfid_reader", "runtime"),
        "rfid_reader.simulator": ("engines",),
    }
    against = [
        f"{one.module} imports {one.name}"
        for one in all_imports(REPO)
        for room, others in strangers.items()
        if one.module.startswith(room) and one.name.startswith(others)
    ]
    assert against == []


def test_the_store_core_opens_nothing_and_reads_no_clock() -> None:
    ours = packages_of(REPO)
    foreign = []
    for module, file in modules_of(REPO).items():
        if not within(module, "runtime.store"):
            continue
        for name in _imported(file):
            top = name.partition(".")[0]
            unknown = top not in sys.stdlib_module_names and top not in STORE_LIBRARIES and top not in ours
            if unknown or top in STORE_FORBIDDEN:
                foreign.append(f"{module} imports {name}")
    assert sorted(foreign) == []


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return names
