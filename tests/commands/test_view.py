"""`tagsight view`: where the pages are, and a link that signs in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from runtime.commands.view import view
from tagsight.errors import TagsightError
from web.security.private_files import signing_key
from web.security.sessions import Sessions
from web.security.users import Users


def store(folder: Path, **console: object) -> Path:
    file = folder / "store.yaml"
    given = {
        "site": {"name": "shop", "device": "box"},
        "floor": {"extent_m": [0, 0, 5, 5]},
        "console": console,
        "state_dir": str(folder),
    }
    file.write_text(yaml.safe_dump(given))
    return file


def said_by(file: Path) -> str:
    result = CliRunner().invoke(view, ["--config", str(file)])
    assert isinstance(result.exception, TagsightError), result.output
    return str(result.exception)


def test_pages_that_are_off_or_have_not_run_are_said_to_be(tmp_path: Path) -> None:
    assert "console.enabled is false" in said_by(store(tmp_path))
    assert "not there yet: start the daemon" in said_by(store(tmp_path, enabled=True))


def test_a_key_that_others_can_read_signs_nobody_in(tmp_path: Path) -> None:
    file = store(tmp_path, enabled=True)
    signing_key(tmp_path / "console" / "signing.key")
    (tmp_path / "console" / "signing.key").chmod(0o644)
    assert "chmod 600" in said_by(file)


@pytest.mark.parametrize(
    ("console", "address"),
    [
        ({"port": 9000}, "http://localhost:9000/"),
        ({"host": "0.0.0.0", "names": ["tagsight.shop.example"]}, "https://tagsight.shop.example:8480/"),
        ({"host": "192.0.2.7"}, "https://192.0.2.7:8480/"),
        ({"host": "2001:db8::7"}, "https://[2001:db8::7]:8480/"),
    ],
)
def test_the_link_is_one_that_the_pages_take(
    tmp_path: Path, console: dict[str, object], address: str
) -> None:
    file = store(tmp_path, enabled=True, **console)
    key = signing_key(tmp_path / "console" / "signing.key")
    result = CliRunner().invoke(view, ["--config", str(file), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["address"] == address
    head, _, link = told["link"].partition("enter/")
    assert head == address
    begun = Sessions(key, Users(tmp_path / "console" / "users.json")).begin_by_link(link)
    assert begun is not None and begun[0].role == "technician"
