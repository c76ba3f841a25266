"""One root for every error that a person reads."""

from __future__ import annotations

import ast
import builtins

import pytest

from broker.errors import BrokerError
from contract.errors import ContractError, PayloadError
from engines.errors import EngineError
from engines.scene.errors import SceneError
from fleet.errors import FleetError
from rfid_reader.errors import ReaderError, ScenarioError
from runtime.uplink.errors import UplinkError
from tagsight.errors import TagsightError
from tagsight.yaml_files import KeyFault
from tests.test_names import REPO, modules

SIGNALS = {
    "InvalidValue",
    "Mismatch",
    "NetworkRefusal",
    "PeerGone",
    "Rejected",
    "Stopped",
    "StockFault",
    "TooSlow",
    "Unreadable",
}
"""Caught by the code that they are raised for; nobody reads them."""


@pytest.mark.parametrize(
    "kind",
    [
        ContractError,
        PayloadError,
        EngineError,
        SceneError,
        ReaderError,
        ScenarioError,
        UplinkError,
        BrokerError,
        FleetError,
        KeyFault,
    ],
)
def test_the_errors_of_every_package_have_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, TagsightError)


def test_no_other_class_stands_for_an_error_of_its_own() -> None:
    built_in = {name for name in dir(builtins) if _is_exception(getattr(builtins, name))}
    roots = {
        node.name: str(path.relative_to(REPO))
        for path in modules()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if any(isinstance(base, ast.Name) and base.id in built_in for base in node.bases)
    }
    assert roots.pop("TagsightError") == "tagsight/errors.py"
    assert set(roots) == SIGNALS, roots


def test_a_secret_in_any_of_them_is_struck_out() -> None:
    assert "hunter2" not in str(ReaderError("rtsp://user:hunter2@cam/1 is wrong"))
    assert "hunter2" not in str(PayloadError("mqtt://user:hunter2@broker/ is wrong"))


def _is_exception(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseException)
