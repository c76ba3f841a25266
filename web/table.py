"""Figures to take away, as CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from starlette.responses import Response

FORMULA = re.compile(
    r"^(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])|(?<=[,;\t\r\n])(?=[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
"""Where a spreadsheet would see a formula begin: in a text, and after what some take for the end of a cell
(OWASP, CSV Injection)."""


def csv_of(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV by RFC 4180; what begins like a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_harmless(name) for name in header])
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """To be saved as `name` (letters, digits and dashes)."""
    return Response(
        csv_of(header, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _harmless(cell: object) -> object:
    return FORMULA.sub("'", cell) if isinstance(cell, str) else cell
