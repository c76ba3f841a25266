"""Networks and back ends for the tests of engines."""

from __future__ import annotations

import pytest

from engines import backends


@pytest.fixture(params=["openvino", "onnxruntime"])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each back end in turn; those that are not installed are skipped."""
    if request.param not in backends.installed():
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)
