"""What docs/guards.md says of the study: words and tables from its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.guards_movies import CASES, FULL_LENGTH, LARGE_PX, LONG_PX
from bench.models_words import machine_words, markdown

Results = Mapping[str, Any]

#: Where the page of the guards holds what is made here.
BEGIN, END = "<!-- study -->", "<!-- end of the study -->"
ORACLE = (
    "The oracle stops where the prediction becomes no better than at the floor on the same specimen at the "
    "same moment. Kept are frames that no guard which stops a run rejects; one may have flagged them. "
    "Medians over runs, with 95 % intervals."
)
ABLATION = (
    "What would stop the run, were only this guard, or the two rules of Rahm et al., allowed to ask for it: "
    "runs stopped, at which frame after it began (median), and how many of them before it began. These need "
    "no stop: healthy, blur, move, other."
)


def page(results: Results) -> str:
    """The tables of the study in Markdown."""
    parts = [_asked(results), ORACLE]
    if results["fading"] or results["fading_small"]:
        parts.append(_fading(results))
    parts += [_scenarios(results), ABLATION, _alone(results), "Alarms in healthy runs:", _alarms(results)]
    if "time" in results:
        parts += ["All guards that look at every frame, on one core:", _time(results["time"])]
    parts.append(f"{results['date']}; {machine_words(results['machine'])}.")
    return "\n\n".join(parts)


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
            "signal gone at once is told within 3 frames, 99 %",
            _of(gone, "at_least", "at least"),
            str(gone["n"]),
        ),
        (
            f"false stops, healthy, {FULL_LENGTH:,} frames, {LONG_PX}x{LONG_PX}, at most 5 %",
            _of(stops, "at_most", "at most"),
            str(stops["n"]),
        ),
    ]
    for kind, side in (("fading", LONG_PX), ("fading_small", LARGE_PX)):
        if results[kind]:
            rows += _faded(results[kind]["all"], f"{side}x{side}")
    return markdown(("asked", "found", "n"), rows)


def _of(row: Results, bound: str, words: str) -> str:
    if not row["n"]:
        return "not measured with the guards as they are"
    return f"{row['count']} of {row['n']}, {words} {row[bound]:.1%}"


def _faded(row: Results, field: str) -> list[tuple[str, str, str]]:
    covers, runs = row["forecast_covers"], str(row["oracle_known"]["n"])
    by_plan, by_oracle = row["off_share_of_plan"], row["off_share_of_oracle"]
    kept, good = row["unusable_kept"], row["unusable_unflagged"]
    return [
        (
            f"bleaching, {field}: stop within 3 % of {FULL_LENGTH:,} frames of the oracle's",
            f"off by {_percent(by_plan)}; {_percent(by_oracle)} of the oracle's frame",
            runs,
        ),
        (
            "unusable frames, at most 5 % of those kept as good",
            f"of those not flagged {_percent(good)}; of all kept {_percent(kept)}",
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
            f"{row['tells']} ({CASES[name].size_px} x {CASES[name].size_px})",
            _share(row["stopped"]),
            _median(row.get("stop_delay")),
            _median(row.get("stopping_guard")),
            _median(row.get("any_guard")) if row["every_guard"] else "-",
        )
        for name, row in results["delays"].items()
        if not CASES[name].life
    ]
    return markdown(heads, rows)


def _fading(results: Results) -> str:
    heads = (
        "light to the floor",
        "field",
        "stop less oracle, of the oracle's frame",
        "off, of 5,480",
        "unusable of those kept",
        "of those not flagged",
        "dose saved, of the oracle's",
        "forecast off by",
        "90 % interval covers",
    )
    rows = [
        (
            name.removeprefix("small-").removeprefix("fade-"),
            f"{side} x {side}",
            _median(row["off_share_of_oracle"], percent=True),
            _median(row["off_share_of_plan"], percent=True),
            _median(row["unusable_kept"], percent=True),
            _median(row["unusable_unflagged"], percent=True),
            _median(row["saved"], percent=True),
            _median(row["forecast_error"], percent=True),
            _share(row["forecast_covers"]),
        )
        for kind, side in (("fading", LONG_PX), ("fading_small", LARGE_PX))
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
