"""Stock lists beside store.yaml, and lists of a hundred thousand tags in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from runtime.commands.config import check
from runtime.config import ArticleTable, ConfigErrors, load, parse
from runtime.config.parsing import decode, yaml_tree

STORE = """
site: {name: test, device: box}
floor: {extent_m: [0, 0, 10, 10]}
epcs_file: stock.csv
fixtures:
  - {name: coat rack, at: [2, 2], skus: [{sku: OLD, epcs: ["AA00"]}]}
  - {name: shoe rack, at: [5, 5]}
"""
LARGE = 100_000
MOST_TIMES_PLAIN = 3.0


def stored(folder: Path, stock: str, store: str = STORE, name: str = "stock.csv") -> Path:
    (folder / name).write_text(stock, encoding="utf-8")
    (folder / "store.yaml").write_text(store)
    return folder / "store.yaml"


def test_articles_of_a_list_are_those_of_their_fixtures(tmp_path: Path) -> None:
    listed = (
        "epc,sku,fixture,size\n3034AA,COAT,coat rack,38\n3034AB,COAT,coat rack,40\n\n3034B*,SHOE,shoe rack,\n"
    )
    store = load(stored(tmp_path, listed))
    coats, shoes = store.fixtures
    assert [(one.sku, one.epcs) for one in coats.skus] == [("OLD", ["AA00"]), ("COAT", ["3034AA", "3034AB"])]
    assert [(one.sku, one.epcs) for one in shoes.skus] == [("SHOE", ["3034B*"])]
    articles = ArticleTable.of(store.fixtures)
    found = articles.find("3034ab"), articles.find("3034bbcc")
    assert [(one.sku, one.fixture) for one in found if one] == [("COAT", "coat rack"), ("SHOE", "shoe rack")]


@pytest.mark.parametrize(
    "listed",
    [
        "\ufeffSKU;EPC;Name\nCOAT; 3034aa ;coat rack\n",
        "name\tepc\tsku\ncoat rack\t3034AA\tCOAT\n",
        'epc,sku,fixture\r\n"3034AA","COAT","coat rack"\r\n',
    ],
)
def test_lists_as_spreadsheets_write_them(tmp_path: Path, listed: str) -> None:
    assert load(stored(tmp_path, listed)).fixtures[0].skus[1].sku == "COAT"


def test_a_fixture_has_a_list_of_its_own(tmp_path: Path) -> None:
    text = STORE.replace("epcs_file: stock.csv\n", "").replace(
        "at: [5, 5]", "at: [5, 5], epcs_file: shoes.csv"
    )
    store = load(stored(tmp_path, "epc,sku\n3034AA,SHOE\n", text, "shoes.csv"))
    assert [one.sku for one in store.fixtures[1].skus] == ["SHOE"]


HEADER = "epc,sku,fixture\n"
FIRST = "fixtures[0].skus[0].epcs[0]"


@pytest.mark.parametrize(
    ("listed", "line", "said"),
    [
        (f"{HEADER}3034AA,COAT,coat rack\n3.0342E+23,COAT,coat rack\n", 3, "'3.0342E+23' is not an EPC"),
        (f"{HEADER}3034AA,A,coat rack\n3034aa,A,shoe rack\n", 3, "'3034aa' is also at FOLDER/stock.csv:2"),
        (f"{HEADER}aa00,COAT,coat rack\n", 2, f"'aa00' is also at {FIRST}"),
        (f"{HEADER}AA*,COAT,coat rack\n", 2, f"'aa*' overlaps 'aa00' at {FIRST}"),
        (f"{HEADER}3034AA,A,coat rak\n", 2, "there is no fixture 'coat rak'; did you mean 'coat rack'?"),
        (f"{HEADER}3034AA,COAT,\n", 2, "no fixture is named"),
        ("epc,sku\n3034AA,COAT\n", 2, "no fixture is named"),
        (f"{HEADER},COAT,coat rack\n", 2, "no EPC"),
        (f"{HEADER}3034AA,,coat rack\n", 2, "no article number"),
        ("epc,article\n3034AA,COAT\n", 1, "no column sku; a header with the columns epc, sku"),
        ("", 1, "no column epc"),
    ],
)
def test_every_mistake_has_its_file_and_line(tmp_path: Path, listed: str, line: int, said: str) -> None:
    with pytest.raises(ConfigErrors) as error:
        load(stored(tmp_path, listed))
    wanted = f"{tmp_path}/stock.csv:{line}: epcs_file: {said.replace('FOLDER', str(tmp_path))}"
    assert wanted in str(error.value)


def test_all_mistakes_of_a_list_are_told_at_once_and_not_more_than_one_can_read(tmp_path: Path) -> None:
    rows = "".join(f"x{number},COAT,coat rack\n" for number in range(5_000))
    file = stored(tmp_path, f"epc,sku,fixture\n,A,coat rack\n{rows}")
    answer = json.loads(CliRunner().invoke(check, [str(file), "--json"]).output)
    assert len(answer["mistakes"]) == 5_001
    assert {one["file"] for one in answer["mistakes"]} == {str(tmp_path / "stock.csv")}
    with pytest.raises(ConfigErrors, match="and 4951 more"):
        load(file)


def test_a_list_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "store.yaml").write_text(STORE)
    with pytest.raises(ConfigErrors, match=r"stock\.csv: epcs_file: no such file or directory; a CSV"):
        load(tmp_path / "store.yaml")


def test_parquet_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    table = arrow.table({"sku": ["COAT", "SHOE"], "epc": ["3034AA", "zz"], "fixture": ["coat rack", None]})
    parquet.write_table(table, tmp_path / "stock.parquet")
    file = stored(tmp_path, "", STORE.replace("stock.csv", "stock.parquet"))
    with pytest.raises(ConfigErrors, match=r"stock\.parquet:2: epcs_file: no fixture is named"):
        load(file)
    parquet.write_table(table.slice(0, 1), tmp_path / "stock.parquet")
    assert load(file).fixtures[0].skus[1].epcs == ["3034AA"]
    (tmp_path / "stock.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ConfigErrors, match=r"stock\.parquet: epcs_file: no Parquet"):
        load(file)


def test_without_pyarrow_parquet_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    file = stored(tmp_path, "", STORE.replace("stock.csv", "stock.parquet"), "stock.parquet")
    with pytest.raises(ConfigErrors, match="pyarrow, which is not installed; install it, or save a CSV"):
        load(file)


def large_yaml(count: int) -> str:
    tags = "\n".join(f"      - {0xABC << 80 | number:024x}" for number in range(count))
    return STORE.replace("epcs_file: stock.csv\n", "").replace(
        "at: [5, 5]}",
        f"at: [5, 5], skus: [{{sku: A, epcs: [AA01]}}]}}\n  - name: stock\n    at: [1, 1]\n"
        f"    skus:\n    - sku: STOCK\n      epcs:\n{tags}\n",
    )


def test_a_hundred_thousand_tags_cost_at_most_three_times_what_plain_yaml_costs(tmp_path: Path) -> None:
    text = large_yaml(LARGE)
    (tmp_path / "store.yaml").write_text(text)

    def cost_s(work: object) -> float:
        began_s = time.process_time()
        assert callable(work)
        work()
        return time.process_time() - began_s

    plain_s = min(cost_s(lambda: yaml.load(text, Loader=yaml.CSafeLoader)) for _ in range(2))
    ours_s = min(cost_s(lambda: load(tmp_path / "store.yaml")) for _ in range(2))
    assert ours_s <= MOST_TIMES_PLAIN * plain_s
    assert len(load(tmp_path / "store.yaml").fixtures[2].skus[0].epcs) == LARGE


def test_a_mistake_in_a_long_list_still_has_its_line_and_key(tmp_path: Path) -> None:
    text = large_yaml(500)
    lines = text.splitlines()
    at = lines.index(f"      - {0xABC << 80 | 400:024x}")
    lines[at] = "      - zz"
    (tmp_path / "store.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigErrors) as error:
        load(tmp_path / "store.yaml")
    (mistake,) = error.value.mistakes
    assert (mistake.path, mistake.line) == ("fixtures[2].skus[0].epcs[400]", at + 1)
    lines[at] = "      - yes"
    (tmp_path / "store.yaml").write_text("\n".join(lines))
    with pytest.raises(
        ConfigErrors, match=rf"store.yaml:{at + 1}: fixtures\[2\].skus\[0\].epcs\[400\]: yes does"
    ):
        load(tmp_path / "store.yaml")


SPOILED = {
    "sound": lambda text: text,
    "a key that is not known": lambda text: text.replace("at: [1, 1]", "att: [1, 1]"),
    "a nested bracket": lambda text: text.replace("      - 0000", "      - [0000", 1),
    "a tag": lambda text: text.replace("sku: STOCK", "sku: !!python/none STOCK"),
    "a key given twice": lambda text: text.replace("    at: [1, 1]", "    at: [1, 1]\n    at: [2, 2]"),
    "a number for a word": lambda text: text.replace("sku: STOCK", "sku: [1]"),
    "an EPC twice": lambda text: (
        text + "      - 000000000000000000000abc\n      - 000000000000000000000abc\n"
    ),
    "a tab": lambda text: text.replace("      epcs:", "\tepcs:"),
    "broken off": lambda text: text + '      - "3034',
    "merged": lambda text: text.replace("    at: [1, 1]", "    <<: {at: [1, 1]}"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_the_quick_parser_says_what_the_slow_one_says(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[str], str]
) -> None:
    """The same mistakes at the same lines and keys, in the same words."""

    def said() -> str:
        try:
            return str(parse(spoil(large_yaml(300)), Path("store.yaml")).fixtures)
        except ConfigErrors as errors:
            return "\n".join(f"{one.line} {one}" for one in errors.mistakes)

    quick = said()
    monkeypatch.setattr(yaml_tree, "FAST", yaml.SafeLoader)
    monkeypatch.setattr(decode, "LONG_LIST", 1_000_000)
    assert quick == said()
