"""A file of metrics for node-exporter's textfile collector."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

READABLE = 0o644
"""node-exporter runs as a user of its own; what is in the file is about nobody."""


def write_textfile(path: Path, registry: CollectorRegistry) -> None:
    """The metrics of this moment in the place of those before, as a whole. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(generate_latest(registry))
    beside.chmod(READABLE)
    beside.rename(path)
