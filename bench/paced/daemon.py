"""`tagsight run` whose store process is tapped: python -m bench.paced.daemon CONFIG."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.commands.run import leave
from runtime.config import load_running
from runtime.processes.kinds import KINDS, Kind
from runtime.supervisor.arbiter import Arbiter
from runtime.supervisor.children import group
from runtime.supervisor.children.main import configure_logging
from runtime.supervisor.topology import preloaded_modules


def main(config_path: Path) -> None:
    """Run until SIGTERM."""
    group.preloaded_modules = _with_the_tap  # type: ignore[attr-defined]
    config, mistakes = load_running(config_path)
    configure_logging(logging.INFO)
    leave(Arbiter(config_path, config, mistakes=mistakes).run())


def _with_the_tap(kinds: Sequence[Kind] = KINDS) -> list[str]:
    return [*preloaded_modules(kinds), "bench.paced.tap"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
