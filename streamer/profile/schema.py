"""The JSON schema of a profile for editors, and the same as a page for people."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from streamer.profile.models import HardwareProfile
from streamer.profile.tables import Table

_Schema = dict[str, Any]


class _AsInToml(GenerateJsonSchema):
    """TOML knows no null: what may be None is left out of a file, and has no default to show."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        stated = super().default_schema(schema)
        if not isinstance(stated.get("default"), str | int | float):
            stated.pop("default", None)
        return stated


def json_schema() -> _Schema:
    """The schema of a profile's TOML file, with the words of the tables' own documentation."""
    schema = HardwareProfile.model_json_schema(schema_generator=_AsInToml)
    schema = {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "Hardware profile"}
    words = {table.__name__: inspect.getdoc(table) or "" for table in _tables(Table)}
    for name, stated in {HardwareProfile.__name__: schema, **schema["$defs"]}.items():
        stated["description"] = words[name].split("\n\n")[0].replace("\n", " ")
        for key, meaning in _attributes(words[name]):
            stated["properties"][key]["description"] = meaning
    return schema


def reference() -> str:
    """Every table and key of a profile as Markdown, in the order of the file."""
    schema = json_schema()
    return "\n".join(_inner_pages(schema, schema["$defs"], seen=set()))


def _tables(base: type[Table]) -> Iterator[type[Table]]:
    for table in base.__subclasses__():
        yield table
        yield from _tables(table)


def _attributes(doc: str) -> Iterator[tuple[str, str]]:
    """Names and meanings of the `Attributes:` section of a docstring; two names may share one meaning."""
    _, _, section = doc.partition("Attributes:\n")
    for names, meaning in re.findall(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
        for name in names.split(", "):
            yield name, re.sub(r"\s+", " ", meaning)


def _page(table: _Schema, defs: _Schema, *, seen: set[str]) -> Iterator[str]:
    heading, _, words = table["description"].partition(": ")
    yield f"### `{heading}`\n\n{words[0].upper()}{words[1:]}\n"
    required = table.get("required", ())
    own = {key: value for key, value in table["properties"].items() if not _inner(value)}
    if own:
        yield "| key | value | default | meaning |\n|---|---|---|---|"  # else only tables within
    for key, value in own.items():
        default = (
            "required" if key in required else json.dumps(value["default"]) if "default" in value else ""
        )
        meaning = value.get("description", "").replace("|", "\\|")
        yield f"| `{key}` | {_value(value)} | {default} | {meaning} |"
    if own:
        yield ""
    yield from _inner_pages(table, defs, seen=seen)


def _inner_pages(table: _Schema, defs: _Schema, *, seen: set[str]) -> Iterator[str]:
    for value in table["properties"].values():
        name = _inner(value)
        if name and name not in seen:
            seen.add(name)
            yield from _page(defs[name], defs, seen=seen)


def _inner(value: _Schema) -> str | None:
    """The table that a key holds, or holds several of."""
    reference: str | None = value.get("$ref") or value.get("items", {}).get("$ref")
    return reference.rpartition("/")[2] if reference else None


def _value(value: _Schema) -> str:
    """What a key may hold, in words."""
    match value:
        case {"anyOf": choices}:
            return " or ".join(map(_value, choices))
        case {"const": constant} | {"enum": [constant]}:
            return f"`{json.dumps(constant)}`"
        case {"enum": words}:
            return " or ".join(f"`{json.dumps(word)}`" for word in words)
        case {"type": "array", "prefixItems": [first, *rest]}:
            return f"list of {len(rest) + 1}: {_value(first)}"
        case {"type": "array", "items": each}:
            return f"list: {_value(each)}"
    kinds = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true or false"}
    return " ".join([kinds[value["type"]], *_limits(value)])


def _limits(value: _Schema) -> Iterator[str]:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "maximum": "<=", "exclusiveMaximum": "<"}
    for name, sign in signs.items():
        if name in value:
            yield f"{sign} {value[name]:g}"
