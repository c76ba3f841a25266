"""`tagsight run`: the daemon."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from runtime.config import load_running


@click.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The store's store.yaml."
)
@click.option("--verbose", is_flag=True, help="Log what happens in between, too.")
def run(config_path: Path, verbose: bool) -> None:
    """Run the daemon for one store until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration again: what a running process can take up is in force at once, the rest
    restarts the one process that it concerns. A broken file changes nothing. The exit code is 0 where every
    process drained in time.

    \b
    Example:
      tagsight run --config /etc/tagsight/store.yaml
    """
    run_daemon(config_path, verbose)


def run_daemon(config_path: Path, verbose: bool = False) -> NoReturn:
    """Run until SIGTERM or Ctrl-C, then end this process."""
    from runtime.supervisor.arbiter import Arbiter
    from runtime.supervisor.children.main import configure_logging
    from runtime.supervisor.configuration.current import LEVELS

    config, mistakes = load_running(config_path)
    configure_logging(logging.DEBUG if verbose else LEVELS[config.log.level])
    leave(Arbiter(config_path, config, verbose=verbose, mistakes=mistakes).run())


def leave(code: int) -> NoReturn:
    """End this process now. All that is left is to take the interpreter and its libraries apart, which takes
    seconds on a busy machine, and systemd counts them.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
