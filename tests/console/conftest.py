"""The pages of the plaza over a real outbox, as a browser without a screen asks for them."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from contract.envelope import Origin
from contract.facts import Fact
from runtime.config import Console, StoreConfig, load
from runtime.console.app import ShopPages
from runtime.console.shown import Setup, ShownStore
from runtime.uplink.outbox.writer import Outbox
from tests.console.browsing import chromium
from tests.console.daemon import Running, a_plaza, has_happened, wait_until
from web.security import users

CODE = "ABCD-EFGH-JKMN"
PASSWORD = "four plain dull words"


class Shop:
    """Pages, and the outbox that they read."""

    def __init__(self, config: StoreConfig) -> None:
        self.config = config
        self.watched: list[bool] = []
        self.reloads: list[float] = []
        self.outbox = Outbox(config.outbox_path(), Origin("plaza", "demo-box"))
        self.pages = ShopPages(
            Setup.of(config),
            ShownStore.of(config),
            time.time,
            self.watched.append,
            lambda: None,
            CODE,
            lambda: self.reloads.append(time.time()),
        )
        self.app = self.pages.app()

    def write(self, facts: Sequence[Fact]) -> None:
        """Facts, on disk."""
        self.outbox.append(facts)
        assert self.outbox.flush(10.0)

    def browser(self) -> Browser:
        """A browser that has not signed in."""
        return Browser(self)

    def technician(self) -> Browser:
        """One whom the first technician uses."""
        browser = self.browser()
        if not self.pages.users.all():
            self.pages.users.add_first("Ada", PASSWORD)
        return browser.sign_in("Ada")

    def viewer(self) -> Browser:
        """One whom a viewer uses."""
        self.technician()
        if self.pages.users.find("Vera") is None:
            self.pages.users.add("Vera", "viewer", PASSWORD)
        return self.browser().sign_in("Vera")

    def close(self) -> None:
        """Let go of the outbox."""
        self.pages.live.close()
        self.outbox.close(5.0)


class Browser:
    """Keeps cookies, sends its origin with each form and the token that the page has."""

    def __init__(self, shop: Shop) -> None:
        setup = shop.pages.setup
        self.origin = setup.url().rstrip("/")
        self.client = TestClient(shop.app, base_url=self.origin, follow_redirects=False)

    def get(self, path: str, page: bool = True):  # type: ignore[no-untyped-def]
        return self.client.get(path, headers={"Accept": "text/html" if page else "*/*"})

    def token(self) -> str:
        found = re.search(r'name="token" value="([0-9a-f]{64})"', self.get("/sign-in").text) or re.search(
            r'name="token" value="([0-9a-f]{64})"', self.get("/").text
        )
        assert found is not None
        return found[1]

    def post(self, path: str, origin: str | None = "", token: str | None = None, **fields: str):  # type: ignore[no-untyped-def]
        """A form; `origin` and `token` are the right ones unless given."""
        headers = {"Accept": "text/html"}
        if origin is not None:
            headers["Origin"] = origin or self.origin
        fields["token"] = self.token() if token is None else token
        return self.client.post(path, data=fields, headers=headers)

    def send(self, path: str, body: object):  # type: ignore[no-untyped-def]
        """JSON or bytes, as a page's own script sends it."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = {"Origin": self.origin, "X-CSRF-Token": self.token()}
        return self.client.post(path, content=data, headers=headers)

    def sign_in(self, name: str, password: str = PASSWORD) -> Browser:
        answer = self.post("/sign-in", name=name, password=password)
        assert answer.status_code == 303, answer.text
        return self


@pytest.fixture(scope="session")
def plaza_config(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> StoreConfig:
    return load(_box(repo, tmp_path_factory.mktemp("plaza")))


@pytest.fixture
def config(repo: Path, plaza_config: StoreConfig, tmp_path: Path) -> StoreConfig:
    """The plaza's, read once; all of it is the test's own: some tests write into it."""
    file = _box(repo, tmp_path)
    return msgspec.structs.replace(
        copy.deepcopy(plaza_config), file=file, state_dir=tmp_path, console=Console(enabled=True)
    )


def _box(repo: Path, folder: Path) -> Path:
    (folder / "box").mkdir()
    (folder / "box" / "vtest.avi").touch()
    file = folder / "box" / "store.yaml"
    file.write_text((repo / "runtime" / "demo" / "plaza.yaml").read_text())
    return file


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """How dear a password's hash has to be is for `tests/web` to say."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(users, "_hasher", hasher)
    monkeypatch.setattr(users, "_NOBODY", hasher.hash("nobody's"))


@pytest.fixture
def shop(config: StoreConfig) -> Iterator[Shop]:
    opened = Shop(config)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    executable = chromium()
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def running(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with a_plaza(browser, tmp_path_factory.mktemp("plaza")) as one:
        wait_until(lambda: has_happened(one))
        yield one
