"""What docs/models.md says of the real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.models_words import cell, machine_words, markdown, name_of, standing_of_ours

Results = Mapping[str, Any]
#: The picture that `bench.real` draws.
REAL = "![A tenth of the photons, denoised, and the other nine tenths](images/models-real.png)"


def real(results: Results) -> str:
    """Whether the values are counts, the table, and the verdict."""
    quick = " **A quick run: no measurement.**" if results["quick"] else ""
    recipe = results["recipe"]
    stated = (
        f"{results['date']}; each network {recipe['steps']} steps of {recipe['batch']} patches of "
        f"{recipe['patch_px']} px, both together {results['minutes_both_trainings']:g} minutes; "
        f"{machine_words(results['machine'])}.{quick}"
    )
    heads = ("method", "less error than the raw tenth, dB (95 %)", "deviance per pixel", "FRC, pixels")
    rows = [
        (
            name_of(row),
            _real_cell(row, "gain_db", 2),
            _real_cell(row, "deviance", 3),
            _real_cell(row, "frc_px", 2),
        )
        for row in results["rows"]
    ]
    return "\n\n".join(
        (_counts(results["images"]), markdown(heads, rows), _real_verdict(results), REAL, stated)
    )


def _counts(images: Sequence[Results]) -> str:
    """What speaks for or against photon counts."""
    passed = sum(image["are_counts"] for image in images)
    ratios = [image["noise_ratio"] for image in images]
    bright = [image["noise_ratio_bright"] for image in images]
    verdict = (
        "Thinning is exact for such values."
        if passed == len(images)
        else "**For the others thinning is an approximation.**"
    )
    return (
        f"{passed} of {len(images)} images pass as photon counts: whole numbers from 0 on in steps of 1, and "
        f"pixel-to-pixel noise of {min(ratios):.2f}-{max(ratios):.2f} times what counting "
        f"gives, {min(bright):.2f}-{max(bright):.2f} times in the brightest tenth of each image. {verdict}"
    )


def _real_cell(row: Results, name: str, digits: int) -> str:
    said = cell(row[name], digits)
    return said if row["kind"] == "ours" else f"{said} {row['against'][name]['standing']}"


def _real_verdict(results: Results) -> str:
    """How ours stands against raw, filters and the other self-trained network."""
    names = {"gain_db": "error", "deviance": "deviance", "frc_px": "FRC"}
    parts = [f"{words}: {standing_of_ours(results['rows'], name)}" for name, words in names.items()]
    return f"The network that learned from thinned photons, by {'; by '.join(parts)}."
