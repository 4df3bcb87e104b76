"""The sections of docs/models.md on past frames, neighbouring slices and training at the first attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.models_words import machine_words, markdown

Results = Mapping[str, Any]


def context(results: Results) -> str:
    """What the frames before are worth, still and moving, and how much of them shows."""
    rows = [
        (
            scene,
            _gain(found["with past"]),
            f"{found['with past']['share_before']['causal']:.3f}",
            f"{found['with past']['share_before']['single']:.3f}",
            _gain(found["without past"]),
        )
        for scene, found in results["scenes"].items()
    ]
    heads = (
        "between frames",
        f"{results['causal']} over {results['single']}, dB (95 %)",
        "share of the frame before in it",
        f"in {results['single']}",
        "without any past, dB (95 %)",
    )
    note = (
        f"{results['frames']} specimens of {results['size_px']}x{results['size_px']} px, "
        f"median box sum {results['box_sum']:g}, seed {results['seed']}; {machine_words(results['machine'])}."
    )
    return f"{markdown(heads, rows)}\n\n{note}"


def _gain(found: Results) -> str:
    low, high = found["gain_db_interval_95"]
    return f"{found['gain_db']:+.2f} ({low:+.2f} to {high:+.2f})"


def stacks(results: Results) -> str:
    """What the slices below and above are worth."""
    rows = [
        (level, f"{found['psnr_db']['2D']:.2f}", f"{found['psnr_db']['2.5D']:.2f}", _gain(found))
        for level, found in results["levels"].items()
    ]
    heads = (
        "photons a box in the fullest slice",
        "own slice alone, dB",
        "with those below and above, dB",
        "gain, dB (95 %)",
    )
    recipe = results["recipe"]
    note = (
        f"{results['stacks']} held-out stacks of {results['size_px']}x{results['size_px']} px, each of which "
        f"counts as one; both networks learned for {recipe['steps']} steps from the same {recipe['fields']} "
        f"slices; seed {recipe['seed']}; {machine_words(results['machine'])}."
    )
    return f"{markdown(heads, rows)}\n\n{note}"


def several(results: Results) -> str:
    """The model that learned several structures, structure by structure, beside the one that learned one."""
    rows = []
    for part in results["structures"]:
        by_name = {row["method"]: row for row in part["rows"]}
        ours, single = (by_name[results[role]] for role in ("several", "single"))
        filtered = next(row for row in part["rows"] if row["kind"] == "filter")
        # `against` is the other's value less ours.
        against_single = single["against"]["psnr"]
        low, high = against_single["interval_95"]
        rows.append(
            (
                part["structure"],
                "yes" if part["structure"] in results["learned"] else "no",
                str(part["frames"]),
                f"{ours['metrics']['psnr']['value']:.2f}",
                f"{-against_single['difference']:+.2f} ({-high:+.2f} to {-low:+.2f})",
                f"{-filtered['against']['psnr']['difference']:+.2f}",
                _share(ours, "coverage_foreground"),
                _share(single, "coverage_foreground"),
                f"{part['guard']['flagged']} of {part['frames']}",
            )
        )
    heads = (
        "structure",
        "trained on it",
        "n",
        "PSNR, dB",
        f"over {results['single']}, dB (95 %)",
        f"over {filtered['method']}, dB",
        "its 90 % covers of the foreground",
        f"those of {results['single']} cover",
        "flagged by the range guard",
    )
    return (
        f"{markdown(heads, rows)}\n\nMedian box sum {results['box_sum']:g}, {results['size_px']}x"
        f"{results['size_px']} px, seed {results['seed']}; {machine_words(results['machine'])}."
    )


def _share(row: Results, name: str) -> str:
    value = row["metrics"].get(name, {}).get("value")
    return "-" if value is None else f"{100 * value:.0f} %"


def seeds(results: Results) -> str:
    """How many short trainings converged."""
    recipe = results["recipe"]
    failed = [
        f"seed {run['seed']}: {run.get('why', 'no gain')}" for run in results["runs"] if not run["converged"]
    ]
    listed = f" Not: {'; '.join(failed)}." if failed else ""
    return (
        f"**{results['converged']} of {results['of']}** short trainings converged ({recipe['steps']} steps "
        f"of {recipe['batch']} patches of {recipe['patch_px']} px, peak learning rate "
        f"{recipe['learning_rate']:g}, other weights, specimens and noise each).{listed}"
    )
