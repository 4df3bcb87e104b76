"""The published schema is the one that checks, and every profile points to it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.profile import json_schema, list_profiles, load_profile, reference

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json_schema()
TYPES: dict[str, Any] = {
    "number": (int, float),
    "integer": int,
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
}


def strays(value: Any, schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """Where a value leaves its schema; the part of JSON Schema that ours uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        holds = any(not list(strays(value, choice)) for choice in schema["anyOf"])
    elif "const" in schema or "enum" in schema:
        holds = value in schema.get("enum", [schema.get("const")])
    else:
        holds = isinstance(value, TYPES[schema["type"]])
        if isinstance(value, dict):
            yield from _strays_in_table(value, schema, place)
        elif isinstance(value, list) and holds:
            each = schema.get("prefixItems") or [schema["items"]] * len(value)
            holds = len(each) == len(value)
            for number, (inner, its) in enumerate(zip(value, each, strict=False)):
                yield from strays(inner, its, f"{place}[{number}]")
    if not holds:
        yield f"{place} = {value}"


def _strays_in_table(table: dict[str, Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    yield from (f"{place}.{key} is missing" for key in schema.get("required", ()) if key not in table)
    for key, value in table.items():
        known = schema["properties"].get(key)
        yield from strays(value, known, f"{place}.{key}") if known else [f"{place}.{key} is unknown"]


def test_the_published_schema_is_the_one_that_checks() -> None:
    """If this fails: `streamer profiles schema > docs/profile.schema.json`."""
    assert json.loads((DOCS / "profile.schema.json").read_text(encoding="utf-8")) == SCHEMA


def test_the_page_lists_every_table_and_key() -> None:
    """If this fails: put what `streamer profiles schema --markdown` prints at the end of docs/profiles.md."""
    page = (DOCS / "profiles.md").read_text(encoding="utf-8")
    assert page.partition("<!-- reference -->\n")[2].strip() == reference().strip()


@pytest.mark.parametrize("name", list_profiles())
def test_bundled_profiles_fit_the_schema_and_point_editors_to_it(name: str) -> None:
    path = list_profiles()[name]
    text = path.read_text(encoding="utf-8")
    assert list(strays(tomllib.loads(text), SCHEMA)) == []
    pointer = re.match(r"#:schema (\S+)\n", text)
    assert pointer
    assert (path.parent / pointer[1]).resolve() == DOCS / "profile.schema.json"


@pytest.mark.parametrize("name", list_profiles())
def test_a_profile_with_all_its_defaults_fits_the_schema(name: str) -> None:
    assert list(strays(load_profile(name).to_dict(), SCHEMA)) == []


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        pytest.param("camera", "exposure_ms", None, id="null is no TOML"),
        pytest.param("camera", "exposure_ms", "unknwon", id="misspelt unknown"),
        pytest.param("camera", "model", 5, id="number for text"),
        pytest.param("detector", "pinhole", 1, id="unknown key"),
        pytest.param("profile", "name", ["x"], id="list for text"),
    ],
)
def test_the_schema_refuses_what_the_profile_refuses(table: str, key: str, value: object) -> None:
    stated: Any = load_profile("democamera").to_dict()
    stated[table][key] = value
    assert len(list(strays(stated, SCHEMA))) == 1


def test_every_key_is_explained() -> None:
    silent = [
        f"{name}.{key}"
        for name, table in SCHEMA["$defs"].items()
        for key, value in table["properties"].items()
        if "description" not in value and "$ref" not in value
    ]
    assert silent == []
