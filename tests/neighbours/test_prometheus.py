"""The shop as Prometheus metrics, read back by Prometheus's own parsers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from broker.mosquitto import free_port
from contract.facts import Fact
from runtime.daybook.daybook import local_day
from runtime.daybook.following import Following
from runtime.messages import FloorNow, OnFloor
from runtime.neighbours.layout import Layout
from runtime.neighbours.now import KINDS, ShopNow
from runtime.neighbours.prometheus import ShopCollector
from tests.neighbours.written import a_store, flip, footfall, health, tryon, write

BERLIN = ZoneInfo("Europe/Berlin")
NOON_S = datetime(2026, 3, 2, 12, tzinfo=BERLIN).timestamp()
DAY = (
    footfall(NOON_S - 86_400, 500, 500),
    footfall(NOON_S - 3_600, 7, 4),
    footfall(NOON_S - 1_800, 5, 5),
    footfall(NOON_S - 1_800, 6, 5, rev=1),
    flip(NOON_S - 900),
    flip(NOON_S - 800, fixture=None),
    flip(NOON_S - 700),
    flip(NOON_S - 700, rev=1, retracted=True),
    tryon(NOON_S - 600),
    health("vision", NOON_S - 120, fps=3.0, load=0.2),
    health("vision", NOON_S - 5, fps=9.5, load=0.4),
    health(
        "reader:racks",
        NOON_S - 5,
        "reading",
        reads_per_s=81.0,
        antenna_1_reads_per_s=81.0,
        antenna_2_lost=1.0,
    ),
    health("uplink", NOON_S - 5, "disconnected", backlog=12.0, oldest_waiting_s=30.0, certificate_days=2.0),
    health("camera:gone", NOON_S - 170),
)


class Shop:
    """What a scrape sees of a store whose events are these."""

    def __init__(self, folder: Path, facts: tuple[Fact, ...]) -> None:
        config = a_store(folder)
        self.outbox = config.outbox_path()
        self.outbox.parent.mkdir(exist_ok=True)
        write(self.outbox, facts, NOON_S)
        self.now_s = NOON_S
        self.shop = ShopNow(Layout.of(config))
        self.events = Following(self.outbox, lambda now_s: local_day(now_s, BERLIN)[0], KINDS)
        self.registry = CollectorRegistry()
        self.registry.register(ShopCollector(self.shop, lambda: self.now_s, "0.1"))
        self.read()

    def read(self) -> None:
        self.shop.take(self.events.news(self.now_s), self.now_s)

    def more(self, *facts: Fact) -> None:
        write(self.outbox, facts, self.now_s)
        self.read()

    def text(self) -> str:
        return generate_latest(self.registry).decode()

    def samples(self) -> dict[tuple[str, ...], float]:
        """By name and the values of its labels."""
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path, DAY)
    yield found
    found.events.close()


def test_figures_are_those_of_the_events(shop: Shop) -> None:
    found = shop.samples()
    assert found["tagsight_entered_persons_total", "door"] == 13
    assert found["tagsight_left_persons_total", "door"] == 9
    assert found["tagsight_handled_garments_total", "rack 1"] == 1
    assert found["tagsight_handled_garments_total", ""] == 1
    assert found["tagsight_tried_on_garments_total", "room 1"] == 1
    assert found["tagsight_vision_frames_per_second",] == 9.5
    assert found["tagsight_reader_reads_per_second", "racks"] == 81
    assert found["tagsight_antenna_connected", "left", "racks"] == 1
    assert found["tagsight_antenna_connected", "right", "racks"] == 0
    assert found["tagsight_outbox_waiting_events",] == 12
    assert found["tagsight_uplink_certificate_seconds",] == 2 * 86_400
    assert found["tagsight_process_healthy", "uplink"] == 0
    assert found["tagsight_process_healthy", "vision"] == 1
    assert found["tagsight_process_state", "uplink", "disconnected"] == 1
    assert found["tagsight_dropped_total", "vision", "reader busy"] == 3


def test_what_is_not_known_is_left_out_and_not_told_as_0(shop: Shop) -> None:
    names = {name for name, *_ in shop.samples()}
    assert not names & {"tagsight_floor_persons", "tagsight_zone_persons", "tagsight_outbox_bytes"}
    assert ("tagsight_process_healthy", "camera:gone") not in shop.samples(), (
        "it has been silent for too long"
    )
    shop.now_s += 61
    assert "tagsight_vision_frames_per_second" not in {name for name, *_ in shop.samples()}


def test_people_are_counted_by_zone_while_somebody_sees_them(shop: Shop) -> None:
    people = (OnFloor("a1", (1.0, 1.0)), OnFloor("b2", (6.0, 6.0)), OnFloor("c3", (2.0, 4.0)))
    shop.shop.take_people(FloorNow(NOON_S - 0.2, people))
    found = shop.samples()
    assert found["tagsight_floor_persons",] == 3
    assert found["tagsight_zone_persons", "racks"] == 2
    assert found["tagsight_zone_persons", "till"] == 1
    assert not re.search("a1|b2|c3|0123456789ab", shop.text()), "no visitor is in it"
    shop.now_s += 4
    assert ("tagsight_floor_persons",) not in shop.samples(), "the store process is silent"


def test_a_correction_downwards_is_no_new_beginning_of_the_counter(shop: Shop) -> None:
    """Prometheus takes a smaller value for a restart, and would count all of it again."""
    entered = ("tagsight_entered_persons_total", "door")
    assert shop.samples()[entered] == 13
    shop.more(footfall(NOON_S - 1_800, 2, 5, rev=2))
    assert shop.samples()[entered] == 13
    shop.more(footfall(NOON_S - 60, 6, 0))
    assert shop.samples()[entered] == 15, "7 + 2 + 6"


def test_counts_begin_anew_at_local_midnight(shop: Shop) -> None:
    shop.now_s = datetime(2026, 3, 3, 0, 1, tzinfo=BERLIN).timestamp()
    shop.more(footfall(shop.now_s - 60, 2, 0))
    assert shop.samples()["tagsight_entered_persons_total", "door"] == 2


def test_a_new_outbox_in_the_place_of_the_old_one_is_read(shop: Shop) -> None:
    for file in shop.outbox.parent.glob("outbox.db*"):
        file.rename(file.with_name(f"aside-{file.name}"))
    shop.more(footfall(NOON_S - 30, 1, 1))
    assert shop.samples()["tagsight_entered_persons_total", "door"] == 14
    assert shop.events.fault == ""


def test_no_outbox_is_said_in_a_sentence(shop: Shop, tmp_path: Path) -> None:
    for file in shop.outbox.parent.glob("outbox.db*"):
        file.unlink()
    shop.read()
    assert "no outbox there" in shop.events.fault


@pytest.fixture(scope="module")
def prometheus() -> Path:
    """The folder of prometheus and promtool."""
    found = os.environ.get("TAGSIGHT_PROMETHEUS")
    if not found:
        pytest.skip("no Prometheus: export TAGSIGHT_PROMETHEUS=$(scripts/fetch-prometheus)")
    return Path(found)


def test_promtool_has_nothing_to_say_against_the_metrics(shop: Shop, prometheus: Path) -> None:
    shop.shop.take_people(FloorNow(NOON_S, (OnFloor("a1", (1.0, 1.0)),)))
    command = [prometheus / "promtool", "check", "metrics"]
    done = subprocess.run(command, input=shop.text(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def expressions(dashboard: Path) -> list[str]:
    """The queries of a dashboard's panels."""
    panels = json.loads(dashboard.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_every_query_of_the_dashboard_finds_something_in_a_real_prometheus(
    shop: Shop, prometheus: Path, tmp_path: Path, repo: Path
) -> None:
    from prometheus_client import start_http_server

    now_s = time.time()
    values = {
        "door_fps": 9.0, "door_delivered_fps": 10.0, "door_allowed_fps": 10.0, "door_latency_ms": 80.0,
        "fps": 9.0, "load": 0.5,
    }  # fmt: skip
    shop.shop.layout.cameras.append("door")
    shop.now_s = now_s
    shop.more(
        footfall(now_s - 1, 3, 2), flip(now_s - 1), tryon(now_s - 1),
        health("vision", now_s, **values), health("store", now_s, outbox_bytes=1.0, outbox_waiting=0.0),
        health("reader:racks", now_s, "reading", reads_per_s=81.0, antenna_1_reads_per_s=81.0),
        health("uplink", now_s, "ok", backlog=0.0, oldest_waiting_s=0.0, certificate_days=30.0),
        health("supervisor", now_s, processes=5.0, restarts=0.0),
    )  # fmt: skip
    shop.shop.take_people(FloorNow(now_s + 30, (OnFloor("a1", (1.0, 1.0)),)))
    port, own = free_port(), free_port()
    server, thread = start_http_server(port, "127.0.0.1", shop.registry)
    settings = tmp_path / "prometheus.yml"
    settings.write_text(
        "global: {scrape_interval: 500ms}\n"
        f"scrape_configs: [{{job_name: tagsight, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    daemon = subprocess.Popen(
        [
            prometheus / "prometheus", f"--config.file={settings}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address=127.0.0.1:{own}",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wanted = expressions(repo / "docs" / "grafana" / "tagsight.json")
        assert len(wanted) > 8
        deadline_s, empty = time.monotonic() + 60.0, wanted
        while empty and time.monotonic() < deadline_s:
            time.sleep(0.3)
            empty = [each for each in empty if not answers(own, each)]
        assert empty == []
        assert answers(own, 'tagsight_entered_persons_total{entrance="door"}') == ["3"]
    finally:
        daemon.terminate()
        daemon.wait(20.0)
        server.shutdown()
        server.server_close()
        thread.join()


def answers(port: int, query: str) -> list[str]:
    """The values that a Prometheus has for a query; none while it starts."""
    plain = query.replace("$__rate_interval", "5s")
    address = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": plain})
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 400:
            raise AssertionError(f"{query}: {error.read().decode()}") from error
        return []
    except OSError:
        return []
    return [result["value"][1] for result in found["data"]["result"]]
