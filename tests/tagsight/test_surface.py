"""The public surface: what `import tagsight` offers, how fast, and that its types are the real ones."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import tagsight

WANTED = {
    "PersonDetector",
    "FloorTracker",
    "Behaviour",
    "ReaderSession",
    "ReadTable",
    "make_detector",
    "Outbox",
    "load_config",
}


def typed_imports() -> dict[str, tuple[str, str]]:
    """Public name -> module and name there, as type checkers see it."""
    tree = ast.parse(Path(tagsight.__file__).read_text())
    (checked,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_what_was_promised_is_there() -> None:
    assert set(tagsight.__all__) >= WANTED
    assert tagsight.__version__ == version("tagsight")


def test_every_name_is_in_the_table_for_type_checkers_and_in_the_docstring() -> None:
    names = set(tagsight.__all__) - {"__version__"}
    assert set(typed_imports()) == names
    assert set(tagsight._MODULE_OF) == names
    said = set(tagsight.__doc__.replace("(", " ").replace(")", " ").replace(",", " ").split())
    assert not names - said
    assert set(dir(tagsight)) == set(tagsight.__all__)


@pytest.mark.parametrize("name", sorted(set(tagsight.__all__) - {"__version__"}))
def test_a_name_is_what_type_checkers_take_it_for(name: str) -> None:
    module, there = typed_imports()[name]
    assert getattr(tagsight, name) is getattr(importlib.import_module(module), there)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'tagsight' has no attribute 'Nonsense'"):
        tagsight.Nonsense  # noqa: B018
    assert not hasattr(tagsight, "importlib_metadata")


def test_importing_it_loads_nothing_of_ours_and_no_library(repo: Path) -> None:
    lines = (
        "import sys; import importlib, typing; before = set(sys.modules); import tagsight; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", lines], cwd=repo, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tagsight"]


def test_reading_events_needs_no_network_and_no_opencv(repo: Path) -> None:
    lines = "import sys, tagsight; tagsight.open_event; tagsight.unpack; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines], cwd=repo, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "msgspec" in loaded
    assert not loaded & {"cv2", "onnxruntime", "openvino", "engines", "av"}
