"""What docs/guards.md says of the study: words and tables from its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.guards_movies import CASES, FADE_PX, FULL_LENGTH, LONG_PX, SMALL_PX, Case
from bench.models_words import machine_words, markdown

Results = Mapping[str, Any]

#: Where the page of the guards holds what is made here.
BEGIN, END = "<!-- study -->", "<!-- end of the study -->"
SIDES = {"fading": FADE_PX, "fading_small": LONG_PX, "fading_hard": LONG_PX}
GOAL = "with one false stop they still show at most 5 %"
ORACLE = (
    "The oracle stops where the prediction becomes no better than at the floor on the same specimen at the "
    "same moment. Kept are frames that no guard which stops a run rejects; one may have flagged them. "
    "Medians over runs, with 95 % intervals; *pooled* is the share of the frames of all runs together, its "
    "interval by bootstrap over runs."
)
HARD = (
    "Haze is light from out of focus. The camera's read noise is 5 electrons in a box, where structure "
    "gives 24 to 33 photons at the start; with 13, as of most cameras, the network itself fails. The "
    "floor is of all light. These runs are in no other number."
)
ABLATION = (
    "What would stop the run, were only this guard, or the two rules of Rahm et al., allowed to ask for it: "
    "runs stopped, at which frame after it began (median), and how many of them before it began. These need "
    "no stop: healthy, blur, move, other. The paper's signal map rejects a frame without a box above 25 "
    "photons. Its similarity is SSIM of neighbouring predictions over the whole frame, held against a movie "
    "of the dark detector. The paper gives neither its range nor a limit: here the range is 2 photons a "
    "pixel for all frames, and the limit tells dark from healthy movies best, none of them the run "
    "that is judged."
)
ALARMS = (
    "Alarms in healthy runs. `scene: drift` and the like are what `scene` flags frames for; of drift it is "
    "no error where the specimen has truly moved so far."
)


def page(results: Results) -> str:
    """The tables of the study in Markdown."""
    parts = [_asked(results), _beforehand(results), ORACLE]
    if results["fading"] or results["fading_small"]:
        parts.append(_fading(results, ("fading", "fading_small")))
    if results["fading_hard"]:
        parts += [HARD, _fading(results, ("fading_hard",))]
    parts += [_scenarios(results), f"{ABLATION} {_limit(results)}", _alone(results)]
    parts += [ALARMS, _alarms(results)]
    if "time" in results:
        parts += ["All guards that look at every frame, on one core:", _time(results["time"])]
    parts.append(f"{results['date']}; {machine_words(results['machine'])}.")
    return "\n\n".join(parts)


def _beforehand(results: Results) -> str:
    """What was fixed before there was a result."""
    goal, gone = results["goals"]["long-healthy"], CASES["gone-shutter"]
    return (
        f"That {goal} healthy runs of full length would be judged was fixed before the first, since {GOAL}: "
        "their number does not follow from what they showed. All that is gone at once goes at "
        f"{_onsets(gone)}, in fields of {gone.size_px}x{gone.size_px}; later losses of such were not tried."
    )


def _onsets(case: Case) -> str:
    """In which frames something may begin."""
    first = case.onset or 0
    return f"one of frames {first}-{first + case.onsets - 1}" if case.onsets > 1 else f"frame {first}"


def put_into(text: str, results: Results) -> str:
    """A page with its part about the study made anew.

    Raises:
        ValueError: the page does not say where that part begins and ends.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{page(results)}\n{END}{after}"


def _asked(results: Results) -> str:
    """What was asked for, and what was found."""
    stops, gone = results["false_stops"], results["gone_at_once"]["told"]
    rows = [
        (
            f"signal gone at once, {SMALL_PX}x{SMALL_PX}, is told within 3 frames, 99 %",
            _of(gone, "at_least", "at least"),
            str(gone["n"]),
        ),
        (
            f"false stops, healthy, {FULL_LENGTH:,} frames, {LONG_PX}x{LONG_PX}, at most 5 %",
            _of(stops, "at_most", "at most"),
            str(stops["n"]),
        ),
    ]
    for kind in ("fading", "fading_small"):
        if results[kind]:
            rows += _faded(results[kind]["all"], f"{SIDES[kind]}x{SIDES[kind]}")
    return markdown(("asked", "found", "n"), rows)


def _of(row: Results, bound: str, words: str) -> str:
    if not row["n"]:
        return "not measured with the guards as they are"
    return f"{row['count']} of {row['n']}, {words} {row[bound]:.1%}"


def _faded(row: Results, field: str) -> list[tuple[str, str, str]]:
    covers, runs = row["forecast_covers"], str(row["oracle_known"]["n"])
    by_plan, by_oracle = row["off_share_of_plan"], row["off_share_of_oracle"]
    kept, good = (_both(row, f"unusable_{name}") for name in ("kept", "unflagged"))
    return [
        (
            f"bleaching, {field}: stop within 3 % of {FULL_LENGTH:,} frames of the oracle's",
            f"off by {_percent(by_plan)} of the {FULL_LENGTH:,} frames planned; "
            f"late by {_percent(by_oracle)} of the oracle's own frame",
            runs,
        ),
        (
            "unusable frames, at most 5 % of those kept as good",
            f"of those not flagged {good}; of all kept {kept}",
            runs,
        ),
        ("dose saved, of what the oracle saves", _percent(row["saved"]), runs),
        (
            "forecast at half of the life, within 10 %, 90 % interval covers 85-95 %",
            f"off by {_percent(row['forecast_error'])}; covers {covers['count']} of {covers['n']} "
            f"({covers['low']:.0%}-{covers['high']:.0%})",
            str(covers["n"]),
        ),
    ]


def _percent(row: Results) -> str:
    ends = f" ({row['low']:.1%} to {row['high']:.1%})" if "low" in row else ""
    return f"{row['median']:.1%}{ends}" if row["n"] else "-"


def _both(row: Results, name: str) -> str:
    """A share in the median of the runs, and of all their frames."""
    return f"{_percent(row[name])}, pooled {_pooled(row[f'{name}_pooled'])}"


def _pooled(row: Results) -> str:
    ends = f" ({row['low']:.1%} to {row['high']:.1%})" if "low" in row else ""
    return f"{row['share']:.1%}{ends}" if row["n"] else "-"


def _scenarios(results: Results) -> str:
    heads = (
        "what happens",
        "stopped",
        "frames to the stop",
        "to the first word of a guard that stops",
        "of any",
    )
    rows = [
        (
            _where(row["tells"], CASES[name]),
            _share(row["stopped"]),
            _median(row.get("stop_delay")),
            _median(row.get("stopping_guard")),
            _median(row.get("any_guard")) if row["every_guard"] else "-",
        )
        for name, row in results["delays"].items()
        if not CASES[name].life
    ]
    return markdown(heads, rows)


def _where(tells: str, case: Case) -> str:
    began = f", from {_onsets(case)} on" if case.onset else ""
    return f"{tells} ({case.size_px} x {case.size_px}{began})"


def _fading(results: Results, kinds: tuple[str, ...]) -> str:
    heads = (
        "light to the floor",
        "field",
        "stop less oracle, of the oracle's frame",
        f"off, of the {FULL_LENGTH:,} planned",
        "unusable of those kept",
        "pooled",
        "of those not flagged",
        "pooled",
        "dose saved, of the oracle's",
        "forecast off by",
        "90 % interval covers",
    )
    rows = [
        (
            name.removeprefix("small-").removeprefix("fade-"),
            f"{SIDES[kind]} x {SIDES[kind]}",
            _median(row["off_share_of_oracle"], percent=True),
            _median(row["off_share_of_plan"], percent=True),
            _median(row["unusable_kept"], percent=True),
            _pooled(row["unusable_kept_pooled"]),
            _median(row["unusable_unflagged"], percent=True),
            _pooled(row["unusable_unflagged_pooled"]),
            _median(row["saved"], percent=True),
            _median(row["forecast_error"], percent=True),
            _share(row["forecast_covers"]),
        )
        for kind in kinds
        for name, row in results[kind].items()
    ]
    return markdown(heads, rows)


def _alarms(results: Results) -> str:
    heads = ("guard", "field", "flagged per 1,000", "rejected per 1,000", "frames", "runs")
    rows = []
    for name, guards in results["false_alarms"].items():
        side = CASES[name].size_px
        field = f"{side} x {side}"
        for guard, each in guards.items():
            flag, reject = each["flag"], each["reject"]
            rows.append((guard, field, _rate(flag), _rate(reject), f"{flag['frames']:,}", str(flag["n"])))
    return markdown(heads, rows)


def _alone(results: Results) -> str:
    cases = list(results["told_after"])
    heads = ("asked by", *(name.removeprefix("all-") for name in cases))
    rows = [
        (label, *(_short(row.get(name)) for name in cases)) for label, row in results["alone"]["rows"].items()
    ]
    return markdown(heads, rows)


def _limit(results: Results) -> str:
    """The limit of the paper's similarity, in words."""
    limit = results["alone"]["dark_limit"]
    if limit is None:
        return "(Runs of which similarity was recorded so are still to be judged.)"
    side = "above" if limit["dark_is_higher"] else "below"
    dark, healthy = limit["errors"]
    return (
        f"From all of them it is {limit['value']:.3f}; dark frames lie {side} it but for {dark:.1%}, and "
        f"{healthy:.1%} of the healthy do, too."
    )


def _time(times: Results) -> str:
    heads = ("field", "p50 ms", "p95 ms", "p99 ms", "p50 ms of CPU", "budget ms", "frames")
    rows = [
        (
            f"{size} x {size}",
            *(f"{each['all_ms'].get(name, float('nan')):.1f}" for name in ("p50", "p95", "p99")),
            f"{each['all_cpu_ms']['p50']:.1f}",
            f"{each['budget_ms']:g}",
            str(each["all_ms"]["n"]),
        )
        for size, each in times.items()
    ]
    return markdown(heads, rows)


def _share(row: Results) -> str:
    if not row.get("n"):
        return "-"
    return f"{row['count']}/{row['n']} ({row['low']:.0%}-{row['high']:.0%})"


def _short(row: Results | None) -> str:
    if not row or not row.get("n"):
        return "-"
    delay, early = row["delay"].get("median"), f", {row['before']} early" if row["before"] else ""
    return f"{row['count']}/{row['n']}" + ("" if delay is None else f" at {delay:+.0f}") + early


def _median(row: Results | None, percent: bool = False) -> str:
    if not row or not row["n"]:
        return "-"
    style = ".1%" if percent else ".0f"
    interval = f" ({row['low']:{style}} to {row['high']:{style}})" if "low" in row else ""
    return f"{row['median']:{style}}{interval}, most {row['max']:{style}}, n={row['n']}"


def _rate(row: Results) -> str:
    interval = f" ({row['low']:.1f}-{row['high']:.1f})" if "low" in row else ""
    return f"{row['per_1000']:.1f}{interval}"
