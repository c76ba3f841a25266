from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bench.cli import bench
from bench.vision.identity.command import STAGE_TRACKS, false_merges, idf1, play
from bench.vision.identity.visitors import simulate


def test_place_and_time_make_more_of_looks_and_merge_hardly_anybody_wrongly() -> None:
    shop = simulate(1, 160)
    with_all, looks_alone = play(shop, True, True), play(shop, False, False)
    sources = list(shop.whose)
    assert idf1(shop, with_all, sources) > idf1(shop, looks_alone, sources)
    assert len(with_all.links) > len(looks_alone.links)
    assert false_merges(shop, with_all) < 0.05
    assert with_all.came_in == pytest.approx(shop.visits, abs=2)


def test_the_report_is_json_with_every_method() -> None:
    done = CliRunner().invoke(
        bench, ["identity", "--seeds", "1", "--tracks", "60", "--people", "8", "--json"]
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert [method["method"] for method in report["methods"]] == [
        "place, transit, looks",
        "place, looks",
        "looks",
    ]
    assert report["tracks"] < STAGE_TRACKS
    assert all(len(method["idf1_by_stage"]) == 1 for method in report["methods"])


def test_a_shop_follows_from_its_seed() -> None:
    assert simulate(3, 50, 6).records == simulate(3, 50, 6).records != simulate(4, 50, 6).records
