"""What the records of the study say: stops, delays, false alarms, forecasts, each of one run or of many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import beta, binom

from bench.guards_store import Record
from streamer.core import Status, Verdict
from streamer.pipeline import policy
from streamer.profile import HardwareProfile

#: Draws of the bootstrap over runs, and its seed.
DRAWS, SEED = 10_000, 5
#: Runs below which a bootstrap over them says nothing.
BOOTSTRAP_RUNS = 6

#: How the names of such values end.
OF_LIMIT = "_of_limit"

Responses = Mapping[str, Mapping[str, str]]


def statuses(record: Record, guard: str) -> list[Status]:
    """[frame] what a guard said in a run."""
    changes = record["guards"].get(guard, [[0, "pass"]])
    ends = [*(first for first, _ in changes[1:]), record["frames"]]
    return [status for (first, status), end in zip(changes, ends, strict=True) for _ in range(first, end)]


def told_apart(verdict: Verdict) -> Iterator[tuple[str, Status]]:
    """What a guard says, and whether each value passes a limit of its own, if it has, as `guard: kind`."""
    yield verdict.guard, verdict.status
    for name, value in verdict.values.items():
        kind = name.removesuffix(OF_LIMIT)
        if kind != name:
            yield f"{verdict.guard}: {kind}", "flag" if value >= 1.0 else "pass"


def stop_of(record: Record, profile: HardwareProfile, responses: Responses | None = None) -> int | None:
    """Frame at which the policy stops the run; None where it does not.

    Args:
        record: of the run.
        profile: with the settings of the policy, and its reactions where `responses` is None.
        responses: as `streamer.pipeline.policy.step` takes them.
    """
    asked: Any = responses or profile.guards.actions.model_dump()
    settings = profile.policy.model_dump(exclude={"planned_frames"})
    state = policy.start()
    for seq, verdicts in enumerate(_verdicts(record, asked)):
        state, decision = policy.step(state, verdicts, responses=asked, **settings)
        if decision.action == "stop":
            return seq
    return None


def _verdicts(record: Record, responses: Responses) -> Iterator[tuple[Verdict, ...]]:
    """The verdicts of the guards that may ask for something, frame by frame."""
    asking = [name for name, each in responses.items() if {"stop", "pause", "adjust"} & set(each.values())]
    said = {name: statuses(record, name) for name in asking if name in record["guards"]}
    for row in zip(*said.values(), strict=True):
        yield tuple(
            Verdict(guard=name, status=status, measured=None, limit=None, meaning="")
            for name, status in zip(said, row, strict=True)
        )


def first_after(record: Record, guards: Sequence[str], least: Status = "flag") -> int | None:
    """Frames from the event until one of the guards says so, 0 for the frame itself; None where none does."""
    told = ("reject",) if least == "reject" else ("flag", "reject")
    onset = record["onset"] or 0
    found = [
        seq - onset
        for guard in guards
        for seq, status in enumerate(statuses(record, guard))
        if seq >= onset and status in told
    ]
    return min(found, default=None)


def alarms(record: Record, guard: str, status: Status) -> int:
    """Frames of a run with this status."""
    return sum(one == status for one in statuses(record, guard))


def oracle_of(record: Record) -> float:
    """Frame at which the prediction becomes no better than at the model's floor; nan where none can be told.

    Each sampled frame is predicted twice, from its photons and from the floor's on the same specimen at the
    same moment, so that what the specimen does is in both. The difference of their SSIM against the truth, a
    straight line of the frame's number near the end, passes zero there.
    """
    samples, life = record["samples"], record["life"]
    rows = [
        (seq / life, real - at_floor)
        for seq, real, at_floor in zip(samples["seq"], samples["ssim"], samples["ssim_at_floor"], strict=True)
        if real is not None and at_floor is not None and seq > 0.7 * life
    ]
    slope, start = np.polyfit(*np.array(rows).T, 1)
    crossing = -start / slope if slope < 0 else math.nan
    return float(crossing * life) if 0.5 < crossing < 1.6 else math.nan


def forecast_of(record: Record) -> tuple[float, bool]:
    """Relative error of the frames left at half of the true life, and whether their interval holds it."""
    told, left = record["forecast"], record["life"] - record["life"] // 2
    low, middle, high = (
        told.get(name, math.inf) for name in ("frames_left_low", "frames_left", "frames_left_high")
    )
    return abs(middle / left - 1), low - 1 <= left <= high + 1


def at_most(count: int, of: int) -> float:
    """One-sided 95 % upper bound of a share (Clopper and Pearson, Biometrika 26, 404 (1934))."""
    return 1.0 if count >= of else float(beta.ppf(0.95, count + 1, of - count))


def at_least(count: int, of: int) -> float:
    """One-sided 95 % lower bound of a share."""
    return 0.0 if count <= 0 else float(beta.ppf(0.05, count, of - count + 1))


def exact(count: int, of: int) -> dict[str, Any]:
    """A share with its two-sided 95 % interval."""
    if not of:
        return {"n": 0}
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, of - count + 1))
    high = 1.0 if count == of else float(beta.ppf(0.975, count + 1, of - count))
    return {
        "n": of,
        "count": count,
        "share": round(count / of, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def median_of(values: Sequence[float]) -> dict[str, Any]:
    """n, median and largest; from 6 runs on with the exact 95 % interval of the median, by ranks."""
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return {"n": 0}
    found = {"median": float(np.median(finite)), "max": finite[-1]}
    beyond = int(binom.ppf(0.025, len(finite), 0.5))
    if beyond:
        found |= {"low": finite[beyond - 1], "high": finite[-beyond]}
    return {"n": len(finite), **{name: round(value, 4) for name, value in found.items()}}


def pooled(counts: Sequence[int], frames: Sequence[int]) -> dict[str, Any]:
    """Share of all frames of all runs; from 6 runs on with the 95 % interval by bootstrap over runs."""
    number, length = np.array(counts), np.array(frames)
    if not length.sum():
        return {"n": 0}
    found = {"share": float(number.sum() / length.sum())}
    if number.size >= BOOTSTRAP_RUNS:
        chosen = np.random.default_rng(SEED).integers(0, number.size, (DRAWS, number.size))
        drawn = number[chosen].sum(axis=1) / np.maximum(length[chosen].sum(axis=1), 1)
        found["low"], found["high"] = np.quantile(drawn, [0.025, 0.975]).tolist()
    return {"n": number.size, **{name: round(value, 6) for name, value in found.items()}}


def rate_of(counts: Sequence[int], frames: Sequence[int]) -> dict[str, Any]:
    """Frames per 1,000 as `pooled` has them, and how many runs have any."""
    if not counts:
        return {"n": 0}
    share = pooled(counts, frames)
    found: dict[str, float] = {key: round(1e3 * share[key], 3) for key in ("low", "high") if key in share}
    return {
        "n": len(counts),
        "frames": sum(frames),
        "per_1000": round(1e3 * share["share"], 3),
        **found,
        "runs": exact(sum(count > 0 for count in counts), len(counts)),
    }
