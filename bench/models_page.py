"""docs/models.md from the numbers in bench/results: python -m bench.models_page"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.models_words import (
    REQUIRED_BASELINES,
    between,
    cell,
    machine_words,
    markdown,
    name_of,
    percent,
    reached,
    standing_of_ours,
)
from bench.real_page import real
from bench.training_page import context, seeds, several, stacks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "models.md"
#: The page without its numbers; a comment marks where each section goes.
TEMPLATE = ROOT / "bench" / "models.md"
RESULTS = ROOT / "bench" / "results"
NOT_MEASURED = "Not measured yet: `python -m bench.{name}`."
#: Of the table: measure, heading, decimals.
COLUMNS = (("psnr", "PSNR, dB", 2), ("ssim", "SSIM", 3), ("frc_nm", "FRC, nm", 1))
KEPT_HERE = "pixels_kept_at_1_percent"
#: Pictures that the runs draw.
CROPS = "![One specimen at each photon level: raw, denoised, truth](images/models-crops.png)"
CURVES = (
    "![Faint structure lost against empty field drawn; Fourier ring correlation](images/models-curves.png)"
)
COVERAGE = "![Share of pixels within the 90 % intervals](images/models-coverage.png)"

Results = Mapping[str, Any]


def page(results: Path = RESULTS) -> str:
    """The page as the template and the results make it."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for file, sections in SECTIONS.items():
        found = _load(results / f"{file}.json")
        for name, section in sections.items():
            said = NOT_MEASURED.format(name=file) if found is None else section(found)
            text = text.replace(f"<!-- {name} -->", said)
    return text


def _load(path: Path) -> Results | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def run(results: Results) -> str:
    """When, where and on what the numbers were made."""
    quick = " **A quick run: no measurement.**" if results["quick"] else ""
    return (
        f"{results['date']}, {results['frames']} specimens of {results['size_px']}x{results['size_px']} px "
        f"at each level, seed {results['seed']}; filters tuned on {results['tuning']['frames']} others; "
        f"{machine_words(results['machine'])}.{quick}"
    )


def best(results: Results) -> str:
    """Whether ours is best or equal-best, by level and measure."""
    heads = ("median box sum", *(head for _, head, _ in COLUMNS))
    rows = [
        (f"{level['box_sum']:g}", *(standing_of_ours(level["rows"], name) for name, _, _ in COLUMNS))
        for level in results["levels"]
    ]
    missing = [name for name in REQUIRED_BASELINES if name not in _methods(results)]
    note = f"\n\n**Not complete:** this run had no {' and no '.join(missing)}." if missing else ""
    return markdown(heads, rows) + note


def table(results: Results) -> str:
    """One table for each level: every method with interval and paired verdict."""
    return "\n\n".join([*(_level_table(level) for level in results["levels"]), CROPS])


def _level_table(level: Results) -> str:
    heads = ("method", "setting", *(f"{head} (95 %)" for _, head, _ in COLUMNS))
    rows = [
        (
            name_of(row),
            row["setting"],
            *(_judged(row, name, digits) for name, _, digits in COLUMNS),
        )
        for row in level["rows"]
    ]
    return f"**Median box sum {level['box_sum']:g} photons**\n\n{markdown(heads, rows)}"


def _judged(row: Results, name: str, digits: int) -> str:
    """Value, interval, and how it stands against ours."""
    said = cell(row["metrics"][name], digits)
    return said if row["kind"] == "ours" else f"{said} {row['against'][name]['standing']}"


def resolution(results: Results) -> str:
    """FRC and rolling FRC of ours over those of two reference frames, level by level."""
    rows = []
    for level in results["levels"]:
        ours = _ours(level["rows"])
        found, states = ours["metrics"]["frc_ratio"], ours["frc_states"]["prediction"]
        crossing = f"{states['resolved']} of {sum(states.values())}"
        rolling = ours["metrics"]["rolling_frc_ratio"]
        rows.append(
            (
                f"{level['box_sum']:g}",
                cell(found, 3),
                crossing,
                reached(found["value"], high=1.10),
                cell(rolling, 3),
                reached(rolling["value"], high=1.10),
            )
        )
    heads = (
        "median box sum",
        "FRC ratio (95 %)",
        "frames with a crossing",
        "asked: at most 1.10",
        "rolling FRC ratio (95 %)",
        "asked: at most 1.10",
    )
    return markdown(heads, rows)


def dark(results: Results) -> str:
    """What is drawn on nothing, and what is kept of what is faint, of every method at the first level."""
    level = results["levels"][0]
    rows = [
        (
            name_of(row),
            percent(row["metrics"]["empty_false"]),
            percent(row["metrics"]["dark_false"]),
            percent(row["metrics"]["faint_kept"]),
            f"{percent(row['metrics'][KEPT_HERE])} {_verdict_of(row)}",
        )
        for row in level["rows"]
    ]
    heads = (
        "method",
        "empty field drawn",
        "dark field drawn",
        "faint structure kept",
        "kept, pixel by pixel, at 1 % drawn",
    )
    drawn = {at["box_sum"]: _ours(at["rows"])["metrics"]["empty_false"] for at in results["levels"]}
    verdicts = [
        f"at {box_sum:g} photons {percent(found)}, {reached(found['value'], high=0.01)}"
        for box_sum, found in drawn.items()
    ]
    said = f"Asked: at most 1 % of an empty field drawn. Found {'; '.join(verdicts)}."
    return f"{said}\n\n{markdown(heads, rows)}\n\n{CURVES}"


def _verdict_of(row: Results) -> str:
    return "" if row["kind"] == "ours" else str(row["against"][KEPT_HERE]["standing"])


def intensity(results: Results) -> str:
    """Slope and correlation of true and predicted photons of ours, level by level."""
    rows = []
    for level in results["levels"]:
        metrics = _ours(level["rows"])["metrics"]
        slope, r = metrics["intensity_slope"], metrics["intensity_r"]
        rows.append(
            (
                f"{level['box_sum']:g}",
                cell(slope, 3),
                reached(slope["value"], low=0.95, high=1.05),
                cell(r, 3),
                reached(r["value"], low=0.95),
            )
        )
    return markdown(("median box sum", "slope (95 %)", "asked: 0.95-1.05", "r (95 %)", "asked: 0.95"), rows)


def coverage(results: Results) -> str:
    """Coverage of the 90 % intervals of ours at every level and structure."""
    places = [(f"ER, {level['box_sum']:g} photons", level["rows"]) for level in results["levels"]]
    places += [(part["structure"], part["rows"]) for part in results["structures"]]
    rows = []
    for where, found in places:
        metrics = _ours(found)["metrics"]
        if "coverage_all" in metrics:
            shown = [metrics[f"coverage_{part}"] for part in ("foreground", "background", "all")]
            rows.append((where, *(percent(each) for each in shown), _covered(shown[0], shown[2])))
    if not rows:
        return "**Not reached:** the package states no uncertainty."
    heads = ("specimens", "foreground", "background", "all pixels", "foreground and all: 85-95 %")
    return f"{markdown(heads, rows)}\n\n{COVERAGE}"


def _covered(*found: Results) -> str:
    """Whether every share is as asked."""
    said = {reached(each["value"], 0.85, 0.95) for each in found}
    return said.pop() if len(said) == 1 else reached(None)


def structures(results: Results) -> str:
    """Ours on other structures beside the filter that stands for all, and the range guard's opinion."""
    if not results["structures"]:
        return "Not measured in this run."
    learned = _learned(results["packages"])
    rows = []
    for part in results["structures"]:
        ours = _ours(part["rows"])
        filtered = next(row for row in part["rows"] if row["kind"] == "filter")
        guard = part["guard"]
        rows.append(
            (
                part["structure"],
                "yes" if part["structure"] in learned else "no",
                str(part["frames"]),
                cell(ours["metrics"]["psnr"], 2),
                cell(filtered["metrics"]["psnr"], 2),
                f"{-filtered['against']['psnr']['difference']:+.2f}",
                between(ours["metrics"]["intensity_slope"]["value"], 2),
                between(ours["metrics"]["frc_ratio"]["value"], 2),
                f"{guard['flagged']} of {part['frames']}",
            )
        )
    heads = (
        "structure",
        "trained on it",
        "n",
        "ours, PSNR dB (95 %)",
        f"{filtered['method']}, PSNR dB",
        "ours over it, dB",
        "slope",
        "FRC ratio",
        "flagged by the range guard",
    )
    said = sorted({words for part in results["structures"] for words in part["guard"]["said"]})
    quoted = f"\n\nWhat the guard says: {'; '.join(said)}." if said else ""
    quoted += " So it spoke on the day of these results; its present rates are in [guards](guards.md#range)."
    return f"{markdown(heads, rows)}{quoted}\n\n{_failures(results['structures'])}"


def _learned(packages: Sequence[Results]) -> Sequence[str]:
    """Structures that ours was trained on; recipes of one structure may not name it."""
    ours = next((package for package in packages if package["kind"] == "ours"), None)
    recipe = ours["training"].get("recipe", {}) if ours else {}
    found: Sequence[str] = recipe.get("structures", ["er"])
    return found


def _failures(parts: Sequence[Results]) -> str:
    """Where a filter does as well, and whether the guard warned."""
    failed = [
        part
        for part in parts
        if any(
            row["kind"] == "filter" and row["against"]["psnr"]["difference"] >= 0.0 for row in part["rows"]
        )
    ]
    if not failed:
        return "On none of these structures does the filter come up to the network."
    said = [
        f"{part['structure']} (flagged: {part['guard']['flagged']} of {part['frames']})" for part in failed
    ]
    return f"**Where the filter does as well or better:** {', '.join(said)}."


def training(results: Results) -> str:
    """How each network was made."""
    rows = []
    for package in results["packages"]:
        record = package["training"]
        recipe, made = record.get("recipe", {}), record.get("made_with", {})
        trained = package["trained_box_sum"]
        rows.append(
            (
                package["method"],
                f"`{record.get('command', 'unknown')}`",
                str(recipe.get("steps", "unknown")),
                str(made.get("minutes of training", "unknown")),
                "unknown" if trained is None else f"{trained[0]:g}-{trained[1]:g}",
                f"`{package['weights_sha256'][:12]}`",
            )
        )
    return markdown(("method", "command", "steps", "minutes", "median box sums", "weights"), rows)


def _ours(rows: Sequence[Results]) -> Results:
    return next(row for row in rows if row["kind"] == "ours")


def _methods(results: Results) -> Iterator[str]:
    return (row["method"] for row in results["levels"][0]["rows"])


SECTIONS: Mapping[str, Mapping[str, Callable[[Results], str]]] = {
    "models": {
        "run": run,
        "best": best,
        "table": table,
        "resolution": resolution,
        "dark": dark,
        "intensity": intensity,
        "coverage": coverage,
        "structures": structures,
        "training": training,
    },
    "several": {"several": several},
    "real": {"real": real},
    "context": {"context": context},
    "stacks": {"stacks": stacks},
    "seeds": {"seeds": seeds},
}

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
