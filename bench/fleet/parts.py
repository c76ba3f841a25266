"""What is measured of the warehouse, each part by itself."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import quantiles
from typing import Any

from fleet.embedded.feeding import BATCH
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.sources import lines_of
from fleet.load import arrivals, oracle
from fleet.load.compare import differing
from fleet.load.run import LoadResult, run
from fleet.serve.asking import Asked, ask, opened
from fleet.serve.settings import Limits
from fleet.serve.sql import SqlService

SLOW = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE hash(a.range) % 7 = b.range % 5"
TAKE_IN = "import sys; from fleet.load.run import main; main(sys.argv[1:])"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="tagsight-bench-fleet-") as folder:
        yield Path(folder)


def seeds(count: int, stores: int, days: int) -> list[LoadResult]:
    """So many made-up weeks, every second one in random order."""
    found = []
    for seed in range(1, count + 1):
        with scratch() as folder:
            found.append(run(folder, stores=stores, days=days, seed=seed, shuffled=seed % 2 == 0))
    return found


def without_the_rule(stores: int, days: int) -> int:
    """Rows that differ where the last to come holds instead of the highest revision."""
    with scratch() as folder:
        broken = run(folder, stores=stores, days=days, seed=2, shuffled=True, highest_holds=False)
        return broken.differing_rows


def against_plain_inserts(stores: int, days: int) -> dict[str, float]:
    """Events per CPU second of all layers, and of SQLite that keeps the raw lines by their key alone."""
    with scratch() as folder:
        ours = run(folder, stores=stores, days=days, seed=1)
        began_s = time.process_time()
        count = insert_plainly(folder / "lines.jsonl", folder / "plain.db")
        plain = count / (time.process_time() - began_s)
    return {
        "events_per_cpu_s": ours.events_per_cpu_s,
        "plain_inserts_per_cpu_s": round(plain, 1),
        "ratio": round(ours.events_per_cpu_s / plain, 3),
        "peak_mb": ours.peak_mb,
        "events": ours.events,
        "differing_rows": ours.differing_rows,
    }


def insert_plainly(lines: Path, db: Path) -> int:
    """Keep the raw lines in SQLite by their key alone, cached as the warehouse is; returns how many."""
    import msgspec

    class Key(msgspec.Struct):
        site: str = ""
        device: str = ""
        key: str = ""

    decode = msgspec.json.Decoder(Key).decode
    connection = sqlite3.connect(db, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-32000")
    connection.execute("CREATE TABLE raw (site, device, key, body, PRIMARY KEY (site, device, key))")
    count = 0
    source = lines_of(lines)
    while batch := list(islice(source, BATCH)):
        connection.execute("BEGIN")
        for line in batch:
            try:
                key = decode(line.body)
            except msgspec.DecodeError:
                continue
            values = (key.site, key.device, key.key, line.body)
            connection.execute("INSERT OR REPLACE INTO raw VALUES (?, ?, ?, ?)", values)
        connection.execute("COMMIT")
        count += len(batch)
    connection.close()
    return count


def giant_refresh(visitors: int, batch: int = 200) -> dict[str, float]:
    """One large shop's day, a few lines at a time: how long each batch takes, all layers refreshed."""
    with scratch() as folder:
        lines = folder / "lines.jsonl"
        events = arrivals.write(lines, stores=1, days=1, seed=3, visitors=visitors)
        warehouse = Warehouse(folder / "warehouse.db")
        source, took, cpu = lines_of(lines), list[float](), list[float]()
        while True:
            began_s, began_cpu_s = time.monotonic(), time.process_time()
            if not warehouse.take("bench", islice(source, batch)):
                break
            took.append(time.monotonic() - began_s)
            cpu.append(time.process_time() - began_cpu_s)
        warehouse.close()
    return {
        "events": events,
        "batches": len(took),
        "p50_s": round(quantiles(took, n=20)[9], 3),
        "p95_s": round(quantiles(took, n=20)[18], 3),
        "p95_cpu_s": round(quantiles(cpu, n=20)[18], 3),
    }


def kills(count: int, stores: int) -> dict[str, float]:
    """Killed at random moments while it takes in; then every row compared."""
    rng, slowest_s, done, killed = random.Random(5), 0.0, -1, 0
    with scratch() as folder:
        lines, db = folder / "lines.jsonl", folder / "warehouse.db"
        arrivals.write(lines, stores=stores, days=1, seed=5)
        command = [sys.executable, "-c", TAKE_IN, str(lines), str(db), "1", "150"]
        while killed < count:
            began_s = time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while (now := _position(db)) <= done and process.poll() is None:
                time.sleep(0.005)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            time.sleep(rng.random() * 0.2)
            if process.poll() is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed, done = killed + 1, now
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        warehouse = Warehouse(db)
        rows = sum(differing(warehouse.db, oracle.answers(lines)).values())
        (integrity,) = warehouse.db.execute("PRAGMA integrity_check").fetchone()
        warehouse.close()
    return {
        "kills": killed,
        "slowest_resume_s": round(slowest_s, 2),
        "differing_rows": rows,
        "intact": integrity == "ok",
    }


def _position(db: Path) -> int:
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as opened_db:
            return int(opened_db.execute("SELECT coalesce(max(position), 0) FROM progress").fetchone()[0])
    except sqlite3.Error:
        return -1


def slow_query(limit_s: float) -> dict[str, float]:
    """A query without end beside others: by how much it goes over its limit, and what the others take."""
    with scratch() as folder:
        result = run(folder, stores=6, days=2, seed=1)
        db, over, alone, beside = folder / "warehouse.db", list[float](), list[float](), list[float]()
        service = SqlService(db, {}, Limits(seconds=limit_s))
        service.ask("SELECT 1", None)

        def endless() -> None:
            began_s = time.monotonic()
            try:
                service.ask(SLOW, None)
            except FleetError:
                over.append(time.monotonic() - began_s - limit_s)

        for times, thread in ((alone, None), (beside, threading.Thread(target=endless))):
            if thread is not None:
                thread.start()
            until_s = time.monotonic() + limit_s
            while time.monotonic() < until_s:
                began_s = time.monotonic()
                reader = opened(db)
                ask(reader, "funnel", Asked())
                reader.close()
                times.append(time.monotonic() - began_s)
            if thread is not None:
                thread.join()
    return {
        "over_the_limit_s": round(over[0], 3),
        "others_alone_p50_s": round(sorted(alone)[len(alone) // 2], 4),
        "others_beside_p50_s": round(sorted(beside)[len(beside) // 2], 4),
        "differing_rows": result.differing_rows,
    }


def backfill_beside_live(stores: int, days: int) -> dict[str, Any]:
    """Days of history taken in by another process, while live lines come in every half second."""
    with scratch() as folder:
        history, live = folder / "history.jsonl", folder / "live.jsonl"
        arrivals.write(history, stores=stores, days=days, seed=6, copies=False)
        arrivals.write(live, stores=stores, days=days, seed=6, shuffled=True, copies=False)
        db = folder / "warehouse.db"
        Warehouse(db).close()
        command = [sys.executable, "-m", "runtime", "fleet", "backfill", str(history), "--db", str(db)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        warehouse, lags = Warehouse(db), list[float]()
        source = lines_of(live)
        while True:
            due_s = time.monotonic()
            if not warehouse.take("live", islice(source, 100)):
                break
            lags.append(time.monotonic() - due_s)
            if process.poll() is None:
                time.sleep(max(0.0, 0.5 - (time.monotonic() - due_s)))
        process.wait()
        both = folder / "both.jsonl"
        both.write_bytes(history.read_bytes() + live.read_bytes())
        rows = sum(differing(warehouse.db, oracle.answers(both)).values())
        warehouse.close()
    return {"live_batches": len(lags), "most_lag_s": round(max(lags), 2), "differing_rows": rows}
