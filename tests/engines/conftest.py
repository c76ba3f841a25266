"""Networks and back ends for the tests of engines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engines import backends

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["openvino", "onnxruntime"])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each back end in turn; those that are not installed are skipped."""
    if request.param not in backends.installed():
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture(autouse=True)
def a_store_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts on files and added engines are kept there, and not in the home of who runs the tests."""
    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path_factory.getbasetemp() / "engines"))
