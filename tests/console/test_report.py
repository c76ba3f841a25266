"""A day that is over: the same figures on the page, on the command line and in the tables."""

from __future__ import annotations

import csv
import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from contract.facts import Cell, Dwell, Footfall, Heatmap, Visit
from runtime.commands.report import report
from runtime.console.days.past import parse_day
from tagsight.errors import TagsightError
from tests.console.conftest import Shop

ZONE = ZoneInfo("Europe/London")
TODAY = datetime.now(ZONE).date()
YESTERDAY = TODAY - timedelta(days=1)


def at(hour: int, day: int = 0) -> float:
    """UTC seconds of an hour of yesterday, or of so many days after it."""
    midnight = datetime.combine(YESTERDAY + timedelta(days=day), datetime.min.time(), ZONE)
    return midnight.timestamp() + 3600 * hour


def visit(key: str, time_s: float, direction: str = "in", rev: int = 0) -> Visit:
    return Visit(
        key=key, time_s=time_s, rev=rev, visitor="2f1c8b7e9a04", direction=direction, entrance="road gate"
    )  # type: ignore[arg-type]


@pytest.fixture
def days(shop: Shop) -> Shop:
    """Two came in and one went out yesterday, one of them corrected today; many today."""
    begin_s = at(10)
    shop.write(
        [
            visit("a", at(10)),
            visit("b", at(11)),
            visit("c", at(11)),
            *(visit(f"today {number}", at(0, 1) + number) for number in range(5)),
            visit("c", at(11), "out", rev=1),
            Footfall(
                key="f", time_s=begin_s + 3600, start_s=begin_s, end_s=begin_s + 3600, entrance="road gate",
                entered=7, left=3, inferred=0, quality="degraded",
            ),
            Dwell(
                key="d", time_s=at(12), visitor="2f1c8b7e9a04", zone="road", enter_s=at(12) - 75,
                leave_s=at(12), dwell_s=75.0, quality="good",
            ),
            Heatmap(
                key="h", time_s=at(12), start_s=at(11), end_s=at(12), origin_m=(-20.0, -8.5), cell_m=0.5,
                zones={}, cells=[Cell(column=10, row=10, person_s=42.5)],
            ),
        ]
    )  # fmt: skip
    return shop


def figure(page: str, name: str) -> str:
    found = re.search(rf'data-value="{name}">(\d+)<', page)
    return "" if found is None else found[1]


def test_the_report_on_the_page_is_of_that_day_alone(days: Shop) -> None:
    viewer = days.viewer()
    assert f"/days/{YESTERDAY}/report.html" in viewer.get("/today").text
    answer = viewer.get(f"/days/{YESTERDAY}/report.html")
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
    assert (figure(answer.text, "in"), figure(answer.text, "out")) == ("2", "1")
    assert "42.5 person-seconds" in answer.text and "75 s median" in answer.text
    row = '<th scope="row">10:00</th><td class="number">7</td><td class="number">3</td><td>in part</td>'
    assert row in answer.text
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", answer.text), "nothing is loaded from elsewhere"
    rows = list(csv.DictReader(viewer.get(f"/days/{YESTERDAY}/visits.csv").text.splitlines()))
    assert sorted(row["direction"] for row in rows) == ["in", "in", "out"]
    before = viewer.get(f"/days/{YESTERDAY - timedelta(days=1)}/report.html")
    assert (figure(before.text, "in"), figure(before.text, "out")) == ("0", "0")


@pytest.mark.parametrize("day", ["never", "2026-13-01", f"{TODAY + timedelta(days=1)}"])
def test_a_day_that_is_none_is_said(days: Shop, day: str) -> None:
    viewer = days.viewer()
    assert viewer.get(f"/days/{day}/report.html").status_code == 404
    assert viewer.get(f"/days/{YESTERDAY}/no-such.csv").status_code == 404
    assert days.browser().get(f"/days/{YESTERDAY}/report.html", page=False).status_code == 401


def test_the_command_writes_the_same_as_files(days: Shop, tmp_path: Path) -> None:
    config = days.config.file
    assert config is not None
    config.write_text(config.read_text() + f"state_dir: {days.config.state_dir}\n")
    out = tmp_path / "reports"
    done = CliRunner().invoke(report, ["--config", str(config), "--day", str(YESTERDAY), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"{YESTERDAY}: 2 came in, 1 went out; 8 files" in done.output
    page = (out / f"report-{YESTERDAY}.html").read_text()
    assert page == days.viewer().get(f"/days/{YESTERDAY}/report.html").text
    image = cv2.imread(str(out / f"heat-{YESTERDAY}.png"))
    assert image is not None
    scale = image.shape[1] / 28.0
    cell = image[round(5.25 * scale), round(5.25 * scale)]
    assert np.array_equal(cell, [63, 119, 217]), "the busiest cell, where it is"
    refused = CliRunner().invoke(report, ["--config", str(config), "--day", "soon"])
    assert isinstance(refused.exception, TagsightError) and "would be right" in str(refused.exception)


def test_days_are_named_in_the_shops_own_zone() -> None:
    late_s = datetime(2026, 11, 29, 23, 30, tzinfo=ZoneInfo("UTC")).timestamp()
    assert parse_day("today", ZoneInfo("Europe/Berlin"), late_s).isoformat() == "2026-11-30"
    assert parse_day("yesterday", ZoneInfo("America/New_York"), late_s).isoformat() == "2026-11-28"
