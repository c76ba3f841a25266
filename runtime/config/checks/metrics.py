"""Whether metrics can be told as configured."""

from __future__ import annotations

import ipaddress

from runtime.config.parsing.draft import Draft


def check_metrics(draft: Draft) -> None:
    """A file that node-exporter reads, in a folder that is there; an address to listen on."""
    metrics = draft.metrics
    try:
        ipaddress.ip_address(metrics.host)
    except ValueError:
        draft.note(
            "metrics.host", f"{metrics.host!r} is not an address", "127.0.0.1, 0.0.0.0 or one of this box"
        )
    if metrics.port is not None and draft.console.enabled and metrics.port == draft.console.port:
        draft.note("metrics.port", f"{metrics.port} is the console's port", "another one, such as 9464")
    file = metrics.textfile
    if file is None:
        return
    if file.suffix != ".prom":
        draft.note("metrics.textfile", f"{file.name}: node-exporter reads *.prom only", "tagsight.prom")
    elif not file.parent.is_dir():
        draft.note("metrics.textfile", f"{file.parent}: there is no such folder", "make it", "tolerated")
