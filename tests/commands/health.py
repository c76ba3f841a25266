"""`tagsight healthcheck`, run in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cli import main


def healthcheck(store: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["healthcheck", "--config", str(store), *options])
    return int(ended.value.code or 0), capsys.readouterr().out
