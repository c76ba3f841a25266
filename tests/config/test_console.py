"""The section `console` of store.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import ConfigErrors, parse
from runtime.config.checks import console as checks

STORE = "site: {name: shop, device: box}\nfloor: {extent_m: [0, 0, 5, 5]}\n"


def mistakes(text: str) -> list[str]:
    try:
        parse(STORE + text, Path("store.yaml"))
    except ConfigErrors as error:
        return [str(mistake) for mistake in error.mistakes]
    return []


def test_the_pages_are_off_and_then_on_this_machine_only() -> None:
    off = parse(STORE, Path("store.yaml")).console
    assert not off.enabled and off.host == "127.0.0.1"
    assert parse(STORE + "console: {enabled: true}", Path("store.yaml")).console.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("{host: tagsight.example}", "console.host"),
        ("{host: ''}", "console.host"),
        ("{port: 0}", "console.port"),
        ("{cert: a.pem}", "console.cert"),
        ("{key: a.pem}", "console.key"),
        ("{enabled: true, cert: a.pem, key: a.pem}", "console.cert"),
        ("{password: x}", "console.password"),
        ("[1]", "console"),
    ],
)
def test_a_mistake_is_named_at_its_key(section: str, says: str) -> None:
    found = mistakes(f"console: {section}\n")
    assert any(says in mistake for mistake in found), found


def test_missing_packages_are_said_and_stop_no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PACKAGES", ("starlette", "no_such_package"))
    assert mistakes("console: {enabled: false}\n") == []
    (said,) = mistakes("console: {enabled: true}\n")
    assert "no_such_package" in said and "pip install 'tagsight[console]'" in said
    from runtime.config.loading import examine

    store, found = examine(STORE + "console: {enabled: true}\n", Path("store.yaml"))
    assert store.console.enabled and [mistake.weight for mistake in found] == ["tolerated"]
