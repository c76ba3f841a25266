"""What README and docs tell people to type: the installation as printed, every command and its options."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from runtime.cli import tagsight

REPO = Path(__file__).resolve().parent.parent.parent
PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").glob("*.md"))]
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.S | re.M)
COMMAND = re.compile(r"^(?:sudo )?tagsight (?=[a-z-])")
INSIDE = r"""
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
mount -t proc proc "$WORK/root/proc"
mount --bind /dev "$WORK/root/dev"
mount -t tmpfs tmpfs "$WORK/root/run"
exec chroot "$WORK/root" bash -euo pipefail "$WORK/lines"
"""
SUDO = '#!/bin/sh\nexec "$@"\n'


def code_lines(page: Path) -> Iterator[str]:
    """The lines of a page's code, fenced or indented, without what is printed as an answer."""
    text = page.read_text()
    for block in FENCE.findall(text):
        yield from block.splitlines()
    for line in FENCE.sub("", text).splitlines():
        if line.startswith("    "):
            yield line.strip()


def documented() -> list[tuple[str, str]]:
    return [
        (page.name, line.split(" && ")[0])
        for page in PAGES
        for line in code_lines(page)
        if COMMAND.match(line)
    ]


def test_every_page_is_looked_at() -> None:
    assert len(documented()) > 30
    assert {"README.md", "uplink.md", "service.md", "antennas.md"} <= {page for page, _ in documented()}


@pytest.mark.parametrize(("page", "line"), documented(), ids=lambda part: part[:60])
def test_a_documented_command_and_its_options_exist(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[words.index("tagsight") + 1 :]
    command: click.Command = tagsight
    context = click.Context(tagsight)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None and ("|" in name or name.isupper()):
            return
        assert found is not None, f"{page}: {line}: no command {name!r}"
        command = found
        context = click.Context(command, parent=context, resilient_parsing=True)
    stop = next((at for at, word in enumerate(words) if word in ("|", ">", "<", "2>&1")), len(words))
    try:
        command.make_parser(context).parse_args(words[:stop])
    except click.UsageError as error:
        raise AssertionError(f"{page}: {line}: {error.message}") from error


def as_typed(line: str) -> str:
    """The line, and which ends it may have: doctor says by 1 that something is missing, as it is here."""
    if " doctor " not in line:
        return line
    command, _, remark = line.partition("#")
    return f"code=0; {command.strip()} || code=$?; [ $code -le 1 ] # {remark}"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="a scratch system needs root")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not here")
def test_putting_it_into_a_shop_goes_as_the_readme_prints_it(tmp_path: Path) -> None:
    readme = (REPO / "README.md").read_text()
    section = readme.partition("## Put it into a shop")[2].partition("\n## ")[0]
    (block,) = FENCE.findall(section)
    lines = [line for line in block.splitlines() if "systemctl" not in line]
    assert len(lines) >= 6 and len(block.splitlines()) - len(lines) == 1
    for folder in ("upper", "work", "root"):
        (tmp_path / folder).mkdir()
    said = "\n".join(f'echo "+ {line.partition("#")[0].strip()}"\n{as_typed(line)}' for line in lines)
    (tmp_path / "sudo").write_text(SUDO)
    (tmp_path / "sudo").chmod(0o755)
    (tmp_path / "lines").write_text(
        f"cd {shlex.quote(str(REPO))}\ninstall -m 755 {tmp_path}/sudo /usr/local/bin/sudo\n{said}\n"
        "sh systemd/install.sh | grep 'unchanged: /opt/tagsight/versions' >/dev/null\n"
        "readlink /opt/tagsight/current\n"
    )
    environment = {
        **os.environ,
        "WORK": str(tmp_path),
        "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    for name in ("VIRTUAL_ENV", "PYTHONPATH"):
        environment.pop(name, None)
    result = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "bash", "-euo", "pipefail", "-c", INSIDE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if "overlay" in result.stderr and result.returncode == 32:
        pytest.skip(f"no scratch system here: {result.stderr.strip()}")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "Traceback" not in result.stdout + result.stderr
    assert result.stdout.strip().splitlines()[-1].startswith("versions/")
