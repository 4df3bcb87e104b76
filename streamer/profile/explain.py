"""Validation errors in the user's words: `rig2.toml: [scan] dwell_us = -1; use a value above 0`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from streamer.profile.models import HardwareProfile
from streamer.profile.tables import UNKNOWN, OrUnknown

_Path = tuple[int | str, ...]

_EXPECTED_TYPES = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def explain(error: ValidationError, place: str) -> str:
    """One line per problem, each with its value, place and cure; `place` is the file as the user knows it."""
    problems = error.errors(include_url=False)
    misnamed = {name for problem in problems for name in _meant(problem)}
    lines = [
        f"{place}: {_describe(problem)}"
        for problem in problems
        if not (problem["type"] == "missing" and problem["loc"] in misnamed)
    ]
    return "\n".join(lines)


def _describe(problem: ErrorDetails) -> str:
    kind, path = problem["type"], problem["loc"]
    if kind == "value_error":
        return f"{_place(path, table=True)} {problem['ctx']['error']}".strip()
    if kind == "missing":
        return f"{_place(path)} is missing; add {_wanted(path) or 'it'}"
    if kind == "extra_forbidden":
        return f"{_place(path)} = {_shown(problem['input'])}; unknown key, {_better_name(path)}"
    return f"{_place(path)} = {_shown(problem['input'])}; {_cure(problem)}"


def _cure(problem: ErrorDetails) -> str:
    kind = problem["type"]
    if kind == "literal_error":
        return f"use {problem['ctx']['expected']}".replace("'", '"')
    if kind in ("missing_argument", "too_short", "too_long"):
        return f"use a list of {problem['ctx'].get('min_length', problem['ctx'].get('max_length'))}"
    wanted = _EXPECTED_TYPES.get(kind) or _wanted(problem["loc"])
    if wanted and isinstance(problem["input"], str) and _may_be_unknown(problem["loc"]):
        wanted += f' or "{UNKNOWN}"'
    return f"use {wanted}" if wanted else problem["msg"]


def _place(path: _Path, *, table: bool = False) -> str:
    """`[scan] shape_px[0]`, `[[lasers]] no. 2 power_uw`; with `table`, the whole path names a table."""
    tables, key = (path, "") if table else _split(path)
    name = ".".join(part for part in tables if isinstance(part, str))
    number = next((f" no. {part + 1}" for part in tables if isinstance(part, int)), "")
    head = f"[[{name}]]{number}" if number else f"[{name}]" if name else ""
    if not head and key:
        return f"[{key}]"
    return f"{head} {key}".strip()


def _split(path: _Path) -> tuple[_Path, str]:
    """Tables and key of a value; an index into the value stays with the key."""
    at = max(i for i, part in enumerate(path) if isinstance(part, str))
    if _model(path[: at + 1]) is not None and len(path) > at + 1:  # a whole entry of an array of tables
        return path, ""
    return path[:at], str(path[at]) + "".join(f"[{part}]" for part in path[at + 1 :])


def _model(tables: _Path) -> type[BaseModel] | None:
    """The model of a table, by its path."""
    model: type[BaseModel] | None = HardwareProfile
    for part in tables:
        if isinstance(part, str) and model is not None:
            field = model.model_fields.get(part)
            model = next(_models_in(field.annotation), None) if field else None
    return model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _wanted(path: _Path) -> str:
    """The range of a number as its field states it: `8-16`, `a value above 0`."""
    keys = [part for part in path if isinstance(part, str)]
    model = _model(tuple(keys[:-1]))
    field = model.model_fields.get(keys[-1]) if model else None
    if field is None:
        return ""
    match dict(_bounds(field)) | dict(_bounds(field.annotation)):
        case {"ge": low, "le": high}:
            return f"{low:g}-{high:g}"
        case {"gt": low, "le": high}:
            return f"a value above {low:g} and up to {high:g}"
        case {"gt": low}:
            return f"a value above {low:g}"
        case {"ge": low}:
            return f"{low:g} or more"
    return ""


def _may_be_unknown(path: _Path) -> bool:
    model = _model(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    return field is not None and OrUnknown in field.metadata


def _bounds(annotated: object) -> Iterator[tuple[str, float]]:
    """Limits in a field or in a type annotation, however deep."""
    rules = annotated.metadata if isinstance(annotated, FieldInfo) else getattr(annotated, "__metadata__", ())
    for rule in rules:
        if isinstance(rule, FieldInfo):
            yield from _bounds(rule)
        yield from ((name, getattr(rule, name)) for name in ("gt", "ge", "le") if hasattr(rule, name))
    for inner in get_args(annotated):
        yield from _bounds(inner)


def _better_name(path: _Path) -> str:
    names = [str(name[-1]) for name in _candidates(path)]
    if names:
        return f"did you mean {' or '.join(names)}?"
    model = _model(path[:-1])
    return f"use one of {', '.join(model.model_fields)}" if model else "remove it"


def _meant(problem: ErrorDetails) -> list[_Path]:
    return _candidates(problem["loc"]) if problem["type"] == "extra_forbidden" else []


def _candidates(path: _Path) -> list[_Path]:
    """Keys the user may have meant: the same quantity in another unit, or nearly the same spelling."""
    *tables, key = path
    model = _model(tuple(tables))
    if model is None:
        return []
    stem = str(key).rpartition("_")[0] or str(key)
    same_quantity = [name for name in model.model_fields if name.rpartition("_")[0] == stem]
    names = same_quantity or difflib.get_close_matches(str(key), model.model_fields, n=1)
    return [(*tables, name) for name in names]


def _shown(value: object) -> str:
    shown = json.dumps(value, default=str)
    return shown if len(shown) <= 60 else shown[:57] + "..."
