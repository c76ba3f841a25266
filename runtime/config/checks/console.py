"""Whether the console can be shown as configured."""

from __future__ import annotations

import ipaddress
from importlib.util import find_spec

from runtime.config.parsing.draft import Draft

PACKAGES = ("starlette", "uvicorn", "jinja2", "argon2", "itsdangerous", "multipart", "ruamel.yaml")
"""What the extra `console` brings; without them the box counts all the same."""


def missing_packages() -> list[str]:
    """Those of PACKAGES that are not installed."""
    return [name for name in PACKAGES if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def check_console(draft: Draft) -> None:
    """An address to listen on, a certificate with its key, and the packages."""
    console = draft.console
    try:
        ipaddress.ip_address(console.host)
    except ValueError:
        draft.note(
            "console.host", f"{console.host!r} is not an address", "127.0.0.1, 0.0.0.0 or one of this box"
        )
    if (console.cert is None) != (console.key is None):
        given, missing = ("cert", "key") if console.key is None else ("key", "cert")
        draft.note(f"console.{given}", f"without console.{missing}", "give both, or neither")
    for key in ("cert", "key"):
        file = getattr(console, key)
        if console.enabled and file is not None and not file.is_file():
            draft.note(f"console.{key}", f"{file}: there is no such file", "a PEM file", "tolerated")
    if console.enabled and (missing_names := missing_packages()):
        draft.note(
            "console.enabled",
            f"the packages of the pages are not installed ({', '.join(missing_names)})",
            "pip install 'tagsight[console]', or enabled: false",
            "tolerated",
        )
