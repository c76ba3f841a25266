"""The CycloneDX bill of materials of a release; see scripts/sbom.

cyclonedx-py describes the environment. Of that stays what tagsight needs at run time; the networks that are
shipped are added. The same packages give the same document: its number is made from its content, and its
time is SOURCE_DATE_EPOCH where that is set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import yaml
from installed import OURS, closure
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "engines" / "weights" / "manifest.yaml"
SPECIFICATION = "1.5"


def environment() -> dict[str, Any]:
    """What cyclonedx-py says of this interpreter's environment, in the same words every time."""
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--spec-version", SPECIFICATION]
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *options]
    command += ["--output-reproducible", "--no-validate", "--short-PURLs", "--mc-type", "application"]
    done = subprocess.run([*command, sys.executable], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(f"scripts/sbom: cyclonedx-py failed: {done.stderr.strip()[-500:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


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
    found, needed = environment(), closure(extras)
    packages = {str(canonicalize_name(one["name"])): one for one in found["components"]}
    references = {name: one["bom-ref"] for name, one in packages.items() if name in needed}
    application = found["metadata"]["component"]
    references[OURS] = application["bom-ref"]
    shipped = networks()
    depends = {name: sorted(references[need] for need in needs) for name, (_, needs) in needed.items()}
    depends[OURS] = sorted([*depends[OURS], *(entry["bom-ref"] for entry in shipped)])
    libraries = [packages[name] for name in sorted(needed) if name != OURS]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {"component": application, "tools": found["metadata"]["tools"]},
        "components": [*libraries, *shipped],
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
    parser = argparse.ArgumentParser(prog="scripts/sbom", description="CycloneDX bill of materials")
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
