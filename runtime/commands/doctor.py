"""`tagsight doctor`: what this machine has and what is missing."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from runtime.config import ConfigErrors, Engines, StoreConfig, Uplink, load_running
from runtime.config.mistakes import placed
from runtime.doctor import capacity, machine, store
from runtime.doctor.findings import Check, Finding, run_checks

WORDS = {
    "ok": ("ok", "green"),
    "weak": ("weak", "yellow"),
    "absent": ("-", "bright_black"),
    "missing": ("MISSING", "red"),
}


@click.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="Look for what this store.yaml names."
)
@click.option("--seconds", type=click.FloatRange(0.1, 300), default=15.0, help="Longest a check may take.")
@click.option(
    "--measure/--no-measure", default=True, show_default=True, help="Measure how many cameras are carried."
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(config_path: Path | None, seconds: float, measure: bool, as_json: bool) -> None:
    """Say what this machine has and what is missing, and what to do about it.

    Without --config only the machine itself is looked at. Exit code 1 when something needed is missing.
    Decoding and the detector are measured for a few seconds: how many cameras this machine carries, and
    whether the store's fit, is the finding and, with --json, `capacity`.

    \b
    Example:
      tagsight doctor --config store.yaml
    """
    findings, config = _read_config(config_path)
    findings += run_checks(_checks(config, seconds), seconds)
    carried = None
    if measure:
        engines, cameras = (Engines(), None) if config is None else (config.engines, config.cameras)
        found, carried = capacity.measure_capacity(engines, cameras, seconds)
        findings.append(found)
    ill = any(finding.verdict == "missing" for finding in findings)
    if as_json:
        told = {
            "ok": not ill,
            "findings": [dataclasses.asdict(finding) for finding in findings],
            "capacity": msgspec.to_builtins(carried),
        }
        click.echo(json.dumps(told, indent=2))
    else:
        _print(findings)
        if config_path is None:
            click.echo("no --config given: no camera, reader or broker was looked for")
    sys.stdout.flush()
    raise SystemExit(1 if ill else 0)


def _read_config(path: Path | None) -> tuple[list[Finding], StoreConfig | None]:
    if path is None:
        return [], None
    try:
        config, mistakes = load_running(path)
    except ConfigErrors as errors:
        return [Finding("missing", str(errors), f"tagsight config check {path}", "config")], None
    told = [
        Finding("weak", f"{placed(one, path)}: {one.path}: {one.wrong}", one.right, "config")
        for one in mistakes
    ]
    return told or [Finding("ok", f"{path} is sound", subject="config")], config


def _checks(config: StoreConfig | None, limit_s: float) -> list[Check]:
    engines = config.engines if config is not None else Engines()
    uplink = config.uplink if config is not None else Uplink()
    state_dir = config.state_dir if config is not None else Path.cwd()
    checks = machine.checks(state_dir, uplink.max_mb, engines.detector, engines.backend)
    return checks if config is None else [*checks, *store.checks(config, limit_s)]


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        word, colour = WORDS[finding.verdict]
        click.echo(f"{click.style(f'{word:<8}', fg=colour)} {finding.subject:<{width}}  {finding.found}")
        if finding.remedy and finding.verdict != "ok":
            click.echo(f"{'':<8} {'':<{width}}  -> {finding.remedy}")
