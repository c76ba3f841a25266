"""What would be right, in words: from a declaration of the model to "a number from 0.2 to 60"."""

from __future__ import annotations

from msgspec import inspect


def expected(kind: inspect.Type) -> str:
    """Words for what a value of this kind looks like, with its limits and its description."""
    if isinstance(kind, inspect.Metadata):
        described = (kind.extra_json_schema or {}).get("description")
        if described and expected(kind.type).startswith("text"):
            return str(described)
        return expected(kind.type) + (f" ({described})" if described else "")
    if isinstance(kind, inspect.UnionType):
        return " or ".join(
            expected(choice) for choice in kind.types if not isinstance(choice, inspect.NoneType)
        )
    if isinstance(kind, inspect.StructType):
        return f"a mapping with {', '.join(field.encode_name for field in kind.fields)}"
    if isinstance(kind, inspect.ListType | inspect.TupleType):
        return _expected_list(kind)
    return _expected_scalar(kind)


def _expected_list(kind: inspect.ListType | inspect.TupleType) -> str:
    if isinstance(kind, inspect.ListType):
        return f"a list of {_length(kind.min_length, kind.max_length)}items"
    numbers = all(isinstance(item, inspect.IntType | inspect.FloatType) for item in kind.item_types)
    return f"a list of {len(kind.item_types)} {'numbers' if numbers else 'items'}"


def _expected_scalar(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return _expected_number(kind)
    if isinstance(kind, inspect.LiteralType):
        return f"one of {', '.join(str(value) for value in kind.values)}"
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.StrType):
        return f"text of {_length(kind.min_length, kind.max_length)}characters" if kind.max_length else "text"
    return "a path"


def _expected_number(kind: inspect.IntType | inspect.FloatType) -> str:
    noun = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
    low = f"from {kind.ge:g}" if kind.ge is not None else f"above {kind.gt:g}" if kind.gt is not None else ""
    high = f"to {kind.le:g}" if kind.le is not None else f"below {kind.lt:g}" if kind.lt is not None else ""
    return " ".join(word for word in (noun, low, high) if word)


def _length(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"{least} to {most} "
    if least is not None:
        return f"at least {least} "
    return f"at most {most} " if most is not None else ""
