"""Does the trust probability tell what networks invent from what is there, and is it as right as it says?

    python -m bench.trust --out bench/results/trust.json --pictures docs/images
    python -m bench.trust --quick
    python -m bench.trust --only-fit

Fields hold structure, faint structure and nothing, with light from out of focus, at 4 to 84 photons a box;
the shipped live networks denoise and segment them. A drawn pixel is hallucinated where it lies farther than
one resolution length from any true structure: the full width at half maximum of the exposure's point spread
function, 70 nm at the test's depletion power. The model is fitted to specimens, regions and photons of the
training range, and judged, as `streamer.guards.belief` ships it, on others of the wider test range;
`--only-fit` prints what to write there, without a look at the test. For intervals fields are resampled, not
pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bench.measure import machine
from bench.trust_measures import (
    FLOOR,
    LEVELS,
    Judged,
    ablation,
    by_level,
    discrimination,
    fitted,
    frames_calibrated,
    judged,
    pixels_calibrated,
    rounded,
    spread,
)
from bench.trust_pictures import draw_field, draw_reliability
from streamer.analysis import held_out
from streamer.analysis.mixed_fields import RANGES, Split, mixed_field
from streamer.apps.compose import Composer, ModelSettings, load_models
from streamer.core import Frame, Result
from streamer.guards.belief import LEAST_DRAWN, SHIPPED, SPREAD, expected_share
from streamer.profile import load_profile
from streamer.simulation import Scene, sample_settings

CONSOLE = Console(stderr=True)

PROFILE = "abberior_er_low"
#: Fewer fields show that it works and measure nothing.
FULL_FIT, FULL_TEST, FULL_OTHER = 160, 200, 16
FIELD_PX = 400
#: First seeds: of the fit, and of the test. Those of different ranges share nothing in any case.
FIT_SEED, TEST_SEED = 100_000, 500_000
OTHERS = ("microtubules", "mitochondria", "actin-rings", "puncta")
#: Levels of healthy fields, of which the guard should flag none.
HEALTHY = (FLOOR, 12.0, 25.0)
#: The default of the guard.
FLAG_BELOW = 0.8


class Networks:
    """The shipped live networks as a run has them."""

    def __init__(self, threads: int) -> None:
        models = load_models(ModelSettings(threads=threads))
        self._stages = Composer(load_profile(PROFILE), models).stages(planned=1)

    def __call__(self, counts: NDArray[np.uint16]) -> Result:
        """Denoise and segment [y, x] counts."""
        return self._stages.segment(self._stages.denoise(Frame(pixels=counts, seq=0)))


def look(
    networks: Networks, split: Split, seeds: range, size_px: int, structure: str = "er"
) -> Iterator[Judged]:
    """Simulate fields of these seeds, let the networks draw, and judge what they drew."""
    low, high = LEVELS[0], LEVELS[-1]
    for seed in seeds:
        level = float(low * (high / low) ** np.random.default_rng((seed, 9)).random())
        field = mixed_field(split, seed, size_px, level, structure)
        yield judged(field, networks(field.counts))


def healthy(networks: Networks, count: int, size_px: int) -> dict[str, Any]:
    """Expected shares in fields full of healthy structure, and how many would be flagged."""
    found = {}
    for level in HEALTHY:
        frames = held_out("er", count, TEST_SEED // 1_000, level, size_px)
        shares = [expected_share(networks(frame.counts.astype(np.uint16))) for frame in frames]
        stated = [share for share in shares if share is not None]
        found[f"{level:g}"] = {
            "fields": len(stated),
            "lowest": rounded(min(stated)),
            "median": rounded(np.median(stated)),
            "flagged": sum(share < FLAG_BELOW for share in stated),
        }
    return found


def empty(networks: Networks, count: int, size_px: int) -> dict[str, Any]:
    """Expected shares in fields without a cell, whatever is drawn there, and how many would be flagged."""
    drawn, shares = [], []
    for seed in range(TEST_SEED, TEST_SEED + count):
        settings, light, time_s = sample_settings("test", seed, (size_px, size_px))
        nobody = Scene(replace(settings, cell_radius_um=0.0))
        result = networks(nobody.expose(0, time_s, light).counts)
        drawn.append(np.count_nonzero(result.labels))
        share = expected_share(result)
        if share is not None and drawn[-1] >= LEAST_DRAWN:
            shares.append(share)
    return {
        "fields": count,
        "median_drawn_pixels": float(np.median(drawn)),
        "with_enough_drawn": len(shares),
        "highest": rounded(max(shares, default=float("nan"))),
        "flagged": sum(share < FLAG_BELOW for share in shares),
    }


def fit_anew(networks: Networks, count: int, size_px: int) -> tuple[list[Judged], dict[str, Any]]:
    """Fields of the training range, and what is fitted to them."""
    looks = list(look(networks, "train", range(FIT_SEED, FIT_SEED + count), size_px))
    model = fitted(looks)
    return looks, {
        "fields": count,
        "ranges": dict(RANGES["train"]),
        "model": asdict(model),
        "spread": spread(looks, model),
    }


def study(networks: Networks, sizes: tuple[int, int, int], size_px: int, seed: int) -> dict[str, Any]:
    """All numbers, from `sizes` fields for the fit, for the test, and of each other structure."""
    fits, tests, others = sizes
    fit, refitted = fit_anew(networks, fits, size_px)
    test = list(look(networks, "test", range(TEST_SEED, TEST_SEED + tests), size_px))
    CONSOLE.print(f"{tests} test fields looked at")
    kinds = {}
    for name in OTHERS:
        seen = list(look(networks, "test", range(TEST_SEED, TEST_SEED + others), size_px, name))
        calibrated = pixels_calibrated(seen, seed)
        calibrated.pop("bins")
        kinds[name] = discrimination(seen, seed) | {"calibration": calibrated}
    return {
        "fit": refitted,
        "shipped": {"model": asdict(SHIPPED), "spread": SPREAD},
        "test_ranges": dict(RANGES["test"]),
        "test": discrimination(test, seed),
        "test_if_only_labels_were_true": discrimination(test, seed, labelled=True),
        "by_photons": by_level(test, seed),
        "ablation": ablation(fit, test, seed),
        "pixels": pixels_calibrated(test, seed),
        "frames": frames_calibrated(test),
        "healthy": healthy(networks, others, size_px),
        "empty": empty(networks, others, size_px),
        "other_structures": kinds,
    }


def told(report: Mapping[str, Any]) -> Iterator[str]:
    """The numbers in lines."""
    for where, part in {
        "all": report["test"],
        "labels only": report["test_if_only_labels_were_true"],
        **report["by_photons"],
        **report["other_structures"],
    }.items():
        ranks = "; ".join(
            f"{name} {rank['auroc']} {rank['interval_95']}" for name, rank in part["auroc"].items()
        )
        ratios = "; ".join(
            f"{name} {ratio['ratio']} {ratio['interval_95']}"
            for name, ratio in part["lost_over_that_of"].items()
        )
        yield f"{where} ({part['fields']} fields, {part['hallucinated_share']} hallucinated): AUROC {ranks}"
        yield f"    1 - AUROC over that of {ratios}"
    for name, rank in report["ablation"].items():
        yield f"{name}: {rank['auroc']} {rank['interval_95']}"
    pixels, frames = report["pixels"], report["frames"]
    yield f"calibration error {pixels['expected_calibration_error']} {pixels['interval_95']}"
    for each in pixels["bins"]:
        yield f"    stated {each['stated']}, found {each['found']} {each['interval_95']}, n {each['pixels']}"
    yield f"frames: { ({name: value for name, value in frames.items() if name != 'pairs'}) }"
    yield f"healthy: {report['healthy']}; empty: {report['empty']}"


def main(
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for trust-*.png.")] = None,
    quick: Annotated[bool, typer.Option(help="Few and small fields, to see that everything runs.")] = False,
    only_fit: Annotated[bool, typer.Option(help="Print the fit and end.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Of the networks.")] = 1,
) -> None:
    """Fit, judge, print, draw."""
    networks = Networks(threads)
    sizes, size_px = ((6, 6, 3), 200) if quick else ((FULL_FIT, FULL_TEST, FULL_OTHER), FIELD_PX)
    if only_fit:
        CONSOLE.print(fit_anew(networks, sizes[0], size_px)[1])
        return
    report = {
        "quick": quick,
        "field_px": size_px,
        "machine": machine(),
        **study(networks, sizes, size_px, seed),
    }
    for line in told(report):
        CONSOLE.print(line, highlight=False)
    if out is not None:
        out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if pictures is not None:
        draw_reliability(report["pixels"], report["frames"], pictures / "trust-reliability.png")
        field = mixed_field("test", TEST_SEED - 1, size_px, HEALTHY[1])
        draw_field(field, networks(field.counts), pictures / "trust-field.png")


if __name__ == "__main__":
    typer.run(main)
