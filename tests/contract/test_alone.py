"""The contract stands on its own: who consumes events needs nothing else of tagsight for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

IMPORT_IT_ALL = """
import importlib, json, pkgutil, sys
import contract
for module in pkgutil.walk_packages(contract.__path__, "contract."):
    importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


def test_importing_all_of_it_imports_the_root_of_our_errors_and_only_msgspec_of_others() -> None:
    ours = {path.parent.name for path in REPO.glob("*/__init__.py")} - {"contract"}
    assert {"runtime", "engines", "rfid_reader"} <= ours
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_IT_ALL], cwd=REPO, capture_output=True, text=True, check=True
    )
    modules = json.loads(done.stdout)
    assert "contract.wire" in modules and "contract.schema" in modules
    others = {name for name in modules if name.partition(".")[0] in ours}
    assert others == {"tagsight", "tagsight.errors", "tagsight.redaction"}, "the root of the errors, no more"
    at_start = subprocess.run(
        [sys.executable, "-c", "import json, sys; print(json.dumps(sorted(sys.modules)))"],
        cwd=REPO, capture_output=True, text=True, check=True,
    )  # fmt: skip
    tops = {name.partition(".")[0] for name in set(modules) - set(json.loads(at_start.stdout))}
    foreign = {name for name in tops if name not in sys.stdlib_module_names}
    assert foreign <= {"contract", "msgspec", "tagsight", "typing_extensions"}, (
        "msgspec takes typing_extensions where it is"
    )
