"""Where a run comes from: rig, models, engines, thresholds, versions; enough to ask for the same again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.recording import RunFolder, RunInfo
from streamer.report import units

#: Rows of one group: a profile may be long, a recording of another version may hold anything.
ROWS_MAX = 120
_TEXT_MAX = 400
_HASHED = ("frames.jsonl", "decisions.jsonl", "run.json")
#: Told elsewhere, or of use to no reader.
_LEFT_OUT = ("ring", "ring_nonce", "ring_slots", "slot_bytes", "endpoint", "run", "paths")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A heading and its rows of name and value."""

    title: str
    rows: tuple[tuple[str, str], ...]


def provenance(run: RunFolder, info: RunInfo) -> tuple[Group, ...]:
    """All that `run.json` knows, in groups; those without a row are left out."""
    notes = dict(info.notes)
    checks, simulated = notes.pop("checks", None), notes.pop("simulated", None)
    light = notes.pop("dose", None)
    profile = dict(info.profile)
    rig = profile.pop("profile", {})
    thresholds = info.thresholds or {key: profile.get(key, {}) for key in ("guards", "policy")}
    for told_below in ("guards", "policy"):
        profile.pop(told_below, None)
    guards = thresholds.get("guards")
    thresholds = {**(guards if isinstance(guards, dict) else {}), "policy": thresholds.get("policy")}
    groups = (
        (
            "This run",
            [
                *_run(info),
                *_flat(notes),
                *_light(light),
                ("simulated", _listed(simulated) if isinstance(simulated, Mapping) else _said(simulated)),
            ],
        ),
        ("Microscope", [*_flat(rig), *_flat(profile), ("profile, sha256", info.profile_sha256)]),
        ("Camera to photons", _flat(info.calibration)),
        ("Models", list(_models(info))),
        ("How they were computed", _flat(info.engine_keys)),
        ("Thresholds", _flat(thresholds)),
        ("Checks before the run", list(_checks(checks))),
        ("Source of the frames", _flat(_without(info.source))),
        ("Sessions", list(_sessions(info))),
        ("Versions", _flat(info.versions)),
        ("Files, sha256", list(_files(run.path))),
    )
    kept = ((title, [(name, value) for name, value in rows if value][:ROWS_MAX]) for title, rows in groups)
    return tuple(Group(title=title, rows=tuple(rows)) for title, rows in kept if rows)


def _run(info: RunInfo) -> Iterator[tuple[str, str]]:
    yield "began", units.moment(info.started_wall_s)
    yield "closed", units.moment(info.ended_wall_s) if info.ended_wall_s else "not closed"
    yield "when frames come too fast", _POLICIES[info.overload_policy]
    yield "pixel", f"{info.pixel_nm:g} nm" if info.pixel_nm else "size not stated"
    yield "planned interval", f"{info.interval_s:g} s" if info.interval_s else ""
    yield "layout of the recording", f"version {info.format_version}"
    yield "seeds", _listed(info.seeds)


_POLICIES = {
    "lossless": "every frame is processed, late if it must be (lossless)",
    "latest": "every frame is recorded, only the newest processed (latest)",
}


def _light(noted: object) -> Iterator[tuple[str, str]]:
    """What the ledger did not know."""
    if isinstance(noted, Mapping):
        yield "light not known", _said(noted.get("unknown"))
        assumed = noted.get("assumed")
        lines = assumed.items() if isinstance(assumed, Mapping) else ()
        yield "power as the profile says", ", ".join(f"{line} for {count} frames" for line, count in lines)


def _models(info: RunInfo) -> Iterator[tuple[str, str]]:
    for package in info.packages:
        for name, digest in package.sha256.items():
            yield f"{package.id}: {name}", digest


def _checks(checks: object) -> Iterator[tuple[str, str]]:
    for check in checks if isinstance(checks, list) else []:
        if isinstance(check, dict):
            yield (
                str(check.get("check", ""))[:_TEXT_MAX],
                f"{check.get('status', '')}: {check.get('words', '')}"[:_TEXT_MAX],
            )


def _sessions(info: RunInfo) -> Iterator[tuple[str, str]]:
    for session in info.sessions:
        yield f"from frame {session.first_seq:,}", f"processor started {units.moment(session.started_wall_s)}"


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Digests by which a reader can tell that the recording is the one reported on."""
    for name in _HASHED:
        try:
            with (folder / name).open("rb") as stream:
                yield name, hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            continue


def _without(source: Mapping[str, Any]) -> dict[str, Any]:
    """The source without what names folders of this machine, shared memory and addresses."""
    return {
        key: _without(value) if isinstance(value, Mapping) else value
        for key, value in source.items()
        if key not in _LEFT_OUT
    }


def _flat(values: object, name: str = "") -> list[tuple[str, str]]:
    """Tables of tables as one row each, `photons: floor 8, drop 0.1`."""
    if isinstance(values, Mapping):
        plain = {key: value for key, value in values.items() if not _is_nested(value)}
        rows = (
            [(name, _listed(plain))]
            if name and plain
            else [(_words(key), _said(value)) for key, value in plain.items()]
        )
        for key, value in values.items():
            if _is_nested(value) and len(rows) < ROWS_MAX:
                rows += _flat(value, f"{name}, {_words(key)}" if name else _words(key))
        return rows
    if isinstance(values, Sequence) and not isinstance(values, str):
        numbered = len(values) > 1
        several = (
            _flat(value, f"{name} {n}" if numbered else name) for n, value in enumerate(values[:ROWS_MAX], 1)
        )
        return [row for rows in several for row in rows]
    return [(name, _said(values))]


def _is_nested(value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value)


def _listed(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{_words(key)} {said}" for key, value in values.items() if (said := _said(value)))


def _words(key: object) -> str:
    return str(key).replace("_", " ")[:80]


def _said(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.12g}"
        case list() | tuple():
            return ", ".join(map(_said, value))[:_TEXT_MAX]
        case Mapping():
            return ""
    return str(value)[:_TEXT_MAX]
