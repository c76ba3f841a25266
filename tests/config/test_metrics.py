"""The section `metrics` of store.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import ConfigErrors, parse

STORE = "site: {name: shop, device: box}\nfloor: {extent_m: [0, 0, 5, 5]}\n"


def test_there_are_none_unless_wanted_and_then_on_this_machine_only() -> None:
    assert not parse(STORE, Path("store.yaml")).metrics.wanted
    found = parse(STORE + "metrics: {port: 9464}\n", Path("store.yaml")).metrics
    assert found.wanted and found.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("{host: tagsight.example, port: 9464}", "metrics.host: 'tagsight.example' is not an address"),
        (
            "{textfile: /var/lib/tagsight.txt}",
            "metrics.textfile: tagsight.txt: node-exporter reads *.prom only",
        ),
        ("{textfile: /no/such/folder/a.prom}", "metrics.textfile: /no/such/folder: there is no such folder"),
        ("{port: 0}", "metrics.port"),
        ("{every_s: 0.1, port: 9464}", "metrics.every_s"),
        ("{prot: 9464}", "metrics.prot"),
    ],
)
def test_a_mistake_is_named_at_its_key(section: str, says: str) -> None:
    with pytest.raises(ConfigErrors) as found:
        parse(f"{STORE}metrics: {section}\n", Path("store.yaml"))
    assert any(says in str(mistake) for mistake in found.value.mistakes), found.value


def test_the_port_is_not_the_consoles() -> None:
    text = STORE + "console: {enabled: true}\nmetrics: {port: 8480}\n"
    with pytest.raises(ConfigErrors, match="8480 is the console's port"):
        parse(text, Path("store.yaml"))
