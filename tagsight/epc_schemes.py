"""EPCs as URIs, and as GTIN and serial where they are SGTINs (GS1 EPC Tag Data Standard)."""

from __future__ import annotations

import re
from typing import NamedTuple

HEX = re.compile(r"[0-9a-fA-F]+")
HEADERS = {"30": 24, "36": 50}
"""SGTIN-96 and SGTIN-198, by their first byte: how many hex digits they have."""
BITS_A_DIGIT = 4


class Sgtin(NamedTuple):
    """A trade item: its GTIN of 14 digits, and the serial of this piece."""

    gtin: str
    serial: str
    uri: str
    """The pure identity, urn:epc:id:sgtin:…"""


def sgtin(epc: str) -> Sgtin | None:
    """What a hexadecimal EPC says, where it is an SGTIN-96 or SGTIN-198 without fault; else None."""
    from epcpy.epc_schemes.sgtin import SGTIN

    digits = HEADERS.get(epc[:2])
    if digits is None or not HEX.fullmatch(epc) or len(epc) not in (digits, -(-digits // 4) * 4):
        return None
    try:
        found = SGTIN.from_hex(epc[:digits])
        element = found.gs1_element_string()
    except Exception:  # noqa: BLE001 (the library raises what it comes upon for bits that make no sense)
        return None
    return Sgtin(element[4:18], element[22:], found.epc_uri)


def epc_uri(epc: str) -> str:
    """The pure identity of an SGTIN, else the raw URI of the bits."""
    found = sgtin(epc)
    return found.uri if found is not None else f"urn:epc:raw:{len(epc) * BITS_A_DIGIT}.x{epc.upper()}"
