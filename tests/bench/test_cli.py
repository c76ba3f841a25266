"""What `tagsight bench` offers, and what of it an installed product can run."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import click
import pytest

from bench.cli import BENCHMARKS

NEED_RIGS = {"faults", "soak"}
NOT_INSTALLED = ("testing", "engines.training", "rfid_reader.training")
SCRIPT = """
import importlib, json, sys
modules, blocked = json.loads(sys.argv[1])
for name in blocked:
    sys.modules[name] = None
missing = {}
for name in modules:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
print(json.dumps(missing))
"""


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_a_command_with_help(name: str) -> None:
    module, about = BENCHMARKS[name]
    command = getattr(importlib.import_module(module), name)
    assert isinstance(command, click.Command)
    assert command.help and about


def test_what_is_not_installed_is_not_imported_by_benchmarks_that_run_without_rigs() -> None:
    modules = [module for name, (module, _) in BENCHMARKS.items() if name not in NEED_RIGS]
    asked = json.dumps([modules, NOT_INSTALLED])
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, asked], capture_output=True, text=True, timeout=120, check=True
    )
    assert json.loads(ended.stdout) == {}
