"""Which of our modules imports which, read from the source with `ast`: nothing is imported to find out."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["import", "type"]


@dataclass(frozen=True)
class Import:
    """`module` imports `name`, one of our modules; kind `type` where only a type checker does."""

    module: str
    name: str
    kind: Kind


def packages_of(root: Path) -> list[str]:
    """Our top-level packages: the folders with Python in them, tests and hidden ones aside."""
    return sorted(
        folder.name
        for folder in root.iterdir()
        if folder.is_dir()
        and not folder.name.startswith((".", "__"))
        and folder.name not in ("tests", "build", "dist")
        and next(folder.glob("*.py"), None) is not None
    )


def modules_of(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module below our top-level packages; a package has its own name."""
    modules = {}
    for package in packages_of(root):
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return modules


def imports_of(module: str, file: Path, modules: Mapping[str, Path]) -> list[Import]:
    """What a module imports of ours, wherever in the file: also inside functions and by `import_module`."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for_types = {id(node) for node in _for_type_checkers(tree)}
    found = []
    for node in ast.walk(tree):
        names: Iterator[str] = iter(())
        if isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = _from(node, package, modules)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            names = _by_name(node, tree, modules)
        kind: Kind = "type" if id(node) in for_types else "import"
        found += [Import(module, name, kind) for name in names if name in modules and name != module]
    return found


def _from(node: ast.ImportFrom, package: str, modules: Mapping[str, Path]) -> Iterator[str]:
    """`from base import name` is about `base.name` where that is a module, else about `base`."""
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([base] if base else [])])
    for alias in node.names:
        yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _by_name(node: ast.Call, tree: ast.Module, modules: Mapping[str, Path]) -> Iterator[str]:
    """The modules an `import_module` call may mean: a text; all that begin as an f-string does; for a
    variable, every module that a text of this file names, as the tables of commands do."""
    given = node.args[0] if node.args else None
    if isinstance(given, ast.Constant):
        yield str(given.value)
    elif isinstance(given, ast.JoinedStr):
        first = given.values[0] if given.values else None
        stem = str(first.value) if isinstance(first, ast.Constant) else ""
        yield from (name for name in modules if name.startswith(stem))
    else:
        texts = (one.value for one in ast.walk(tree) if isinstance(one, ast.Constant))
        yield from (text for text in texts if isinstance(text, str) and text in modules)


def _for_type_checkers(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for statement in node.body:
                yield from ast.walk(statement)


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of more than one module (Tarjan 1972), each sorted."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(edges.get(name, ())):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            part = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(part) > 1:
                found.append(sorted(part))

    for name in sorted(edges):
        if name not in order:
            visit(name)
    return found
