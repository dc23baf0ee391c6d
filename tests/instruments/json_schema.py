"""As much of JSON Schema (draft 2020-12) as our own schemas use; a keyword that is not known here is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
_NOTES = {"$schema", "$defs", "title", "description"}
_KNOWN = {*_NOTES, "type", "enum", "const", "properties", "required", "additionalProperties", "items", "$ref"}


def violations(document: Any, schema: Schema) -> list[str]:
    """Return what a document has otherwise than its schema says, each with its place."""
    return list(_check(document, schema, schema, "document"))


def _check(found: Any, schema: Schema, root: Schema, where: str) -> Iterator[str]:
    if unknown := schema.keys() - _KNOWN:
        raise ValueError(f"{where}: this check does not know {', '.join(sorted(unknown))}")
    if "$ref" in schema:
        yield from _check(found, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "const" in schema and found != schema["const"]:
        yield f"{where}: found {found!r}, allowed is {schema['const']!r}"
    if "enum" in schema and found not in schema["enum"]:
        yield f"{where}: found {found!r}, allowed are {schema['enum']}"
    if "type" in schema and not _has_type(found, schema["type"]):
        yield f"{where}: found {found!r}, allowed is {schema['type']}"
    elif isinstance(found, dict):
        yield from _check_object(found, schema, root, where)
    elif isinstance(found, list) and "items" in schema:
        for index, item in enumerate(found):
            yield from _check(item, schema["items"], root, f"{where}[{index}]")


def _check_object(found: dict[str, Any], schema: Schema, root: Schema, where: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in found:
            yield f"{where}: {name} is missing"
    for name, value in found.items():
        if name in properties:
            yield from _check(value, properties[name], root, f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{where}: {name} is not in the schema"


def _has_type(found: Any, names: str | list[str]) -> bool:
    allowed = [names] if isinstance(names, str) else names
    if isinstance(found, bool):
        return "boolean" in allowed
    return any(isinstance(found, _TYPES[name]) for name in allowed)
