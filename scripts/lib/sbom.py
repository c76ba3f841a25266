"""Writes a CycloneDX 1.5 bill of materials (https://cyclonedx.org/docs/1.5/json/) from installed metadata.

The same packages give the same document: its number is made from its content, and its time is
SOURCE_DATE_EPOCH where that is set.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import yaml
from installed import OURS, closure

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "engines" / "weights" / "manifest.yaml"
LONGEST_LICENCE = 80
"""Some packages put the whole text of the licence into the field for its name."""


def purl(name: str, version: str) -> str:
    """The package URL (https://github.com/package-url/purl-spec) of a Python package, or of tagsight."""
    return f"pkg:{'generic' if name == OURS else 'pypi'}/{name}@{version}"


def licences(package: Distribution) -> list[dict[str, Any]]:
    """The package's licence as it names it: an SPDX expression, a name, or the classifiers'."""
    expression = _field(package, "License-Expression")
    if expression:
        return [{"expression": expression}]
    name = _field(package, "License")
    if name and len(name) <= LONGEST_LICENCE and "\n" not in name:
        return [{"license": {"name": name}}]
    classifiers = package.metadata.get_all("Classifier") or []
    named = [one for one in classifiers if one.startswith("License ::")]
    return [{"license": {"name": one.rpartition(" :: ")[2]}} for one in named]


def _field(package: Distribution, name: str) -> str:
    return package.metadata[name].strip() if name in package.metadata else ""


def component(name: str, package: Distribution, kind: str) -> dict[str, Any]:
    """One package."""
    reference = purl(name, package.version)
    entry: dict[str, Any] = {
        "type": kind,
        "bom-ref": reference,
        "name": name,
        "version": package.version,
        "purl": reference,
    }
    summary = _field(package, "Summary")
    if summary:
        entry["description"] = summary
    found = licences(package)
    if found:
        entry["licenses"] = found
    return entry


def networks() -> list[dict[str, Any]]:
    """The ONNX files that the release ships."""
    manifest = yaml.safe_load(MANIFEST.read_text())
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"weights:{entry['file']}",
            "name": entry["file"],
            "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
        }
        for entry in _entries(manifest)
    ]


def _entries(node: Any) -> list[dict[str, Any]]:
    """Every mapping in the manifest that names a file and its checksum."""
    if isinstance(node, dict):
        here = [node] if "file" in node and "sha256" in node else []
        return here + [entry for value in node.values() for entry in _entries(value)]
    if isinstance(node, list):
        return [entry for value in node for entry in _entries(value)]
    return []


def bill(extras: list[str]) -> dict[str, Any]:
    """The whole document."""
    packages = closure(extras)
    references = {name: purl(name, package.version) for name, (package, _) in packages.items()}
    shipped = networks()
    needed = [(name, package) for name, (package, _) in sorted(packages.items()) if name != OURS]
    components = [component(name, package, "library") for name, package in needed]
    depends = {name: [references[need] for need in needs] for name, (_, needs) in packages.items()}
    depends[OURS] = sorted([*depends[OURS], *(entry["bom-ref"] for entry in shipped)])
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(OURS, packages[OURS][0], "application")},
        "components": [*components, *shipped],
        "dependencies": [{"ref": references[one], "dependsOn": depends[one]} for one in sorted(depends)],
    }
    content = json.dumps(document, sort_keys=True)
    moment_s = int(os.environ.get("SOURCE_DATE_EPOCH", str(int(time.time()))))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_s))
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    document["metadata"] = {"timestamp": stamp, **document["metadata"]}
    return document


def main() -> None:
    """Write it where the command line says."""
    parser = argparse.ArgumentParser(prog="scripts/sbom", description="CycloneDX 1.5 bill of materials")
    parser.add_argument("--out", type=Path, help="file to write; without it, standard output")
    parser.add_argument("--extra", action="append", default=[], help="an extra of tagsight to include")
    given = parser.parse_args()
    text = json.dumps(bill(given.extra), indent=2) + "\n"
    if given.out is None:
        sys.stdout.write(text)
    else:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
