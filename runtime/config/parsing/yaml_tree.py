"""YAML text to a tree of nodes with line numbers, bounded and without surprises.

Only plain data is accepted: no tags that build objects, no merge keys, no key given twice. Size, depth and
the number of values (aliases counted as often as they are used) are limited, so that a hostile file costs
nothing.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from runtime.config.mistakes import ConfigErrors, Mistake

MAX_BYTES = 4 * 1024 * 1024
MAX_VALUES = 200_000
MAX_DEPTH = 24
NAMED_BETTER_CHARACTERS = 100_000
Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]
FAST: Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map")
)


def read_text(file: Path) -> str:
    """The file's text; raises ConfigErrors when it cannot be read, is too large or is not UTF-8."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigErrors(
            file,
            [Mistake("", reason, "give the path of a readable store.yaml (tagsight config init writes one)")],
        ) from error
    if len(raw) > MAX_BYTES:
        raise ConfigErrors(
            file,
            [Mistake("", f"larger than {MAX_BYTES // 2**20} MiB", "a store.yaml is a few kilobytes of text")],
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigErrors(
            file, [Mistake("", f"byte {error.start} is not UTF-8 text", "save the file as UTF-8")]
        ) from error


def parse(text: str, file: Path) -> yaml.Node:
    """The root node of one YAML document. Raises ConfigErrors with the line of the fault."""
    try:
        root = _compose(text, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigErrors(
            file,
            [
                Mistake(
                    "",
                    f"not YAML: {error.problem or error.context}",
                    "check the indentation, brackets and quotes there",
                    mark.line + 1 if mark else 0,
                )
            ],
        ) from error
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise ConfigErrors(
            file, [Mistake("", f"not YAML: {reason}", "only printable text may stand there")]
        ) from error
    if root is None:
        raise ConfigErrors(
            file, [Mistake("", "empty", "tagsight config init writes an example to start from")]
        )
    mistakes = _Inspection().inspect(root)
    if mistakes:
        raise ConfigErrors(file, mistakes)
    return root


def _compose(text: str, file: Path) -> yaml.Node | None:
    """With libyaml, which is twenty times as quick; PyYAML's own parser names the faults of short texts."""
    try:
        _refuse_deep_nesting(text, file, FAST)
        root: yaml.Node | None = yaml.compose(text, Loader=FAST)
    except yaml.YAMLError:
        if len(text) > NAMED_BETTER_CHARACTERS:
            raise
        _refuse_deep_nesting(text, file, yaml.SafeLoader)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    return root


def _refuse_deep_nesting(text: str, file: Path, loader: Loader) -> None:
    """Depth and size are judged on the flat event stream: composing a deep tree would exhaust the stack."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or count > MAX_VALUES * 2:
            what = f"nested deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else "too many values"
            raise ConfigErrors(
                file,
                [Mistake("", what, "a store.yaml is a few hundred plain values", _line(event))],
            )


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


def _is_plain(node: yaml.Node) -> bool:
    return type(node) is yaml.ScalarNode and node.tag in PLAIN_TAGS


class _Inspection:
    """Walks the tree as a reader would see it, aliases expanded, and notes what is not plain data."""

    def __init__(self) -> None:
        self.values = 0
        self.open: set[int] = set()
        self.mistakes: list[Mistake] = []

    def inspect(self, root: yaml.Node) -> list[Mistake]:
        self._visit(root, "")
        return self.mistakes

    def _visit(self, node: yaml.Node, path: str) -> None:
        if not self._count(1, node, path):
            return
        if id(node) in self.open:
            self._note(node, path, "an alias that contains itself", "write the values out")
            return
        if node.tag == "tag:yaml.org,2002:merge":
            self._note(node, path, "merge keys (<<) are not supported", "write the values out")
            return
        if node.tag not in PLAIN_TAGS:
            self._note(
                node, path, f"the tag {node.tag.split(':')[-1]!r}", "plain values only, without ! tags"
            )
            return
        self.open.add(id(node))
        if isinstance(node, yaml.SequenceNode) and all(map(_is_plain, node.value)):
            self._count(len(node.value), node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._visit(item, f"{path}[{index}]")
        elif isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, path)
        self.open.discard(id(node))

    def _count(self, values: int, node: yaml.Node, path: str) -> bool:
        """Whether there is room for so many values more."""
        had_room = self.values <= MAX_VALUES
        self.values += values
        if self.values <= MAX_VALUES:
            return True
        if had_room:
            wrong = f"aliases expand to more than {MAX_VALUES} values"
            self._note(node, path, wrong, "write the values out")
        return False

    def _visit_mapping(self, node: yaml.MappingNode, path: str) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._note(key, path, "a key that is a list or a mapping", "keys are plain words")
                continue
            below = f"{path}.{key.value}" if path else key.value
            if key.tag == "tag:yaml.org,2002:merge":
                self._note(key, below, "merge keys (<<) are not supported", "write the values out")
                continue
            if key.value in seen:
                self._note(key, below, f"given twice, first on line {seen[key.value]}", "keep one of the two")
            seen[key.value] = key.start_mark.line + 1
            self._visit(value, below)

    def _note(self, node: yaml.Node, path: str, wrong: str, right: str) -> None:
        if len(self.mistakes) < MAX_DEPTH:
            self.mistakes.append(Mistake(path, wrong, right, node.start_mark.line + 1))
