"""The tables of the study, from whatever runs there are, each number with n and its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.guards_measures import (
    Responses,
    alarms,
    at_least,
    at_most,
    exact,
    first_after,
    forecast_of,
    median_of,
    oracle_of,
    pooled,
    rate_of,
    statuses,
    stop_of,
)
from bench.guards_movies import CASES, FULL_LENGTH, INTERVAL_S
from bench.guards_rules import limit_for, with_rules
from bench.guards_store import Record
from streamer.profile import HardwareProfile

#: Fading that the photon guard is known to be troubled by: each for itself, never among the others.
HARD = ("fade-haze-800", "fade-camera-800")
#: Guards that ask for a stop by default.
STOPPING = ("signal_map", "photons")
#: Frames within which signal that is gone at once is to be found.
SOON = 3
#: Frames after an event in which a guard's first word is counted as being about it.
WINDOW = 20
#: Most frames after the oracle's that a run may be kept, as a share of its length.
ASKED_SHARE = 0.03

Grouped = Mapping[str, Sequence[Record]]


def tables(records: Sequence[Record], profile: HardwareProfile) -> dict[str, Any]:
    """Everything that is told of the runs."""
    grouped = {name: [record for record in records if record["case"] == name] for name in CASES}
    return {
        "runs": {name: len(found) for name, found in grouped.items()},
        "false_stops": _false_stops(grouped["long-healthy"], profile),
        "false_stops_small": _false_stops(grouped["small-healthy"], profile),
        "gone_at_once": _gone(grouped, profile),
        "delays": {name: _delays(name, grouped[name], profile) for name in CASES if grouped[name]},
        "false_alarms": _false_alarms(grouped),
        "fading": _fading(grouped, profile, ("fade-once", "fade-twice")),
        "fading_small": _fading(grouped, profile, ("small-fade",)),
        "fading_hard": {name: _faded(grouped[name], profile) for name in HARD if grouped[name]},
        "told_after": _told_after(grouped),
        "alone": _alone(grouped, profile),
    }


def _false_stops(runs: Sequence[Record], profile: HardwareProfile) -> dict[str, Any]:
    """Healthy runs of full length that were stopped."""
    stops = [stop_of(record, profile) for record in runs]
    count = sum(stop is not None for stop in stops)
    return exact(count, len(runs)) | {"at_most": round(at_most(count, len(runs)), 4)}


def _gone(grouped: Grouped, profile: HardwareProfile) -> dict[str, Any]:
    """Signal that is gone at once: told within `SOON` frames, and stopped."""
    runs = [record for name, found in grouped.items() if name.startswith("gone") for record in found]
    told = [first_after(record, STOPPING) for record in runs]
    count = sum(delay is not None and delay <= SOON - 1 for delay in told)
    stops = [stop_of(record, profile) for record in runs]
    late = [stop - record["onset"] for stop, record in zip(stops, runs, strict=True) if stop is not None]
    return {
        "told": exact(count, len(runs)) | {"at_least": round(at_least(count, len(runs)), 4)},
        "stopped": exact(sum(stop is not None for stop in stops), len(runs)),
        "stopped_before": sum(delay < 0 for delay in late),
        "stop_delay": median_of(late),
    }


def _delays(name: str, runs: Sequence[Record], profile: HardwareProfile) -> dict[str, Any]:
    """Frames from the event to the first word of a guard that stops, of any guard, and to the stop."""
    case, stops = CASES[name], [stop_of(record, profile) for record in runs]
    found: dict[str, Any] = {
        "tells": case.tells,
        "should": case.should,
        "every_guard": case.every_guard,
        "stopped": exact(sum(stop is not None for stop in stops), len(runs)),
    }
    if case.onset is None or case.life:
        return found
    late = [stop - record["onset"] for stop, record in zip(stops, runs, strict=True) if stop is not None]
    found["stop_delay"] = median_of(late)
    for key, guards in (("stopping_guard", STOPPING), ("any_guard", tuple(runs[0]["guards"]))):
        delays = [first_after(record, guards) for record in runs]
        found[key] = median_of([delay for delay in delays if delay is not None])
        found[f"{key}_missed"] = exact(sum(delay is None for delay in delays), len(runs))
    return found


def _false_alarms(grouped: Grouped) -> dict[str, Any]:
    """Flagged and rejected frames of healthy runs by guard: full-length ones, and those all guards judged."""
    found = {}
    for name in ("long-healthy", "small-healthy", "all-healthy"):
        runs = grouped[name]
        lengths = [record["frames"] for record in runs]
        found[name] = {
            guard: {
                status: rate_of([alarms(record, guard, status) for record in runs], lengths)
                for status in ("flag", "reject")
            }
            for guard in (runs[0]["guards"] if runs else ())
        }
    return found


def _fading(grouped: Grouped, profile: HardwareProfile, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Stop against the oracle's frame, frames kept beyond it, and the forecast at half of the life."""
    runs = {name: found for name, found in grouped.items() if name.startswith(kinds) and found}
    rows = {name: _faded(found, profile) for name, found in runs.items()}
    every = [record for found in runs.values() for record in found]
    return {**rows, "all": _faded(every, profile)} if every else {}


def _faded(runs: Sequence[Record], profile: HardwareProfile) -> dict[str, Any]:
    stops, oracles = [stop_of(record, profile) for record in runs], [oracle_of(record) for record in runs]
    told = [
        (record, record["frames"] if stop is None else stop, oracle)
        for record, stop, oracle in zip(runs, stops, oracles, strict=True)
        if math.isfinite(oracle)
    ]
    forecasts = [forecast_of(record) for record in runs]
    missed = [abs(stop - oracle) for _, stop, oracle in told]
    kept = [_kept(*each, ("reject",)) for each in told]
    unflagged = [_kept(*each, ("reject", "flag")) for each in told]
    return {
        "stopped": exact(sum(stop is not None for stop in stops), len(runs)),
        "oracle_known": exact(len(told), len(runs)),
        "oracle_by_life": median_of([oracle / record["life"] for record, _, oracle in told]),
        "off_share_of_plan": median_of([frames / FULL_LENGTH for frames in missed]),
        "off_share_of_oracle": median_of([(stop - oracle) / oracle for _, stop, oracle in told]),
        "off_share_of_life": median_of(
            [
                ((record["frames"] if stop is None else stop) - record["life"]) / record["life"]
                for record, stop in zip(runs, stops, strict=True)
            ]
        ),
        **_unusable("kept", kept),
        **_unusable("unflagged", unflagged),
        "saved": median_of([(FULL_LENGTH - stop) / (FULL_LENGTH - oracle) for _, stop, oracle in told]),
        "forecast_error": median_of([min(error, 10.0) for error, _ in forecasts]),
        "forecast_covers": exact(sum(inside for _, inside in forecasts), len(runs)),
    }


def _kept(record: Record, stop: int, oracle: float, left_out: Sequence[str]) -> tuple[int, int]:
    """Frames beyond the oracle's, of those before the stop about which no stopping guard says `left_out`."""
    said = zip(*(statuses(record, guard)[:stop] for guard in STOPPING), strict=True)
    good = [seq for seq, each in enumerate(said) if not set(each) & set(left_out)]
    return sum(seq > oracle for seq in good), len(good)


def _unusable(name: str, kept: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Their share: median over runs, and of the frames of all runs together."""
    bad, frames = [count for count, _ in kept], [count for _, count in kept]
    return {
        f"unusable_{name}": median_of([count / max(of, 1) for count, of in kept]),
        f"unusable_{name}_pooled": pooled(bad, frames),
    }


def _told_after(grouped: Grouped) -> dict[str, Any]:
    """Share of the runs in which each guard says something within `WINDOW` frames of the event.

    Of healthy runs the share of such windows, side by side, in which it does.
    """
    found: dict[str, Any] = {}
    for name, case in CASES.items():
        runs = grouped[name]
        if not case.every_guard or not runs:
            continue
        found[name] = {guard: _told(guard, runs, case.onset is None) for guard in runs[0]["guards"]}
    return found


def _told(guard: str, runs: Sequence[Record], is_healthy: bool) -> dict[str, Any]:
    said = [statuses(record, guard) for record in runs]
    onsets = [record["onset"] or 0 for record in runs]
    length = len(said[0]) if is_healthy else WINDOW
    windows = [
        any(status != "pass" for status in each[first : first + WINDOW])
        for each, onset in zip(said, onsets, strict=True)
        for first in range(onset, onset + length, WINDOW)
    ]
    return exact(sum(windows), len(windows))


def _alone(grouped: Grouped, profile: HardwareProfile) -> dict[str, Any]:
    """What would stop, were only some of the guards, or the paper's rules, allowed to ask for it.

    The same hysteresis for all. A guard that only flags asks by its flags.
    """
    movies = grouped["all-dark"], grouped["all-healthy"]
    ruled = {
        name: [with_rules(record, limit_for(record, *movies)) for record in grouped[name]]
        for name, case in CASES.items()
        if case.every_guard and grouped[name]
    }
    rows = {
        label: {
            name: _stopped(runs, profile, responses)
            for name, runs in ruled.items()
            if set(responses) <= set(runs[0]["guards"])
        }
        for label, responses in _settings(profile).items()
    }
    limit = limit_for(None, *movies)
    return {"dark_limit": None if limit is None else asdict(limit), "rows": rows}


def _stopped(runs: Sequence[Record], profile: HardwareProfile, responses: Responses) -> dict[str, Any]:
    stops = [stop_of(record, profile, responses) for record in runs]
    onsets = [record["onset"] or 0 for record in runs]
    late = [stop - onset for stop, onset in zip(stops, onsets, strict=True) if stop is not None]
    before = sum(delay < 0 for delay in late)
    return exact(len(late), len(runs)) | {
        "before": before,
        "delay": median_of([each for each in late if each >= 0]),
    }


def _settings(profile: HardwareProfile) -> dict[str, Responses]:
    guards = [name for name in profile.guards.actions.model_dump() if name not in ("halves", "actions")]
    by_reject, by_any = {"reject": "stop"}, {"flag": "stop", "reject": "stop"}
    return {
        "as shipped": dict.fromkeys(STOPPING, by_reject),
        "every guard": {guard: by_any if guard == "range" else by_reject for guard in guards},
        **{f"{guard} alone": {guard: by_any if guard == "range" else by_reject} for guard in guards},
        "the paper's signal map": {"rule_signal": by_reject},
        "the paper's similarity": {"rule_similarity": by_reject},
        "the paper's two rules": {"rule_signal": by_reject, "rule_similarity": by_reject},
    }


def length_words() -> str:
    """A full-length run in words."""
    return f"{FULL_LENGTH:,} frames, {FULL_LENGTH * INTERVAL_S / 3600:.0f} h"
