"""The service's files: systemd accepts them, and installing is repeatable and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config import load

ANALYZE = shutil.which("systemd-analyze")
needs_systemd_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
GREATEST_EXPOSURE_TENTHS = 20
SERVICES = ("tagsight.service", "tagsight-engines.service")
NEWER = re.compile(r"Unknown key '?(name ')?(RestartSteps|RestartMaxDelaySec)'")
"""What systemd before 254 does not know, and says that it ignores."""
PREFIX = Path(sys.executable).parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def install(repo: Path, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """install.sh into a folder, with the program that these tests run in."""
    script = str(repo / "systemd" / "install.sh")
    return run("sh", script, "--root", str(root), "--prefix", str(PREFIX), "--no-venv", *options)


@pytest.fixture
def installed(repo: Path, tmp_path: Path) -> Path:
    """A root folder that the service was installed into."""
    result = install(repo, tmp_path)
    assert result.returncode == 0, result.stderr
    return tmp_path


def tree(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


@needs_systemd_analyze
def test_systemd_finds_nothing_wrong_with_the_units(installed: Path) -> None:
    if not (PREFIX / "bin" / "tagsight").exists():
        pytest.skip("the tagsight command is not installed beside this Python: pip install -e .")
    units = [str(installed / "etc" / "systemd" / "system" / name) for name in SERVICES]
    result = run("systemd-analyze", "verify", "--man=no", *units)
    assert result.returncode == 0, result.stderr
    said = result.stderr + result.stdout
    found = [line for line in said.splitlines() if "tagsight" in line and not NEWER.search(line)]
    assert found == []


def timed(repo: Path, folder: Path) -> list[str]:
    """The nightly forecast's units with the program that these tests run in."""
    for file in (repo / "systemd" / "fleet").iterdir():
        (folder / file.name).write_text(file.read_text().replace("/opt/tagsight/", f"{PREFIX}/"))
    return [str(folder / f"tagsight-forecast.{kind}") for kind in ("service", "timer")]


@needs_systemd_analyze
def test_systemd_finds_nothing_wrong_with_the_nightly_forecast(repo: Path, tmp_path: Path) -> None:
    if not (PREFIX / "bin" / "tagsight").exists():
        pytest.skip("the tagsight command is not installed beside this Python: pip install -e .")
    units = timed(repo, tmp_path)
    result = run("systemd-analyze", "verify", "--man=no", *units)
    assert result.returncode == 0, result.stderr
    assert [line for line in (result.stderr + result.stdout).splitlines() if "tagsight" in line] == []
    options = ("--offline=true", f"--threshold={GREATEST_EXPOSURE_TENTHS}", "--no-pager")
    exposed = run("systemd-analyze", "security", *options, units[0])
    assert exposed.returncode == 0, exposed.stdout[-400:]


def test_the_nightly_forecast_runs_a_command_that_exists_every_night_also_after_one_missed(
    repo: Path,
) -> None:
    timer = settings_of(repo / "systemd" / "fleet" / "tagsight-forecast.timer")
    assert timer["OnCalendar"] == ["*-*-* 04:30:00"] and timer["Persistent"] == ["yes"]
    (start,) = settings_of(repo / "systemd" / "fleet" / "tagsight-forecast.service")["ExecStart"]
    _, *words = start.replace("$OPTIONS", "").split()
    values = {"${WAREHOUSE}": "none.db", "${DAYS}": "90"}
    words = [values.get(word, word) for word in words]
    told = run(sys.executable, "-m", "runtime", *words)
    assert (told.returncode, "none.db: no warehouse there" in told.stderr) == (1, True), told.stderr


def test_a_box_that_cannot_start_is_never_given_up(repo: Path) -> None:
    unit = settings_of(repo / "systemd" / "tagsight.service")
    assert unit["StartLimitIntervalSec"] == ["0"], "no start limit: systemd.unit(5)"
    assert "StartLimitBurst" not in unit
    assert unit["Restart"] == ["always"]
    assert 1 <= int(unit["RestartSec"][0]) < int(unit["RestartMaxDelaySec"][0]) <= 60


@needs_systemd_analyze
@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_is_as_hardened_as_cameras_and_a_gpu_allow(installed: Path, service: str) -> None:
    unit = installed / "etc" / "systemd" / "system" / service
    options = ("--offline=true", f"--threshold={GREATEST_EXPOSURE_TENTHS}", "--no-pager")
    result = run("systemd-analyze", "security", *options, str(unit))
    assert result.returncode == 0, result.stdout[-400:]


def test_the_unit_starts_the_command_that_exists(installed: Path, repo: Path) -> None:
    unit = (installed / "etc" / "systemd" / "system" / "tagsight.service").read_text()
    assert f"ExecStart={PREFIX}/bin/tagsight run --config /etc/tagsight/store.yaml" in unit
    assert "/opt/tagsight" not in unit
    for directive in ("Type=notify", "WatchdogSec=", "Restart=always", "NoNewPrivileges=yes"):
        assert directive in unit
    stop_s = int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M).group(1))  # type: ignore[union-attr]
    assert stop_s > 5, "the daemon may take 5 s to drain"


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Every directive of a unit and the values it is given, in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_engines_are_built_before_the_daemon_starts_and_never_stand_in_its_way(installed: Path) -> None:
    units = installed / "etc" / "systemd" / "system"
    daemon, builder = (settings_of(units / name) for name in SERVICES)
    assert builder["Type"] == ["oneshot"]
    assert builder["Before"] == ["tagsight.service"]
    assert builder["ExecStart"] == [f"{PREFIX}/bin/tagsight engines build --all --wait"]
    assert int(re.fullmatch(r"(\d+)h", builder["TimeoutStartSec"][0]).group(1)) >= 1  # type: ignore[union-attr]
    assert "tagsight-engines.service" in daemon["Wants"][0].split()
    assert "tagsight-engines.service" in daemon["After"][0].split()
    assert not {"Requires", "Requisite", "BindsTo", "PartOf"} & daemon.keys()


def test_both_units_use_the_same_engines_and_the_same_devices_of_the_accelerator(installed: Path) -> None:
    daemon, builder = (settings_of(installed / "etc" / "systemd" / "system" / name) for name in SERVICES)
    assert daemon["Environment"] == builder["Environment"]
    assert set(builder["DeviceAllow"]) < set(daemon["DeviceAllow"])
    assert builder["PrivateNetwork"] == ["yes"]


def test_memory_tasks_and_core_files_are_capped(installed: Path) -> None:
    for name in SERVICES:
        settings = settings_of(installed / "etc" / "systemd" / "system" / name)
        assert settings["LimitCORE"] == ["0"]
        assert settings["MemoryMax"][0].endswith("%")
        assert int(settings["TasksMax"][0]) <= 512


def test_keys_are_handed_over_as_credentials(installed: Path, repo: Path) -> None:
    keys = installed / "etc" / "tagsight" / "keys"
    conf = installed / "etc" / "systemd" / "system" / "tagsight.service.d" / "keys.conf"
    assert not conf.exists()
    assert "not handed over" not in install(repo, installed).stdout
    keys.mkdir()
    for name in ("device.key", "broker.password", "with space"):
        (keys / name).touch()
    result = install(repo, installed, "--keys")
    assert result.returncode == 0, result.stderr
    assert conf.read_text().splitlines() == [
        "[Service]",
        "LoadCredential=broker.password:/etc/tagsight/keys/broker.password",
        "LoadCredential=device.key:/etc/tagsight/keys/device.key",
    ]
    assert "not handed over" in result.stdout
    assert "unchanged" in install(repo, installed, "--keys").stdout
    for file in keys.iterdir():
        file.unlink()
    assert install(repo, installed, "--keys").returncode == 0
    assert not conf.exists()


def test_the_installed_example_is_a_sound_config(installed: Path) -> None:
    file = installed / "etc" / "tagsight" / "store.yaml"
    assert load(file).state_dir == Path("/var/lib/tagsight")
    assert file.stat().st_mode & 0o007 == 0


def test_installing_twice_changes_nothing_and_keeps_the_users_config(installed: Path, repo: Path) -> None:
    config = installed / "etc" / "tagsight" / "store.yaml"
    config.write_text("site: mine\n")
    before = tree(installed)
    result = install(repo, installed)
    assert result.returncode == 0
    assert "written:" not in result.stdout
    assert tree(installed) == before


def test_a_dry_run_writes_nothing_and_names_everything(repo: Path, tmp_path: Path) -> None:
    script = str(repo / "systemd" / "install.sh")
    result = run("sh", script, "--root", str(tmp_path / "none"), "--dry-run")
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "none").exists()
    for named in ("-m venv", "pip install", *SERVICES, "70-tagsight.rules", "store.yaml"):
        assert named in result.stdout


def test_uninstalling_leaves_config_and_data_unless_purged(installed: Path, repo: Path) -> None:
    data = installed / "var" / "lib" / "tagsight" / "outbox.db"
    data.parent.mkdir(parents=True)
    data.write_bytes(b"events")
    assert install(repo, installed, "--uninstall").returncode == 0
    assert set(tree(installed)) == {"etc/tagsight/store.yaml", "var/lib/tagsight/outbox.db"}
    assert (PREFIX / "bin").exists(), "a program that install.sh did not put there is not its to remove"
    assert install(repo, installed, "--uninstall", "--purge").returncode == 0
    assert tree(installed) == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--prefix", "relative"], "--prefix relative: an absolute path is right"),
        (["--prefix", "/a b"], "letters, digits and _ . / - only"),
        (["--prefix", "/"], "--prefix must not be the root folder"),
        (["--purge"], "--purge goes with --uninstall"),
        (["--frobnicate"], "unknown option --frobnicate"),
    ],
)
def test_wrong_usage_is_refused(repo: Path, options: list[str], sentence: str) -> None:
    result = run("sh", str(repo / "systemd" / "install.sh"), *options, "--dry-run")
    assert result.returncode == 2
    assert sentence in result.stderr


def test_the_accounts_file_is_understood_by_systemd(installed: Path) -> None:
    sysusers = shutil.which("systemd-sysusers")
    if sysusers is None:
        pytest.skip("systemd-sysusers is not on this machine")
    (installed / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (installed / "etc" / "group").write_text("root:x:0:\n")
    result = run(
        sysusers, "--dry-run", f"--root={installed}", str(installed / "etc/sysusers.d/tagsight.conf")
    )
    assert result.returncode == 0, result.stderr
    assert "tagsight" in result.stdout + result.stderr
    assert "tagsight" not in (installed / "etc" / "passwd").read_text()


def test_every_udev_rule_is_a_list_of_matches_and_assignments(repo: Path) -> None:
    part = re.compile(r'^[A-Z_]+(\{[^}"]+\})?(==|!=|=|\+=|:=)"[^"]*"$')
    rules = (repo / "systemd" / "70-tagsight.rules").read_text().splitlines()
    checked = 0
    for rule in rules:
        if rule and not rule.startswith("#"):
            assert all(part.match(item) for item in re.split(r",\s*", rule)), rule
            checked += 1
    assert checked >= 5


def test_the_tmpfiles_lines_have_their_six_fields(repo: Path) -> None:
    text = (repo / "systemd" / "tagsight.tmpfiles.conf").read_text()
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    assert all(len(line) == 6 for line in lines)
    assert all(
        line[1].startswith(("/etc/tagsight", "/var/lib/tagsight", "/var/cache/tagsight")) for line in lines
    )
    assert not any(line[0] in ("D", "R", "r") for line in lines), "nothing is ever emptied"


def test_without_root_the_installer_says_what_is_needed(repo: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("these tests run as root")
    result = run("sh", str(repo / "systemd" / "install.sh"))
    assert result.returncode == 1
    assert "root is needed" in result.stderr
