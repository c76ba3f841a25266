from __future__ import annotations

import stat
from pathlib import Path

import pytest

from web.errors import WebError
from web.security.sessions import Sessions, SignInLinks
from web.security.users import MAX_USERS, Users

KEY = b"k" * 32
PASSWORD = "four plain dull words"


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path / "console" / "users.json")


def test_no_password_is_in_the_file_and_nobody_else_reads_it(users: Users, tmp_path: Path) -> None:
    users.add_first("Ada", PASSWORD)
    file = tmp_path / "console" / "users.json"
    assert PASSWORD not in file.read_text() and "$argon2id$v=19$m=19456,t=2,p=1$" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o644)
    with pytest.raises(WebError, match="chmod 600"):
        Users(file)


def test_only_the_right_password_of_the_right_name_is_taken(users: Users) -> None:
    users.add_first("Ada", PASSWORD)
    assert users.check("Ada", PASSWORD) is not None
    assert users.check("Ada", PASSWORD + "x") is None
    assert users.check("Bob", PASSWORD) is None


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("Ada", "short", "at least 10"),
        ("Ada", "x" * 300, "at most 256"),
        ("", PASSWORD, "A name has"),
        ("<b>", PASSWORD, "A name has"),
        ("a" * 41, PASSWORD, "A name has"),
        ("terminal", PASSWORD, "already"),
    ],
)
def test_a_user_that_will_not_do_is_refused_in_words(
    users: Users, name: str, password: str, says: str
) -> None:
    with pytest.raises(WebError, match=says):
        users.add(name, "viewer", password)
    assert users.all() == []


def test_there_is_one_first_user_and_always_a_technician(users: Users) -> None:
    users.add_first("Ada", PASSWORD)
    with pytest.raises(WebError, match="already"):
        users.add_first("Eve", PASSWORD)
    users.add("Bob", "viewer", PASSWORD)
    with pytest.raises(WebError, match="only technician"):
        users.remove("Ada")
    users.remove("Bob")
    assert [user.name for user in users.all()] == ["Ada"]
    assert MAX_USERS < 1_000


def test_another_password_and_a_removal_end_sessions_at_once(users: Users) -> None:
    ada = users.add_first("Ada", PASSWORD)
    bob = users.add("Bob", "technician", PASSWORD)
    sessions = Sessions(KEY, users)
    (_, adas), (_, bobs) = sessions.begin(ada), sessions.begin(bob)
    assert sessions.read(adas) is not None
    users.set_password("Ada", PASSWORD + " more")
    assert sessions.read(adas) is None
    assert sessions.read(bobs) is not None
    users.remove("Bob")
    assert sessions.read(bobs) is None


def test_what_was_signed_out_stays_so_after_a_restart(users: Users, tmp_path: Path) -> None:
    ada = users.add_first("Ada", PASSWORD)
    session, cookie = Sessions(KEY, users).begin(ada)
    Sessions(KEY, users).end(session)
    again = Sessions(KEY, Users(tmp_path / "console" / "users.json"))
    assert again.read(cookie) is None


def test_a_cookie_of_another_key_or_a_changed_one_is_nobody(users: Users) -> None:
    ada = users.add_first("Ada", PASSWORD)
    _, cookie = Sessions(b"o" * 32, users).begin(ada)
    sessions = Sessions(KEY, users)
    assert sessions.read(cookie) is None
    _, mine = sessions.begin(ada)
    for at in range(0, len(mine), 3):
        other = "A" if mine[at] != "A" else "B"
        changed = sessions.read(mine[:at] + other + mine[at + 1 :])
        assert changed is None or at >= len(mine) - 1


def test_a_session_without_a_user_carries_a_token_and_no_right(users: Users) -> None:
    sessions = Sessions(KEY, users)
    session, cookie = sessions.begin()
    again = sessions.read(cookie)
    assert again is not None and again.user == "" and not again.may("viewer")
    assert sessions.is_token(again, sessions.token(session))
    other, _ = sessions.begin()
    assert not sessions.is_token(other, sessions.token(session))


def test_a_link_serves_once(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(KEY, users)
    link = SignInLinks(KEY).make()
    begun = sessions.begin_by_link(link)
    assert begun is not None and begun[0].role == "technician"
    assert sessions.begin_by_link(link) is None
    assert sessions.begin_by_link(SignInLinks(b"o" * 32).make()) is None


def test_a_link_is_over_after_ten_minutes(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    link = SignInLinks(KEY).make()
    import time

    later_s = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later_s)
    assert Sessions(KEY, users).begin_by_link(link) is None


def test_a_spoiled_file_of_users_is_named(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text('{"users": [{"name": 3}]}')
    file.chmod(0o600)
    with pytest.raises(WebError, match="not a list of users"):
        Users(file)
