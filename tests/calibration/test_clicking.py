"""The page for marking points: this machine only, with the token, and it ends by itself."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.errors import CalibrationError
from calibration.floor.clicking import ClickingPage
from calibration.floor.point_pairs import pairs_of

ROWS = [[100, 400, 0, 5], [500, 400, 5, 5], [400, 100, 5, 0], [200, 100, 0, 0], [300, 250, 2.5, 2.0]]


@pytest.fixture
def page() -> Iterator[ClickingPage]:
    picture = np.zeros((480, 640, 3), np.uint8)
    with ClickingPage(picture, pairs_of([[1, 2, 3, 4]])) as running:
        yield running


def ask(page: ClickingPage, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    link = http.client.HTTPConnection("127.0.0.1", page.port, timeout=5)
    link.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
    answer = link.getresponse()
    found = answer.status, answer.read()
    link.close()
    return found


def test_the_page_holds_the_picture_and_the_points_so_far(page: ClickingPage) -> None:
    assert page.address.startswith("http://127.0.0.1:")
    status, body = ask(page, "GET", page.address.partition(str(page.port))[2])
    assert status == 200
    assert b"data:image/png;base64,iVBOR" in body
    assert b'{"image": [1.0, 2.0], "floor": [3.0, 4.0]}' in body
    assert not re.search(rb"@[A-Z]+@", body)
    assert not re.search(rb"https?://", body), "the page needs nothing from elsewhere"


def test_without_the_token_there_is_no_picture(page: ClickingPage) -> None:
    assert ask(page, "GET", "/")[0] == 403
    assert ask(page, "GET", "/?token=guess")[0] == 403
    assert ask(page, "POST", "/done", ROWS)[0] == 403
    assert not page.done.is_set()


def test_a_foreign_name_for_this_machine_is_refused(page: ClickingPage) -> None:
    status, _ = ask(page, "GET", f"/?token={page.token}", Host="evil.example")
    assert status == 403


def test_misses_are_judged_while_the_person_clicks(page: ClickingPage) -> None:
    status, body = ask(page, "POST", "/judge", ROWS, **{"X-Token": page.token})
    verdict = json.loads(body)
    assert status == 200
    assert len(verdict["errors_cm"]) == 5 and max(verdict["errors_cm"]) > 1
    assert any("5 pairs" in warning for warning in verdict["warnings"])


def test_done_hands_over_the_pairs(page: ClickingPage) -> None:
    assert ask(page, "POST", "/done", ROWS, **{"X-Token": page.token})[0] == 200
    pairs = page.wait(1.0)
    assert pairs.image_px.tolist() == [row[:2] for row in ROWS]
    assert pairs.floor_m.tolist() == [row[2:] for row in ROWS]


@pytest.mark.parametrize(
    "body", [{"a": 1}, [[1, 2, 3]], [["1", 2, 3, 4]], [[True, 2, 3, 4]], [[1, 2, 3, 4]] * 900]
)
def test_what_is_not_a_list_of_points_is_refused(page: ClickingPage, body: Any) -> None:
    assert ask(page, "POST", "/done", body, **{"X-Token": page.token})[0] == 400
    assert not page.done.is_set()


def test_a_body_without_end_is_refused(page: ClickingPage) -> None:
    headers = {"X-Token": page.token, "Content-Length": str(10**9)}
    assert ask(page, "POST", "/done", None, **headers)[0] == 400


def test_the_command_goes_on_with_the_points_of_the_page(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "door.png"), np.zeros((480, 640, 3), np.uint8))
    command = ("calibrate", "floor", str(tmp_path / "door.png"), "--click", "--minutes", "0.5", "--json")
    with subprocess.Popen(
        [sys.executable, "-m", "runtime", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        port, token = re.search(r"127\.0\.0\.1:(\d+)/\?token=(\S+)", running.stderr.readline()).groups()
        link = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
        link.request("POST", "/done", body=json.dumps(ROWS), headers={"X-Token": token})
        assert link.getresponse().status == 200
        link.close()
        output, _ = running.communicate(timeout=30)
    assert running.returncode == 0
    assert [point["floor"] for point in json.loads(output)["points"]] == [row[2:] for row in ROWS]


def test_the_page_ends_when_nobody_comes() -> None:
    with (
        pytest.raises(CalibrationError, match="nobody finished the page within"),
        ClickingPage(np.zeros((64, 64, 3), np.uint8), pairs_of([])) as page,
    ):
        page.wait(0.05)
    with pytest.raises(OSError):
        ask(page, "GET", "/")
