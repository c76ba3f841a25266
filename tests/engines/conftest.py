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
