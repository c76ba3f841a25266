"""Data walks one way: each room imports only rooms nearer the ground."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
OURS = (
    "tagsight",
    "contract",
    "engines",
    "rfid_reader",
    "runtime",
    "calibration",
    "bench",
    "testing",
    "examples",
)
GROUND = (
    "runtime.errors",
    "runtime.packing",
    "runtime.redaction",
    "runtime.backoff",
    "runtime.clock",
    "runtime.messages",
    "runtime.geometry",
    "runtime.config",
)

ALLOWED: dict[str, tuple[str, ...]] = {
    "contract": ("contract",),
    "engines": ("engines",),
    "rfid_reader": ("rfid_reader",),
    "runtime/redaction.py": (),
    "runtime/errors.py": ("runtime.redaction",),
    "runtime/backoff.py": (),
    "runtime/clock.py": (),
    "runtime/messages.py": ("runtime.redaction",),
    "runtime/geometry.py": ("runtime.errors",),
    "runtime/config": (
        "runtime.errors",
        "runtime.redaction",
        "runtime.geometry",
        "runtime.packing",
        "runtime.config",
    ),
    "runtime/packing.py": (),
    "runtime/frames": (*GROUND, "runtime.frames"),
    "runtime/vision": (*GROUND, "engines", "runtime.vision"),
    "runtime/store": (
        "runtime.errors",
        "runtime.messages",
        "runtime.geometry",
        "runtime.config",
        "contract.facts",
        "runtime.store",
    ),
    "runtime/uplink": (*GROUND, "contract", "runtime.uplink"),
    "runtime/uplink/outbox": (
        *GROUND,
        "contract",
        "runtime.uplink.errors",
        "runtime.uplink.migrations",
        "runtime.uplink.outbox",
    ),
    "runtime/uplink/broker": (*GROUND, "contract", "runtime.uplink.errors", "runtime.uplink.broker"),
    "runtime/uplink/delivery": (
        *GROUND,
        "contract",
        "runtime.uplink.errors",
        "runtime.uplink.outbox",
        "runtime.uplink.broker",
        "runtime.uplink.delivery",
    ),
    "runtime/uplink/cloud": (
        *GROUND,
        "contract",
        "runtime.uplink.errors",
        "runtime.uplink.migrations",
        "runtime.uplink.broker",
        "runtime.uplink.cloud",
    ),
    "runtime/reader_settings.py": ("rfid_reader.settings", "runtime.config"),
    "calibration": (
        *GROUND,
        "rfid_reader",
        "runtime.frames",
        "runtime.reader_settings",
        "runtime.vision.draw",
        "calibration",
    ),
    "testing": ("contract", "engines", "rfid_reader", "runtime", "calibration", "testing"),
    "tagsight": ("contract", "engines", "rfid_reader", "runtime"),
    "examples": ("tagsight",),
    "examples/consumer.py": (),
}
"""Room -> the prefixes of our own modules it may import. Rooms not named here may import everything."""

MAX_MODULES_A_FOLDER = 15

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


def modules_of(room: str) -> list[Path]:
    path = REPO / room
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def imports_of(module: Path) -> set[str]:
    """Absolute names of everything a module imports, wherever in the file."""
    package = module.relative_to(REPO).with_suffix("").parts
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            stem = ".".join(part for part in (base, node.module or "") if part)
            names.add(stem)
            names.update(f"{stem}.{alias.name}" for alias in node.names)
    return names


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_rooms_nearer_the_ground(room: str) -> None:
    modules = modules_of(room)
    assert modules, f"{room} is empty"
    against = [
        f"{module.relative_to(REPO)} imports {name}"
        for module in modules
        for name in sorted(imports_of(module))
        if within(name, OURS) and not within(name, ALLOWED[room]) and not _is_ancestor(name, ALLOWED[room])
    ]
    assert not against, "\n".join(against)


def _is_ancestor(name: str, prefixes: tuple[str, ...]) -> bool:
    """`from runtime.store import facts` also names `runtime.store`, the way to what is allowed."""
    return any(prefix.startswith(name + ".") for prefix in prefixes)


def test_what_runs_in_a_shop_needs_neither_bench_nor_testing() -> None:
    against = [
        f"{module.relative_to(REPO)} imports {name}"
        for room in ("tagsight", "contract", "engines", "rfid_reader", "runtime", "calibration")
        for module in modules_of(room)
        for name in sorted(imports_of(module))
        if within(name, ("bench", "testing"))
    ]
    assert not against, "\n".join(against)


def test_the_store_core_opens_nothing_and_reads_no_clock() -> None:
    import sys

    against = []
    for module in modules_of("runtime/store"):
        for name in imports_of(module):
            top = name.split(".")[0]
            foreign = top not in sys.stdlib_module_names and top not in STORE_LIBRARIES and top not in OURS
            if foreign or top in STORE_FORBIDDEN:
                against.append(f"{module.relative_to(REPO)} imports {name}")
    assert not against, "\n".join(sorted(against))


@pytest.mark.parametrize("room", ["bench", "engines", "testing"])
def test_no_folder_of_a_room_holds_more_than_fifteen_modules(room: str) -> None:
    folders = {module.parent for module in modules_of(room)}
    crowded = {
        str(folder.relative_to(REPO)): count
        for folder in folders
        if (count := len(list(folder.glob("*.py")))) > MAX_MODULES_A_FOLDER
    }
    assert not crowded


@pytest.mark.parametrize("room", ["contract", "engines", "rfid_reader", "runtime", "calibration", "tagsight"])
def test_what_is_installed_imports_no_training(room: str) -> None:
    """`tagsight engines adapt` asks whether training is there before it imports it."""
    against = [
        f"{module.relative_to(REPO)} imports {name}"
        for module in modules_of(room)
        if "training" not in module.parts and module.name != "adapt_cli.py"
        for name in sorted(imports_of(module))
        if within(name, ("engines.training", "rfid_reader.training"))
    ]
    assert not against, "\n".join(against)
