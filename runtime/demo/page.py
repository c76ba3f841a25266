"""The demo's pages: on a free port of this machine, where their packages are installed."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from broker.mosquitto import free_port
from runtime.config import StoreConfig
from runtime.config.checks.console import missing_packages

READY_WITHIN_S = 20.0


def page_section() -> dict[str, Any]:
    """The section `console` of a demo's store.yaml."""
    return {"enabled": not missing_packages(), "port": free_port()}


def print_page_address(config: StoreConfig, console: Console) -> None:
    """Print where the pages are, once they are there."""
    if not config.console.enabled:
        console.print("no pages: their packages are missing (pip install 'tagsight[console]')")
        return
    from runtime.console.link import KEY_FILE, sign_in_link
    from runtime.console.shown import Setup

    setup = Setup.of(config)
    deadline_s = time.monotonic() + READY_WITHIN_S
    while not (setup.folder / KEY_FILE).exists():
        if time.monotonic() > deadline_s:
            console.print("the pages are not there yet; see daemon.log")
            return
        time.sleep(0.1)
    console.print("watch it in a browser while it runs:")
    console.print(f"  {sign_in_link(setup)}", highlight=False, soft_wrap=True)
