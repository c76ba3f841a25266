"""Short forms of what inference libraries say when they fail."""

from __future__ import annotations

import re

MAX_LETTERS = 160
_NOISE = re.compile(
    r"(Exception from .*?:\d+:?|Check '.*?' failed at .*?:\d+:?|FrontEnd API failed with \w+:?|"
    r"\[ONNXRuntimeError\] : \d+ : \w+ :|\[ ?ERROR ?\]|\S+\.(cpp|hpp|cc|h):\d+\S*)"
)
_UNSUPPORTED = re.compile(
    r"(?:following ONNX operations?|rule found for operations):\s*(?P<many>[\w., ]+)|"
    r"(?P<one>[\w.]+)\(-?\d+\) is not a registered function/op|"
    r"No (?:Op|opset) (?:registered|import) for (?P<none>[\w.]+)"
)
_NO_MEMORY = re.compile(r"bad_alloc|bad allocation|[Ff]ailed to allocate|[Cc]an(not|'t) allocate memory")
_DAMAGED = re.compile(r"can't be parsed|[Pp]rotobuf parsing failed|Error during import of ONNX model.*parse")


def first_sentence(error: Exception) -> str:
    """The part of a library's message that says something to a person, on one line."""
    text = str(error)
    missing = _UNSUPPORTED.search(text)
    if missing:
        names = next(group for group in missing.groups() if group)
        return f"it has no operation {names.strip().rstrip('.')}"
    if _DAMAGED.search(text):
        return "the file is damaged, cut short or not ONNX"
    if _NO_MEMORY.search(text):
        return "it asks for more memory than there is"
    words = " ".join(_NOISE.sub(" ", text).split())
    words = words.strip(" :") or type(error).__name__
    return words if len(words) <= MAX_LETTERS else words[: MAX_LETTERS - 1].rstrip() + "…"
