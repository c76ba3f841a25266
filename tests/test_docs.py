"""README and docs name no file, command, option or page that is not there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import tagsight as public
from runtime.cli import tagsight

REPO = Path(__file__).resolve().parent.parent
PAGES = sorted([*REPO.glob("*.md"), *REPO.glob("docs/*.md")])
MODERN = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""What a changelog says held when it was written; only its links are looked at."""
FENCE = re.compile(r"^```[^\n]*\n.*?^```", re.S | re.M)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)", re.S)
HEADING = re.compile(r"^#+ +(.+?) *$", re.M)
LONE_OPTION = re.compile(r"--[a-z][a-z-]+$")
TOPICS = "tagsight/v1/"
NOT_OURS = {"--fmad"}
"""Options of other programs that a page names by themselves."""


def anchors(page: Path) -> set[str]:
    """The names that headings get on GitHub and on the site."""
    text = FENCE.sub("", page.read_text())
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(text)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_within_the_repository_leads_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert not lost, f"{page.name}: {', '.join(lost)}"


def off_the_site(page: Path, targets: Iterable[str]) -> list[str]:
    """Which links of a page lead to files beside docs/, or to those in it that the site leaves out."""
    docs, left_out = REPO / "docs", excluded()
    found = []
    for target in targets:
        path = target.partition("#")[0]
        if not path or re.match(r"[a-z]+:", target):
            continue
        there = (page.parent / path).resolve()
        if not there.is_relative_to(docs) or any(
            there == docs / name.rstrip("/") or (docs / name.rstrip("/")) in there.parents
            for name in left_out
        ):
            found.append(target)
    return found


@cache
def excluded() -> tuple[str, ...]:
    """Files and folders of docs/ that the site leaves out."""
    listed = re.search(r"^exclude_docs: \|\n((?:  .*\n)+)", (REPO / "mkdocs.yml").read_text(), re.M)
    assert listed is not None
    return tuple(listed[1].split())


@pytest.mark.parametrize("page", sorted(REPO.glob("docs/*.md")), ids=lambda page: page.name)
def test_a_link_of_the_site_stays_on_the_site(page: Path) -> None:
    lost = off_the_site(page, LINK.findall(FENCE.sub("", page.read_text())))
    assert not lost, f"{page.name}: name the file, or link its address: {', '.join(lost)}"


def test_a_link_that_leaves_the_site_is_seen() -> None:
    leaving = ["../README.md", "../tests/field.md#a", "broker/acl", "requirements.txt", "/docs/index.md"]
    staying = ["index.md", "#top", "pictures/plaza.webp", "https://example.org/", "mailto:a@example.org"]
    assert off_the_site(REPO / "docs" / "index.md", [*leaving, *staying]) == leaving


def test_the_site_shows_every_page_once() -> None:
    shown = re.findall(r": ([a-z-]+\.md)$", (REPO / "mkdocs.yml").read_text(), re.M)
    assert sorted(shown) == sorted(page.name for page in REPO.glob("docs/*.md"))


def spans(page: Path) -> Iterator[str]:
    """What stands between backticks in the running text of a page."""
    yield from SPAN.findall(FENCE.sub("", page.read_text()))


@cache
def roots() -> frozenset[str]:
    """The names at the top of the repository that a path may begin with."""
    return frozenset(path.name for path in REPO.iterdir() if path.is_dir() and path.name[0] != ".") - {
        "build",
        "dist",
        "site",
        "demo-out",
    }


@pytest.mark.parametrize("page", MODERN, ids=lambda page: page.name)
def test_a_path_that_a_page_names_is_there(page: Path) -> None:
    typed = re.findall(r"(?<![\w/.-])(?:\./)?(?:scripts|systemd|examples)/[\w./-]+", page.read_text())
    words = {*typed, *(word for span in spans(page) for word in span.split())}
    lost = [
        word
        for word in sorted(words)
        if not word.startswith(TOPICS)
        and "/" in (path := word.removeprefix("./").rstrip("/").partition(":")[0])
        and path.partition("/")[0] in roots()
        and not any(REPO.glob(path))
    ]
    assert not lost, f"{page.name}: {', '.join(lost)}"


def commands_in(page: Path) -> list[str]:
    return [span for span in spans(page) if re.match(r"(?:sudo )?tagsight [a-z]", span)]


@pytest.mark.parametrize("page", MODERN, ids=lambda page: page.name)
def test_a_command_in_the_running_text_and_its_options_exist(page: Path) -> None:
    for span in commands_in(page):
        words = shlex.split(span)
        words = words[words.index("tagsight") + 1 :]
        command: click.Command = tagsight
        while isinstance(command, click.Group) and words and re.match("[a-z]", words[0]):
            found = command.get_command(click.Context(command), words[0])
            assert found is not None, f"{page.name}: {span}: no command {words[0]!r}"
            command = found
            words.pop(0)
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        given = [word.partition("=")[0] for word in words if word.startswith("--")]
        assert set(given) <= known | {"--help"}, f"{page.name}: {span}"


@cache
def all_options() -> frozenset[str]:
    """Every option of every command and of every script of ours."""
    found: set[str] = set()
    todo: list[click.Command] = [tagsight]
    while todo:
        command = todo.pop()
        found.update(name for option in command.params for name in (*option.opts, *option.secondary_opts))
        if isinstance(command, click.Group):
            context = click.Context(command)
            subcommands = (command.get_command(context, name) for name in command.list_commands(context))
            todo += [subcommand for subcommand in subcommands if subcommand is not None]
    scripts = [path for path in REPO.glob("scripts/**/*") if path.is_file()]
    for path in (*scripts, REPO / "systemd/install.sh", REPO / "tests/conftest.py"):
        found.update(re.findall(r"--[a-z][a-z-]+", path.read_text(errors="replace")))
    return frozenset(found)


@pytest.mark.parametrize("page", MODERN, ids=lambda page: page.name)
def test_an_option_that_is_named_by_itself_belongs_to_something_of_ours(page: Path) -> None:
    alone = {span.split()[0].partition("=")[0] for span in spans(page) if span.startswith("--")}
    named = {option for option in alone if LONE_OPTION.match(option)}
    assert named <= all_options() | NOT_OURS, f"{page.name}: {named - all_options() - NOT_OURS}"


@pytest.mark.parametrize("page", MODERN, ids=lambda page: page.name)
def test_a_script_takes_the_options_that_a_page_gives_it(page: Path) -> None:
    text = page.read_text()
    for line in re.findall(r"(?:sudo )?(?:\./)?((?:scripts|systemd)/[a-z.-]+(?: --[a-z-]+)+)", text):
        script, *options = line.split()
        known = (REPO / script).read_text()
        if script == "scripts/test":
            known += (REPO / "tests/conftest.py").read_text()
        if script in ("scripts/audit", "scripts/sbom"):
            known += (REPO / f"scripts/lib/{Path(script).name}.py").read_text()
        lost = [option for option in options if option not in known]
        assert not lost, f"{page.name}: {line}"


def test_the_page_of_the_package_shows_every_public_name() -> None:
    page = (REPO / "docs/api.md").read_text()
    shown = set(re.findall(r"^::: tagsight\.(\w+)$", page, re.M))
    assert shown <= set(public.__all__)
    told = shown | set(re.findall(r"`(\w+)`", page))
    assert set(public.__all__) <= told | {"__version__"}, set(public.__all__) - told


def test_the_checks_see_what_they_are_to_see() -> None:
    assert sum(len(commands_in(page)) for page in MODERN) > 40
    assert sum(len(LINK.findall(page.read_text())) for page in PAGES) > 60
    assert {"--rollback", "--quick", "--json"} <= all_options()
