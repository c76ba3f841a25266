"""The schema as files that consumers build on, and whether the present code still keeps to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from contract import wire
from contract.compatibility import SchemaChange, api_changes, changes
from contract.errors import ContractError
from contract.schema import async_api, json_schema

EVENTS = "events.schema.json"
TOPICS = "asyncapi.json"


def write(folder: Path, version: str) -> list[Path]:
    """Write both documents. Raises ContractError where the ones there would break, and when it cannot."""
    breaking = (
        [change for change in differences(folder, version) if change.breaks] if _is_there(folder) else []
    )
    if breaking:
        raise ContractError(_refusal(folder, breaking))
    documents = {EVENTS: json_schema(), TOPICS: async_api(version)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            (folder / name).write_bytes(text(document))
    except OSError as error:
        raise ContractError(f"{folder}: the schema cannot be written ({error.strerror})") from error
    return [folder / name for name in documents]


def check(folder: Path, version: str) -> None:
    """Raises ContractError where the documents in `folder` are not those of the present code: first for what
    breaks consumers, else for what is only new."""
    found = differences(folder, version)
    breaking = [change for change in found if change.breaks]
    if breaking:
        raise ContractError(_refusal(folder, breaking))
    if found:
        raise ContractError(
            f"{folder} is not up to date: {_sentences(found)}; run tagsight events schema --out {folder}"
        )


def differences(folder: Path, version: str) -> list[SchemaChange]:
    """What the present code changes of the documents in `folder`. Raises ContractError without them."""
    found = [
        *changes(_read(folder / EVENTS), _plain(json_schema())),
        *api_changes(_read(folder / TOPICS), _plain(async_api(version))),
    ]
    return list(dict.fromkeys(found))


def text(document: dict[str, Any]) -> bytes:
    """The document as it is stored and printed."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _plain(document: dict[str, Any]) -> Any:
    """As it comes back from a file."""
    return msgspec.json.decode(msgspec.json.encode(document))


def _is_there(folder: Path) -> bool:
    return (folder / EVENTS).exists() and (folder / TOPICS).exists()


def _read(file: Path) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise ContractError(
            f"{file}: cannot be read ({error.strerror}); tagsight events schema --out {file.parent} writes it"
        ) from error
    except msgspec.DecodeError as error:
        raise ContractError(f"{file}: not JSON ({error})") from error


def _refusal(folder: Path, breaking: list[SchemaChange]) -> str:
    return (
        f"{folder}: this breaks consumers: {_sentences(breaking)}. Keep what is there and add beside it, "
        f"with a default; what must break goes over topics other than {wire.ROOT} and into another folder"
    )


def _sentences(found: list[SchemaChange]) -> str:
    return "; ".join(change.what for change in found)
