"""On which line of the file a value stands, by its path (`fixtures[0].skus[2].epcs[7]`)."""

from __future__ import annotations

import re

import yaml

ITEM = re.compile(r"(.*)\[(\d+)\]")


class Lines:
    """Lines by path, from 1. A long list of plain values is remembered as a whole."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        self._lists: dict[str, yaml.SequenceNode] = {}

    def put(self, path: str, line: int) -> None:
        """The value or key at `path` stands on `line`."""
        self._lines[path] = line

    def put_list(self, path: str, node: yaml.SequenceNode) -> None:
        """Every item of the list at `path` stands where its node does."""
        self._lists[path] = node

    def __contains__(self, path: str) -> bool:
        return path in self._lines

    def of(self, path: str) -> int:
        """The line of `path`, or of the nearest key above it that is in the file; 0 where there is none."""
        while path:
            found = self._lines.get(path)
            if found is not None:
                return found
            item = ITEM.fullmatch(path)
            if item is not None and item[1] in self._lists:
                return line_of(self._lists[item[1]].value[int(item[2])])
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return 0


def line_of(node: yaml.Node) -> int:
    """The line on which a node begins."""
    return int(node.start_mark.line) + 1
