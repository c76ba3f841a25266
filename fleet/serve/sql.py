"""SQL of people's own over the warehouse and tables beside it: DuckDB, shut in.

Each query has a DuckDB of its own in memory, which reads the warehouse's SQLite file and the listed files and
nothing else. A query is one SELECT over the tables on the list; each is seen through the stores that the user
may see. It has a limit of time, of memory and of rows.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fleet.errors import FleetError
from fleet.models.texts import tables
from fleet.serve.settings import Limits

if TYPE_CHECKING:
    import duckdb

FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
"""Table functions that read nothing."""
NOT_FOR_QUERIES = frozenset({"getenv", "current_setting", "getvariable", "query", "query_table"})


AGAIN_S = 0.02


class SqlAnswer(NamedTuple):
    """`is_cut`: there were more rows than the limit."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    is_cut: bool
    took_s: float


class SqlService:
    """Answers SELECTs; any number of threads may ask."""

    def __init__(self, warehouse: Path, sources: Mapping[str, Path], limits: Limits) -> None:
        self.warehouse = warehouse
        self._sources = dict(sources)
        self._limits = limits
        self._turn = threading.BoundedSemaphore(limits.at_once)

    def tables(self) -> list[str]:
        """What a query may name."""
        return sorted({*tables(), *self._sources})

    def ask(self, sql: str, sites: Collection[str] | None, warehouse: Path | None = None) -> SqlAnswer:
        """`sites`: which stores are seen, None for all. Raises FleetError for what may not be asked, for what
        cannot be answered, and where it took too long."""
        limits = self._limits
        if not self._turn.acquire(timeout=limits.seconds):
            raise FleetError(f"{limits.at_once} queries are running; ask again in a moment")
        try:
            return self._ask(sql, sites, warehouse or self.warehouse)
        finally:
            self._turn.release()

    def _ask(self, sql: str, sites: Collection[str] | None, warehouse: Path) -> SqlAnswer:
        import duckdb

        began_s = time.monotonic()
        try:
            connection = self._opened(sites, warehouse)
        except duckdb.Error as error:
            raise FleetError(f"{warehouse}: cannot be asked ({_first_line(error)})") from error
        left_s = self._limits.seconds - (time.monotonic() - began_s)
        is_over = threading.Event()
        watcher = threading.Thread(target=_interrupt, args=(connection, left_s, is_over), daemon=True)
        watcher.start()
        try:
            self._check(connection, sql)
            answer = connection.execute(sql)
            columns = [column[0] for column in answer.description]
            rows = answer.fetchmany(self._limits.rows + 1)
        except duckdb.InterruptException as error:
            raise FleetError(
                f"stopped after {self._limits.seconds:g} s; ask for fewer days or stores, or sum first"
            ) from error
        except duckdb.Error as error:
            raise FleetError(f"cannot be answered: {_first_line(error)}") from error
        finally:
            is_over.set()
            watcher.join()
            connection.close()
        is_cut = len(rows) > self._limits.rows
        return SqlAnswer(columns, rows[: self._limits.rows], is_cut, time.monotonic() - began_s)

    def _opened(self, sites: Collection[str] | None, warehouse: Path) -> duckdb.DuckDBPyConnection:
        connection = opened(warehouse, self._limits.memory_mb)
        seen = "" if sites is None else f" WHERE site IN ({_quoted(sites)})"
        for name in tables():
            connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM live."{name}"{seen}')
        for name, path in self._sources.items():
            reader = "read_parquet" if path.suffix.lower() == ".parquet" else "read_csv"
            read = f"SELECT * FROM {reader}('{_escaped(str(path))}')"
            columns = [column[0] for column in connection.execute(f"DESCRIBE {read}").fetchall()]
            if "site" in columns:
                connection.execute(f'CREATE VIEW "{name}" AS {read}{seen}')
            elif sites is None:
                connection.execute(f'CREATE VIEW "{name}" AS {read}')
        paths = ", ".join(f"'{_escaped(str(path))}'" for path in self._sources.values())
        connection.execute(f"SET allowed_paths = [{paths}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection

    def _check(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Raises FleetError for anything but one SELECT over the tables of the list."""
        found = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        try:
            parsed: dict[str, Any] = json.loads(found[0]) if found else {"error": True}
        except RecursionError as error:
            raise FleetError("it is nested too deep to be read; put parts of it into WITH") from error
        if parsed["error"]:
            raise FleetError(f"only SELECT is answered: {parsed.get('error_message', 'it cannot be read')}")
        if len(parsed["statements"]) != 1:
            raise FleetError(f"one SELECT at a time; these are {len(parsed['statements'])}")
        for node, own in _nodes(parsed["statements"][0]):
            self._check_node(node, own)

    def _check_node(self, node: Mapping[str, Any], own: Collection[str]) -> None:
        if node.get("type") == "BASE_TABLE":
            name = node["table_name"]
            is_plain = not node["schema_name"] and not node["catalog_name"]
            if not is_plain or name.lower() not in {*self.tables(), *own}:
                place = ".".join(filter(None, (node["catalog_name"], node["schema_name"], name)))
                raise FleetError(f"{place} is not on the list of tables: {', '.join(self.tables())}")
        elif node.get("type") == "SHOW_REF":
            raise FleetError("only SELECT is answered: no SHOW, DESCRIBE or SUMMARIZE within it")
        elif node.get("type") == "TABLE_FUNCTION":
            name = str(node["function"]["function_name"])
            if name.lower() not in FUNCTIONS:
                raise FleetError(f"{name}() may not be read from; tables: {', '.join(self.tables())}")
        elif str(node.get("function_name", "")).lower() in NOT_FOR_QUERIES:
            raise FleetError(f"{node['function_name']}() is not for queries")


def _interrupt(connection: duckdb.DuckDBPyConnection, after_s: float, is_over: threading.Event) -> None:
    """Again and again: an interrupt between two statements stops neither."""
    wait_s = max(0.0, after_s)
    while not is_over.wait(wait_s):
        connection.interrupt()
        wait_s = AGAIN_S


def opened(warehouse: Path, memory_mb: int) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that sees a warehouse as `live`. Raises FleetError without the extra `fleet`, and
    for what is no database."""
    try:
        import duckdb
        from duckdb_extensions import import_extension
    except ImportError as error:
        raise FleetError("SQL and Parquet need DuckDB; pip install 'tagsight[fleet]'") from error
    import_extension("sqlite_scanner")
    connection = duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("LOAD sqlite_scanner")
    try:
        connection.execute(f"ATTACH '{_escaped(str(warehouse))}' AS live (TYPE sqlite, READ_ONLY)")
    except duckdb.Error as error:
        connection.close()
        raise FleetError(f"{warehouse}: cannot be read as a warehouse ({_first_line(error)})") from error
    return connection


def _nodes(tree: Any) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every mapping in a parsed query, with the names, in small letters, that WITH has given where it stands.

    A name holds after its own text: within that it would be what the database calls so.
    """
    left: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while left:
        node, own = left.pop()
        if isinstance(node, list):
            left += [(value, own) for value in node]
        elif isinstance(node, dict):
            for given in node.get("cte_map", {}).get("map", ()):
                left.append((given["value"], own))
                own |= {given["key"].lower()}
            yield node, own
            again = {node["cte_name"].lower()} if node.get("type") == "RECURSIVE_CTE_NODE" else set()
            left += [
                (value, own | again if name == "right" else own)
                for name, value in node.items()
                if name != "cte_map"
            ]


def _quoted(values: Collection[str]) -> str:
    return ", ".join(f"'{_escaped(value)}'" for value in sorted(values)) or "NULL"


def _escaped(text: str) -> str:
    return text.replace("'", "''")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
