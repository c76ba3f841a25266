"""The service's description as OpenAPI 3.1, made from the questions, the models and the records."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fleet.ingest.records import schema_of_records
from fleet.models.texts import tables
from fleet.serve.asking import questions

JSON_TYPES = {"TEXT": "string", "INTEGER": "integer", "REAL": "number", "BOOLEAN": "integer"}
PARAMETERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("site", "only this store; repeatable", {"type": "array", "items": {"type": "string"}}),
    ("from", "first local day, YYYY-MM-DD", {"type": "string", "format": "date"}),
    ("to", "last local day, YYYY-MM-DD", {"type": "string", "format": "date"}),
    ("minutes", "of time-outs", {"type": "number", "default": 30}),
    ("now", "as of this moment, UTC seconds", {"type": "number"}),
)


def document() -> dict[str, Any]:
    """All of it; a question that is a model's table has its columns."""
    records = schema_of_records()
    paths: dict[str, Any] = {
        f"/v1/answers/{name}": {"get": _answer(name, question.about)}
        for name, question in questions().items()
    }
    paths["/v1/questions"] = {"get": _operation("questions", "What can be asked.", {"type": "object"})}
    paths["/v1/health"] = {
        "get": {**_operation("health", "Whether all sources are read.", {"type": "object"}), "security": []}
    }
    paths["/v1/sql"] = {
        "post": {
            **_operation("sql", "One SELECT over the tables of the warehouse.", {"type": "object"}),
            "requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}, "required": True},
        }
    }
    array = {"type": "array", "items": {"$ref": "#/components/schemas/Record"}}
    paths["/v1/records"] = {
        "post": {
            **_operation("records", "Hand in sales, stock lists, plans.", {"type": "object"}, "202"),
            "requestBody": {"content": {"application/json": {"schema": array}}, "required": True},
        }
    }
    schemas = {name: _moved(one) for name, one in records["$defs"].items()}
    schemas["Record"] = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in records["$defs"]]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "tagsight fleet", "version": version("tagsight")},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _answer(name: str, about: str) -> dict[str, Any]:
    row: dict[str, Any] = {"type": "object"}
    if name in tables():
        columns = tables()[name].columns.items()
        row["properties"] = {column: {"type": [JSON_TYPES[sql], "null"]} for column, sql in columns}
    told = {
        "type": "object",
        "properties": {
            "answer": {"const": name},
            "rows": {"type": "array", "items": row},
            "replica": {
                "type": "boolean",
                "description": "the warehouse could not be read, its copy answered",
            },
        },
        "required": ["answer", "rows", "cut", "replica"],
    }
    parameters = [
        {"name": parameter, "in": "query", "description": says, "schema": schema}
        for parameter, says, schema in PARAMETERS
    ]
    return {**_operation(f"answer_{name}", about, told), "parameters": parameters}


def _operation(name: str, about: str, schema: dict[str, Any], status: str = "200") -> dict[str, Any]:
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    return {
        "operationId": name,
        "summary": about,
        "responses": {
            status: {"description": "the answer", "content": {"application/json": {"schema": schema}}},
            "4XX": {"description": "why not", "content": {"application/json": {"schema": error}}},
        },
    }


def _moved(tree: Any) -> Any:
    """References as OpenAPI has them."""
    if isinstance(tree, dict):
        return {key: _moved(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_moved(value) for value in tree]
    return tree.replace("#/$defs/", "#/components/schemas/") if isinstance(tree, str) else tree
