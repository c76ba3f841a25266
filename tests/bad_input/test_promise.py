"""The tables of this folder are as long as promised."""

from __future__ import annotations

from tests.bad_input.test_configs import BAD_CONFIGS
from tests.bad_input.test_files import BAD_FILES
from tests.bad_input.test_peers import BAD_FRAMES, BAD_STREAMS


def test_the_tables_are_as_long_as_promised() -> None:
    assert len(BAD_CONFIGS) + len(BAD_FILES) + len(BAD_STREAMS) + len(BAD_FRAMES) >= 25
