"""Compares what is installed with known advisories; see scripts/audit.

The list beside this file always works. The OSV service (https://google.github.io/osv.dev/post-v1-querybatch)
knows more; where it does not answer in time, that is said and is no failure: whether a check passes must not
depend on the network.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from installed import OURS, closure
from packaging.specifiers import SpecifierSet

LIST = Path(__file__).with_name("advisories.json")
SERVICE = "https://api.osv.dev/v1/querybatch"
PATIENCE_S = 5.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024


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
    """What the service says of these packages.

    Raises OSError where it does not answer, ValueError or KeyError where the answer is none.
    """
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
        for name, version in installed.items()
    ]
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
        results = json.loads(answer.read(MAX_ANSWER_BYTES))["results"]
    return [
        f"{name} {version} is affected by {fault['id']}"
        for (name, version), result in zip(installed.items(), results, strict=True)
        for fault in result.get("vulns", [])
        if fault["id"] not in allowed
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
        except (OSError, ValueError, KeyError) as error:
            how = f"not run: {given.service} ({error})"
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    counts = f"{len(installed)} packages, {len(known['advisories'])} advisories in the list"
    sys.stdout.write(f"{counts}; {how}; {len(findings)} findings\n")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
