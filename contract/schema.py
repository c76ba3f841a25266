"""The events as JSON Schema (2020-12) and as AsyncAPI 3, both made from the Structs."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from contract import wire
from contract.envelope import KINDS, Envelope
from contract.fields import UNIT

REF = "#/$defs/{name}"
ASYNC_REF = "#/components/schemas/{name}"
WORDS = ("description", UNIT)
CLIENT_TOPICS = {"ack": wire.Ack, "replay": wire.Replay}


def json_schema() -> dict[str, Any]:
    """One schema for any event: a choice by `kind`."""
    definitions = _definitions(REF)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tagsight event",
        "oneOf": [{"$ref": REF.format(name=fact.__name__)} for fact in KINDS.values()],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {kind: REF.format(name=fact.__name__) for kind, fact in KINDS.items()},
        },
        "$defs": definitions,
    }


def async_api(version: str) -> dict[str, Any]:
    """The topics and what goes over them, as AsyncAPI 3.0."""
    channels = {kind: _channel(kind, fact.__name__, fact.__doc__) for kind, fact in KINDS.items()}
    channels["status"] = _channel("status", "Status", wire.Status.__doc__)
    operations = {f"send_{leaf}": _operation("send", leaf) for leaf in channels}
    for leaf, message in CLIENT_TOPICS.items():
        channels[leaf] = _channel(leaf, message.__name__, message.__doc__)
        operations[f"receive_{leaf}"] = _operation("receive", leaf)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tagsight events",
            "version": version,
            "description": "Events of one device. A payload is one JSON object, or where the content type is "
            f"{wire.BATCH} a zlib-deflated JSON array of such objects (its first byte is 0x78).",
        },
        "defaultContentType": wire.SINGLE,
        "channels": channels,
        "operations": operations,
        "components": {"schemas": _definitions(ASYNC_REF)},
    }


def _definitions(ref: str) -> dict[str, Any]:
    """Every Struct that occurs, the facts with the envelope's fields added."""
    structs = [*KINDS.values(), Envelope, wire.Status, *CLIENT_TOPICS.values()]
    _, definitions = msgspec.json.schema_components(structs, ref_template=ref)
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = cleandoc(definition["description"])
    envelope = definitions.pop("Envelope")
    for kind, fact in KINDS.items():
        definition = definitions[fact.__name__]
        own = definition["properties"]
        shared = {name: says for name, says in envelope["properties"].items() if name != "kind"}
        told = {"const": kind, **{word: envelope["properties"]["kind"][word] for word in WORDS}}
        told["examples"] = [kind]
        definition["properties"] = {**shared, **own, **shared, "kind": told}
        definition["required"] = sorted({*definition.get("required", ()), *envelope["required"], "kind"})
    return definitions


def _channel(leaf: str, struct: str, doc: str | None) -> dict[str, Any]:
    summary = (doc or "").strip().splitlines()[0]
    payload = {"$ref": ASYNC_REF.format(name=struct)}
    return {
        "address": f"{wire.ROOT}/{{site}}/{{device}}/{leaf}",
        "parameters": {"site": {"description": "the store"}, "device": {"description": "the terminal"}},
        "messages": {leaf: {"name": leaf, "summary": summary, "payload": payload}},
        "bindings": {"mqtt": {"qos": 1, "retain": leaf in wire.RETAINED}},
    }


def _operation(action: str, leaf: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{leaf}"}}
