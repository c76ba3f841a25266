"""Compares what is installed with known advisories; see scripts/audit.

The list beside this file always works. pip-audit asks the OSV service, which knows more; where it does not
answer in time, that is said and is no failure: whether a check passes must not depend on the network.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from installed import OURS, closure
from packaging.specifiers import SpecifierSet

LIST = Path(__file__).with_name("advisories.json")
SERVICE = "https://api.osv.dev/v1/query"
SOCKET_TIMEOUT_S, PATIENCE_S = 5, 180


def is_affected(version: str, ranges: str) -> bool:
    """Whether a version lies in one of the ranges."""
    return any(SpecifierSet(one.strip()).contains(version, prereleases=True) for one in ranges.split("||"))


def from_list(installed: Mapping[str, str], known: dict[str, Any]) -> list[str]:
    """What the list says of these packages, a sentence each; what it allows with a reason is left out."""
    return [
        f"{name} {installed[name]} is affected by {one['id']} (versions {one['affected']})"
        for one in known["advisories"]
        if (name := one["package"]) in installed
        and one["id"] not in known["allowed"]
        and is_affected(installed[name], one["affected"])
    ]


def from_service(url: str, installed: Mapping[str, str], allowed: Mapping[str, str]) -> list[str]:
    """What pip-audit learns of these packages from an OSV service.

    Raises OSError where the service does not answer, or answers with what is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder, "requirements.txt")
        pinned.write_text("".join(f"{name}=={version}\n" for name, version in installed.items()))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(pinned), "--no-deps"]
        command += ["--disable-pip", "--vulnerability-service", "osv", "--osv-url", url, "--format", "json"]
        command += ["--progress-spinner", "off", "--timeout", str(SOCKET_TIMEOUT_S)]
        for name in allowed:
            command += ["--ignore-vuln", name]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise OSError(f"no answer within {PATIENCE_S} s") from error
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError) as error:
        raise OSError(f"pip-audit: {(done.stderr.strip() or 'no word')[-200:]}") from error
    return [
        f"{one['name']} {one['version']} is affected by {fault['id']}"
        for one in packages
        for fault in one.get("vulns", [])
    ]


def main() -> None:
    """Print what is found; exit with 1 where something is."""
    parser = argparse.ArgumentParser(
        prog="scripts/audit", description="Known advisories on what is installed."
    )
    parser.add_argument("--offline", action="store_true", help="only the list")
    parser.add_argument("--list", type=Path, default=LIST, help="the list of advisories")
    parser.add_argument("--service", default=SERVICE, help="address of an OSV service")
    given = parser.parse_args()
    known = json.loads(given.list.read_text())
    packages = closure(["dev", "gpu", "train"])
    installed = {name: package.version for name, (package, _) in packages.items() if name != OURS}
    findings, how = from_list(installed, known), "service not asked"
    if not given.offline:
        try:
            findings += from_service(given.service, installed, known["allowed"])
            how = f"{given.service} asked"
        except OSError as error:
            how = f"not run: {given.service} ({error})"
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    counts = f"{len(installed)} packages, {len(known['advisories'])} advisories in the list"
    sys.stdout.write(f"{counts}; {how}; {len(findings)} findings\n")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
