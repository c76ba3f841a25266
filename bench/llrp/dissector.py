"""tshark's opinion of a capture of LLRP."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, iterparse

from tagsight.errors import TagsightError

LIMIT_S = 120.0
ERROR = "8388608"
DOPPLER = "68"
"""Impinj's Doppler parameter: tshark 4 does not know it and calls its two bytes a wrong length."""


@dataclass(frozen=True)
class Dissection:
    """messages: LLRP messages by name. doppler: errors at Impinj's parameter 68. malformed: all others, each
    with tshark's words.
    """

    messages: dict[str, int]
    doppler: int
    malformed: list[str]


def _run(tshark: Path, *options: str) -> str:
    try:
        done = subprocess.run(
            [tshark, "-n", *options], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TagsightError(f"{tshark} did not run: {error}") from None
    if done.returncode:
        raise TagsightError(f"{tshark} failed: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


def _errors(packet: Element) -> Iterator[tuple[str, str]]:
    """(Impinj parameter type or "", message) of every error in a packet."""
    for parent in packet.iter():
        kinds = [
            child.get("show", "") for child in parent if child.get("name") == "llrp.param.impinj_param_type"
        ]
        for child in parent:
            if child.get("name") != "_ws.expert":
                continue
            facts = {fact.get("name"): fact.get("show", "") for fact in child}
            if facts.get("_ws.expert.severity") == ERROR:
                yield (kinds[0] if kinds else "", str(facts.get("_ws.expert.message")))


def dissect(tshark: Path, capture: Path) -> Dissection:
    """What is in a capture, and what tshark calls an error in it. Raises TagsightError if tshark does not
    run.
    """
    columns = _run(
        tshark, "-r", str(capture), "-Y", "llrp", "-T", "fields", "-e", "llrp.type", "-E", "aggregator=,"
    )
    messages = Counter(kind for line in columns.splitlines() for kind in line.split(",") if kind)
    wrong = f"_ws.malformed || _ws.expert.severity == {ERROR}"
    document = capture.with_suffix(".pdml")
    document.write_text(_run(tshark, "-r", str(capture), "-Y", wrong, "-T", "pdml"), encoding="utf-8")
    doppler, malformed = 0, []
    for _, element in iterparse(document):
        if element.tag != "packet":
            continue
        for kind, message in _errors(element):
            if kind == DOPPLER:
                doppler += 1
            else:
                malformed.append(message)
        element.clear()
    return Dissection(dict(messages), doppler, malformed)
