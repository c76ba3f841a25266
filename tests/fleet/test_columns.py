"""Every field of every kind is a column, or is left out knowingly."""

from __future__ import annotations

from fleet.ingest.columns import KINDS, LISTS
from fleet.models.texts import holding, queries, tables

LEFT_OUT = {
    "heatmap": {"cells", "origin_m"},
    "interaction": {"evidence"},
    "store": {"opening_hours", "entrances", "zones", "extent_m"},
    "health": {"values", "drops"},
    "gap": {"kinds"},
}
HEAD = {"key", "time_s", "rev", "retracted", "site"}


def test_every_field_of_every_kind_becomes_a_column_or_a_table() -> None:
    for name, kind in KINDS.items():
        listed = {field for of, field in LISTS if of == name}
        columns = {column.field for column in kind.own}
        missed = set(kind.struct.__struct_fields__) - HEAD - columns - listed
        assert missed == LEFT_OUT.get(name, set()), name


def test_every_table_is_made_by_a_query_and_fed_by_kinds_that_there_are() -> None:
    assert set(tables()) == {name for name in queries() if not name.startswith("dwd_")}
    below: list[str] = []
    for name, model in tables().items():
        assert set(model.feeds) <= {*KINDS, *below}, name
        below.append(name)
        assert set(model.key) <= set(model.columns), name


def test_what_holds_is_ranked_by_the_revision_alone() -> None:
    """A second key in that order makes Flink plan an insert-only rank, which counts corrections twice."""
    for kind in KINDS:
        assert "ORDER BY rev DESC)" in holding(kind)


def test_no_model_reads_json_or_computes_dates() -> None:
    forbidden = ("json", "strftime", "date(", "extract(", "timestamp", "->", "qualify")
    for name, query in queries().items():
        assert [word for word in forbidden if word in query.lower()] == [], name
