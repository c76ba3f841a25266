"""The Compose file of the docs: Docker's own reader takes it, and every command in it is one of ours."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from fleet.serve.settings import load
from runtime.cli import tagsight


def docker_compose() -> str:
    cached = Path.home() / ".cache/tagsight/docker-compose/bin/docker-compose"
    found = os.environ.get("TAGSIGHT_DOCKER_COMPOSE") or shutil.which("docker-compose")
    if not found and not cached.exists():
        pytest.skip("no docker-compose here: scripts/fetch-docker-compose has one")
    return found or str(cached)


def test_docker_compose_takes_the_file(repo: Path) -> None:
    command = [docker_compose(), "-f", str(repo / "docs/compose/compose.yaml"), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert set(services) == {"broker", "receive", "serve", "standby", "front"}
    assert services["standby"]["network_mode"] == services["serve"]["network_mode"] == "service:front"


def test_every_command_of_ours_in_it_is_taken_by_the_command_line(repo: Path) -> None:
    services = yaml.safe_load((repo / "docs/compose/compose.yaml").read_text())["services"]
    built = [one for one in services.values() if one["image"] == "tagsight-fleet"]
    ours = [one["command"] for one in built if "command" in one]
    assert len(ours) == 3
    for command in ours:
        words = shlex.split(command)
        told = CliRunner().invoke(tagsight, [*words[:2], "--help"])
        assert told.exit_code == 0, command
        assert all(word in told.output for word in words if word.startswith("--")), command


def test_its_fleet_yaml_is_read(repo: Path) -> None:
    settings = load(repo / "docs/compose/fleet.yaml")
    assert settings.host == "0.0.0.0" and settings.users and settings.replica is not None
