from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from rfid_reader.errors import ReadTableError
from rfid_reader.reads import CaptureFile, ReadTable, load_reads, read_chunks, save_reads

HEADER = "time_s,epc,antenna,channel,rssi_dbm,phase_rad\n"


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
