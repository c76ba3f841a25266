"""What a release is made of is written down, and compared with what is known against it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from broker.mosquitto import free_port


def run(repo: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repo / "scripts/lib" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment or None, check=False)


@pytest.fixture(scope="module")
def bill(repo: Path) -> dict[str, Any]:
    done = run(repo, "sbom.py")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_bill_names_every_run_time_requirement_with_its_version(bill: dict[str, Any]) -> None:
    versions = {canonicalize_name(one["name"]): one.get("version") for one in bill["components"]}
    for name in ("click", "cryptography", "msgspec", "numpy", "paho-mqtt", "pyyaml", "scipy", "sllurp"):
        assert versions[name] == version(name)
    assert "cffi" in versions, "what a requirement requires"
    assert "pytest" not in versions, "development tools are no part of a release"
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["name"] == "tagsight"


def test_licences_are_named_and_sllurp_s_is_the_gpl(bill: dict[str, Any]) -> None:
    licences = {one["name"]: json.dumps(one.get("licenses", [])) for one in bill["components"]}
    assert "GPL" in licences["sllurp"]
    assert "BSD" in licences["numpy"]
    assert not [name for name, licence in licences.items() if "AGPL" in licence or "Affero" in licence]


def test_the_networks_that_are_shipped_stand_in_it_with_their_checksums(
    bill: dict[str, Any], repo: Path
) -> None:
    shipped = {
        one["name"]: one["hashes"][0] for one in bill["components"] if one["type"].startswith("machine")
    }
    assert set(shipped) == {path.name for path in (repo / "engines/weights").glob("*.onnx")}
    for name, checksum in shipped.items():
        data = (repo / "engines/weights" / name).read_bytes()
        assert checksum == {"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}


def test_references_are_unique_and_every_dependency_is_one_of_them(bill: dict[str, Any]) -> None:
    references = [one["bom-ref"] for one in [bill["metadata"]["component"], *bill["components"]]]
    assert len(set(references)) == len(references)
    for entry in bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= set(references)


def test_the_same_packages_give_the_same_bill(bill: dict[str, Any], repo: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    assert run(repo, "sbom.py", "--out", str(tmp_path / "bill"), **environment).returncode == 0
    again = json.loads((tmp_path / "bill").read_text())
    assert again["metadata"].pop("timestamp") == "2023-11-14T22:13:20Z"
    first = {**bill, "metadata": {**bill["metadata"]}}
    del first["metadata"]["timestamp"]
    assert again == first


def test_the_bill_follows_the_schema_of_its_version(bill: dict[str, Any]) -> None:
    fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(bill))
    assert fault is None, fault


def test_an_extra_is_in_the_bill_where_it_is_asked_for(repo: Path) -> None:
    done = run(repo, "sbom.py", "--extra", "dev")
    assert "pytest" in {one["name"] for one in json.loads(done.stdout)["components"]}


def advisories(folder: Path, affected: str, **allowed: str) -> Path:
    path = folder / "advisories.json"
    one = {"package": "msgspec", "id": "CVE-2000-0001", "affected": affected}
    path.write_text(json.dumps({"about": "", "advisories": [one], "allowed": allowed}))
    return path


def test_nothing_installed_is_in_the_list_of_advisories(repo: Path) -> None:
    done = run(repo, "audit.py", "--offline")
    assert done.returncode == 0, done.stdout
    assert "service not asked; 0 findings" in done.stdout


def test_an_affected_package_fails_the_audit_unless_it_is_allowed(repo: Path, tmp_path: Path) -> None:
    path = advisories(tmp_path, "<0.1 || >=0.2")
    done = run(repo, "audit.py", "--offline", "--list", str(path))
    assert done.returncode == 1
    assert f"msgspec {version('msgspec')} is affected by CVE-2000-0001" in done.stdout
    path = advisories(tmp_path, ">=0.2", **{"CVE-2000-0001": "not reachable: we never call it"})
    assert run(repo, "audit.py", "--offline", "--list", str(path)).returncode == 0
    path = advisories(tmp_path, "<0.1")
    assert run(repo, "audit.py", "--offline", "--list", str(path)).returncode == 0


def test_without_a_network_the_audit_says_so_and_passes(repo: Path) -> None:
    done = run(repo, "audit.py", "--service", f"http://127.0.0.1:{free_port()}/v1/query")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not run: http://127.0.0.1" in done.stdout


class Service(BaseHTTPRequestHandler):
    """Answers as OSV's query does, one package a request; it knows a fault of numpy."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = {
            "id": "GHSA-0000-0000-0000",
            "summary": "made up",
            "affected": [{"package": {"name": "numpy", "ecosystem": "PyPI"}, "ranges": []}],
        }
        answer = json.dumps({"vulns": [fault]} if query["package"]["name"] == "numpy" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


def test_what_the_service_knows_fails_the_audit(repo: Path, service: str) -> None:
    done = run(repo, "audit.py", "--service", service)
    assert done.returncode == 1
    assert f"numpy {version('numpy')} is affected by GHSA-0000-0000-0000" in done.stdout
    assert done.stdout.count("affected by") == 1


def test_what_the_service_knows_and_the_list_allows_is_no_finding(
    repo: Path, service: str, tmp_path: Path
) -> None:
    allowed = advisories(tmp_path, "<0.1", **{"GHSA-0000-0000-0000": "not reachable"})
    done = run(repo, "audit.py", "--service", service, "--list", str(allowed))
    assert done.returncode == 0, done.stdout
    assert f"{service} asked; 0 findings" in done.stdout
