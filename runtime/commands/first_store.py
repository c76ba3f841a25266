"""A first store.yaml, for whoever sets the rest up in the browser."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from runtime.config.checks.console import missing_packages
from tagsight.errors import TagsightError

PORT = 8480
ZONEINFO = "zoneinfo/"
TEXT = """\
# One store, one box. The pages fill in the rest: tagsight view --config {file}
site: {{name: {site}, device: {device}, timezone: {zone}}}

floor:
  extent_m: [0, 0, 20, 12]   # left, top, right, bottom edge in metres

console: {{enabled: true{port}}}

state_dir: state
"""


def write_first_store(file: Path) -> None:
    """Write it where there is nothing yet. Raises TagsightError where it cannot be, or the pages cannot."""
    if names := missing_packages():
        raise TagsightError(f"packages are missing ({', '.join(names)}): pip install 'tagsight[console]'")
    port = _port()
    text = TEXT.format(
        file=file.name,
        site=_word(file.absolute().parent.name, "my-store"),
        device=_word(socket.gethostname(), "box-1"),
        zone=_zone(),
        port="" if port == PORT else f", port: {port}",
    )
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise TagsightError(
            f"{file} cannot be written: {error.strerror}; choose a folder of yours"
        ) from error


def _word(text: str, otherwise: str) -> str:
    """The text as a name in store.yaml; it must not look like a number either."""
    word = re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-")[:40]
    return word if re.match(r"[A-Za-z]\w+-|[A-Za-z]{4}", word) else otherwise


def _zone() -> str:
    """The machine's own time zone by its IANA name; UTC where it has none."""
    try:
        target = str(Path("/etc/localtime").resolve())
    except OSError:
        return "UTC"
    name = target.partition(ZONEINFO)[2]
    return name if re.fullmatch(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)+", name) else "UTC"


def _port() -> int:
    """The usual one, or a free one where somebody has it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
