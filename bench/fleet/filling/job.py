"""What PySpark does for `tagsight bench filling`: run by SPARK_PYTHON, prints a JSON object a line.

Every hour of every entrance (the grid) and the hours that were told (1 of SHARE). The join gives each hour
its count, or 0.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

HOURS = 2160
"""90 days."""
SHARE = 75
ROWS_A_PART = 500_000
WARM_SHARE = 20
TICKS_A_S = os.sysconf("SC_CLK_TCK")
KEY = ["place", "hour"]


def session(folder: Path, rows: int) -> SparkSession:
    """One core, 2 GB, and no join that Spark chooses by itself."""
    settings = {
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        "spark.sql.shuffle.partitions": str(max(4, rows // ROWS_A_PART)),
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[1]").appName("filling")
    for name, value in settings.items():
        builder = builder.config(name, value)
    found: SparkSession = builder.getOrCreate()
    found.sparkContext.setLogLevel("ERROR")
    return found


def placed(numbers: DataFrame, *more: str) -> DataFrame:
    """An hour of an entrance for each number `id`."""
    series = f.expr(f"id div {HOURS}")
    place = f.format_string("store %05d/door %d", f.expr(f"id div {HOURS * 4}"), series % 4)
    return numbers.select(place.alias("place"), (f.col("id") % HOURS).cast("int").alias("hour"), *more)


def write(spark: SparkSession, folder: Path, rows: int) -> None:
    """Both tables as Parquet."""
    placed(spark.range(rows)).write.parquet(str(folder / "grid"))
    told = spark.range(rows // SHARE).select(
        f.expr(f"id * {SHARE} + (id * 31) % {SHARE}").alias("id"), f.expr("1 + id % 9").alias("count")
    )
    placed(told, "count").write.parquet(str(folder / "told"))


def hashed(table: DataFrame) -> DataFrame:
    return table.withColumn("key", f.xxhash64(*KEY))


def filled(spark: SparkSession, folder: Path, way: str) -> tuple[int, int]:
    """How many hours there are, and the sum of their counts."""
    grid, told = spark.read.parquet(str(folder / "grid")), spark.read.parquet(str(folder / "told"))
    if way == "shuffled":
        joined = grid.join(told.hint("merge"), KEY, "left")
    elif way == "broadcast":
        joined = grid.join(told.hint("broadcast"), KEY, "left")
    else:
        joined = hashed(grid).join(hashed(told).select("key", "count").hint("broadcast"), "key", "left")
    count = f.coalesce(f.col("count"), f.lit(0))
    hours, total = joined.agg(f.count(f.lit(1)), f.sum(count)).collect()[0]
    return int(hours), int(total)


def cpu_s(process: int) -> float:
    """Of a process and all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_S


def main(rows: int, folder: Path) -> None:
    spark = session(folder, rows)
    java = int(spark._jvm.java.lang.ProcessHandle.current().pid())
    for name, count in (("warm", rows // WARM_SHARE), ("whole", rows)):
        write(spark, folder / name, count)
        for way in ("shuffled", "broadcast", "hashed"):
            began_s, began_cpu_s = time.monotonic(), cpu_s(java)
            hours, total = filled(spark, folder / name, way)
            told = {"hours": hours, "total": total, "cpu_s": round(cpu_s(java) - began_cpu_s, 2)}
            told["wall_s"] = round(time.monotonic() - began_s, 2)
            if name == "whole":
                print(json.dumps({"way": way, **told}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
