from __future__ import annotations

import gzip
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from rfid_reader.errors import ReadTableError
from rfid_reader.reads import COLUMNS, CaptureFile, ReadTable, load_reads, read_chunks, save_reads

HEADER = "time_s,epc,antenna,channel,rssi_dbm,phase_rad\n"
ZIPPED = gzip.compress(HEADER.encode(), mtime=0)


def some_reads(count: int = 5) -> ReadTable:
    rows = np.arange(count)
    return ReadTable.from_columns(
        1.7e9 + rows * 0.1,
        [f"e280{row:08x}" for row in rows],
        rows % 4 + 1,
        rows % 3,
        -60 - rows * 0.5,
        rows * 0.3 % (2 * math.pi),
    )


def test_a_table_survives_a_round_trip_through_csv(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv"
    assert save_reads(path, some_reads()) == 5
    back = load_reads(path)
    assert np.allclose(back.time_s, some_reads().time_s, atol=1e-6)
    assert back.epc.tolist() == some_reads().epc.tolist()
    assert np.allclose(back.phase_rad, some_reads().phase_rad, atol=1e-5)


def test_unknown_rssi_phase_and_channel_stay_unknown(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv"
    path.write_text(HEADER + "10.5,E280AB,2,,,\n")
    table = load_reads(path)
    assert table.epc[0] == "e280ab"
    assert table.channel[0] == 0
    assert math.isnan(table.rssi_dbm[0]) and math.isnan(table.phase_rad[0])
    save_reads(tmp_path / "again.csv", table)
    assert (tmp_path / "again.csv").read_text().splitlines()[1] == "10.500000,e280ab,2,0,,"


def test_columns_may_come_in_any_order_beside_others(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv"
    path.write_text("sku,phase_rad,rssi_dbm,channel,antenna,epc,time_s\nx,1.5,-50,7,3,abcd,99\n")
    table = load_reads(path)
    assert (table.time_s[0], table.antenna[0], table.channel[0], table.phase_rad[0]) == (99, 3, 7, 1.5)


def test_a_file_is_read_in_chunks_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv"
    save_reads(path, some_reads(25))
    assert [len(chunk) for chunk in read_chunks(path, chunk_rows=10)] == [10, 10, 5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "column 'time_s' is missing"),
        ("time_s,epc\n1,ab\n", "column 'antenna' is missing"),
        (HEADER + "soon,ab,1,1,-50,1\n", "line 2: time_s"),
        (HEADER + "nan,ab,1,1,-50,1\n", "line 2: time_s: nan is not a finite number"),
        (HEADER + "1790000200006,ab,1,1,-50,1\n", "line 2: time_s: 1.79e+12 is no time in seconds"),
        (HEADER + "1,ab,1,1,-50,1\n1e300,ab,1,1,-50,1\n", "line 3: time_s: 1e+300 is no time in seconds"),
        (HEADER + "1,ab,1,1,-6150,1\n", "line 2: rssi_dbm: -6150 is no power in dBm"),
        (HEADER + "1,ab,1,1,-50,359.5\n", "line 2: phase_rad: 359.5 is no phase in radians (degrees?)"),
        (HEADER + "1,ab,1.5,1,-50,1\n", "line 2: antenna: 1.5 is not a whole number"),
        (HEADER + "1,ab,,1,-50,1\n", "line 2: antenna: the value is missing"),
        (HEADER + "1,xyz,1,1,-50,1\n", "line 2: epc: 'xyz' is not an EPC"),
        (HEADER + "1,ab,0,1,-50,1\n", "line 2: antenna: 0 is outside 1..255"),
        (HEADER + "1,ab,1,9999,-50,1\n", "line 2: channel: 9999 is outside 0..1023"),
        (HEADER + "1,ab,1,1,-50,1\n2,ab,1,1,loud,1\n", "line 3: rssi_dbm"),
        (HEADER + "1,ab,1,1,-50,inf\n", "line 2: phase_rad"),
        (HEADER + "1,ab,1\n", "line 2: channel: the value is missing"),
    ],
)
def test_a_bad_table_says_where_and_what(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ReadTableError, match="bad") as caught:
        load_reads(path)
    assert says in str(caught.value)


def test_a_table_saved_by_a_spreadsheet_begins_with_a_mark_that_is_passed_by(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + "1,ab,1,1,-50,1\n").encode())
    assert load_reads(path).epc.tolist() == ["ab"]


def test_a_compressed_table_is_read_and_written(tmp_path: Path) -> None:
    save_reads(tmp_path / "reads.csv.gz", some_reads())
    with gzip.open(tmp_path / "reads.csv.gz", "rt") as file:
        assert file.readline() == HEADER
    assert load_reads(tmp_path / "reads.csv.gz").epc.tolist() == some_reads().epc.tolist()


def test_a_compressed_table_that_is_cut_says_from_where_on(tmp_path: Path) -> None:
    save_reads(tmp_path / "whole.csv.gz", [some_reads(200)] * 100)
    whole = (tmp_path / "whole.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadTableError, match=r"cut\.csv\.gz: line \d+: cannot be read further"):
        load_reads(tmp_path / "cut.csv.gz")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEADER.replace(",", ";").encode(), "its columns are parted by semicolons, commas would be right"),
        (HEADER.replace(",", "\t").encode(), "its columns are parted by tabs, commas would be right"),
        (HEADER.encode("utf-16"), "not text in UTF-8; a read table's first line is time_s,epc"),
        (ZIPPED, "not text in UTF-8; a read table's first line is time_s,epc"),
    ],
)
def test_a_table_of_another_form_says_which_would_be_right(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "other.csv").write_bytes(content)
    with pytest.raises(ReadTableError, match=r"other\.csv") as caught:
        load_reads(tmp_path / "other.csv")
    assert says in str(caught.value)


def test_what_is_called_compressed_and_is_not_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "plain.csv.gz").write_text(HEADER)
    with pytest.raises(ReadTableError, match=r"plain\.csv\.gz: cannot be read: Not a gzipped file"):
        load_reads(tmp_path / "plain.csv.gz")


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ReadTableError, match="a folder; a read table is a CSV or Parquet file"):
        load_reads(tmp_path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReadTableError, match="no such file"):
        load_reads(tmp_path / "none.csv")


def test_parquet_without_pyarrow_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "reads.parquet"
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        path.write_bytes(b"PAR1")
        with pytest.raises(ReadTableError, match="install it or use CSV"):
            load_reads(path)
    else:
        save_reads(path, some_reads())
        assert load_reads(path).epc.tolist() == some_reads().epc.tolist()
        path.write_bytes(b"not parquet")
        with pytest.raises(ReadTableError, match="not a Parquet file"):
            load_reads(path)


def test_a_capture_is_bounded_and_counts_what_it_dropped(tmp_path: Path) -> None:
    with CaptureFile(tmp_path / "reads.csv", max_rows=7) as file:
        file.write(some_reads(5))
        file.write(some_reads(5))
        assert (file.rows, file.dropped) == (7, 3)
    assert len(load_reads(tmp_path / "reads.csv")) == 7


def test_time_order_keeps_reads_of_the_same_time_as_they_came() -> None:
    table = ReadTable.from_columns([2, 1, 1], ["aa", "bb", "cc"], [1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0])
    assert table.in_time_order().epc.tolist() == ["bb", "cc", "aa"]


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("time_s", None, "row 2: time_s"),
        ("time_s", 1.79e12, "row 2: time_s: 1.79e+12 is no time in seconds"),
        ("antenna", 70_000, "row 2: antenna: 70000 is outside 1..255"),
        ("antenna", None, "row 2: antenna"),
        ("epc", None, "row 2: epc: '' is not an EPC"),
        ("epc", "shirt", "row 2: epc: 'shirt' is not an EPC"),
        ("rssi_dbm", -6150.0, "row 2: rssi_dbm: -6150 is no power in dBm"),
        ("phase_rad", 359.5, "row 2: phase_rad: 359.5 is no phase in radians"),
    ],
)
def test_a_bad_parquet_table_says_where_and_what(
    tmp_path: Path, column: str, value: object, says: str
) -> None:
    with pytest.raises(ReadTableError, match="bad") as caught:
        load_reads(parquet_of(tmp_path, column, value))
    assert says in str(caught.value)


@pytest.mark.parametrize("value", [["ab"], {"epc": "ab"}], ids=["a list", "a record"])
def test_epcs_in_parquet_that_are_no_text_are_one_sentence(tmp_path: Path, value: object) -> None:
    with pytest.raises(ReadTableError, match=r"row 1: epc: .* is not an EPC"):
        load_reads(parquet_of(tmp_path, "epc", value, {"epc": value}))


def test_a_damaged_parquet_table_is_one_sentence(tmp_path: Path) -> None:
    path = parquet_of(tmp_path, "epc", "ab")
    body = bytearray(path.read_bytes())
    body[20:40] = b"\xff" * 20
    path.write_bytes(body)
    with pytest.raises(ReadTableError, match="row 1: cannot be read further") as caught:
        load_reads(path)
    assert "\n" not in str(caught.value)


def test_a_table_of_times_of_day_in_parquet_says_that_seconds_would_be_right(tmp_path: Path) -> None:
    noon = datetime(2026, 1, 2, 12)
    path = parquet_of(tmp_path, "time_s", noon, {"time_s": noon})
    with pytest.raises(ReadTableError, match="row 1: time_s: '2026-01-02 12:00:00' is not a number"):
        load_reads(path)


def test_what_other_programs_write_for_unknown_and_whole_numbers_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "pandas.csv"
    path.write_text(HEADER + "1,ab,2.0,nan,NaN,nan\n2,ab,2.0,7.0,-50,-1\n")
    table = load_reads(path)
    assert table.antenna.tolist() == [2, 2] and table.channel.tolist() == [0, 7]
    assert np.isnan(table.rssi_dbm).tolist() == np.isnan(table.phase_rad).tolist() == [True, False]
    assert table.phase_rad[1] == pytest.approx(2 * math.pi - 1)


def test_a_parquet_table_is_read_as_the_same_table_in_csv_is(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    rng = np.random.default_rng(4)
    count = 500
    columns = {
        "time_s": rng.uniform(-1e10, 1e10, count).round(6),
        "epc": [f"E280{number:04X}" for number in rng.integers(0, 20, count)],
        "antenna": rng.integers(1, 256, count),
        "channel": rng.choice([np.nan, 0.0, 1.0, 1023.0], count),
        "rssi_dbm": rng.choice([np.nan, -200.0, -55.5, 100.0], count),
        "phase_rad": rng.choice([np.nan, -12.5, 0.0, 3.25, 2 * math.pi, 12.5], count),
    }
    lines = [
        ",".join("" if cell == "nan" else cell for cell in map(str, row))
        for row in zip(*columns.values(), strict=True)
    ]
    (tmp_path / "reads.csv").write_text(HEADER + "\n".join(lines) + "\n")
    expected = load_reads(tmp_path / "reads.csv")
    as_bytes = arrow.array([epc.encode() for epc in columns["epc"]])
    kinds = {
        "plain": {},
        "coded": {"epc": arrow.array(columns["epc"]).dictionary_encode()},
        "bytes": {"epc": as_bytes},
        "text": {name: [str(value) for value in columns[name]] for name in ("time_s", "rssi_dbm")},
        "decimals": {"antenna": columns["antenna"].astype(float)},
    }
    for kind, others in kinds.items():
        path = tmp_path / f"{kind}.parquet"
        pytest.importorskip("pyarrow.parquet").write_table(arrow.table({**columns, **others}), path)
        found = load_reads(path)
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=kind)


@pytest.mark.parametrize("column", ["channel", "rssi_dbm", "phase_rad"])
def test_a_parquet_table_may_lack_what_a_csv_file_may(tmp_path: Path, column: str) -> None:
    table = load_reads(parquet_of(tmp_path, column, None))
    assert table.antenna.tolist() == [1, 1] and table.channel.tolist()[0] == 3
    unknown = getattr(table, column)[1]
    assert unknown == 0 if column == "channel" else np.isnan(unknown)


def parquet_of(folder: Path, column: str, value: object, first: dict[str, object] | None = None) -> Path:
    """A table of two reads, the second of which has this value; `first` changes the other."""
    arrow = pytest.importorskip("pyarrow")
    rows = {"time_s": 1.0, "epc": "ab", "antenna": 1, "channel": 3, "rssi_dbm": -50.0, "phase_rad": 1.0}
    rows.update(first or {})
    columns = {name: [good, value if name == column else good] for name, good in rows.items()}
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), folder / "bad.parquet")
    return folder / "bad.parquet"
