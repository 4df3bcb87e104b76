"""The README of a model package: what a user must know before trusting it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from streamer.analysis import MEASURES
from streamer.simulation import SceneSettings
from streamer.simulation.depth import STACK_PIXEL_NM, STEP_UM
from streamer.simulation.sampling import DEFAULT_BOX_SUM, RANGES
from streamer.simulation.structures import actin_rings, microtubules, mitochondria, puncta
from streamer.training.describe import Trained
from streamer.training.joint import SHIFT_MAX_PX
from streamer.training.recipe import CLASSES
from streamer.training.split import counted

#: Rows of the table; every measure stands in training.json and comes out of `streamer evaluate`.
_SHOWN = (
    *("psnr", "ssim", "ms_ssim", "mae", "nrmse", "pearson", "frc_nm", "frc_ratio"),
    *("intensity_slope", "intensity_r", "coverage_foreground", "coverage_background"),
    *("empty_false", "faint_kept"),
)
#: Share of foreground pixels below which stated 90 % intervals are called too narrow.
LEAST_COVERED = 0.85
_RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "er": RANGES["train"],
    "microtubules": microtubules.RANGES["train"],
    "mitochondria": mitochondria.RANGES["train"],
    "actin-rings": actin_rings.RANGES["train"],
    "puncta": puncta.RANGES["train"],
}


def model_card(trained: Trained) -> str:
    """Markdown of the card."""
    made = "\n".join(f"- {name}: {value}" for name, value in trained.made_with.items())
    recipe = json.dumps(asdict(trained.recipe))
    return f"""# {trained.title}

{trained.purpose} Tensors are float32 [1, channels, y, x]; all scaling is inside the network. \
{_tensor_words(trained)}

## Judged on images that trained nothing

{_results(trained)}

The curve of the training is in `training.png`; every number in `training.json`.

## What it learned from

{_data(trained)}

## How it was made

```
{trained.command}
```

{made}

Recipe (seed {trained.recipe.seed}): `{recipe}`

## Limits

{_limits(trained)}
"""


def _tensor_words(trained: Trained) -> str:
    if trained.kind == "segmenter":
        return f"It reads the denoiser's output and gives the probabilities of {', '.join(CLASSES)}."
    words = ["Input and output are photons at one dose; the output is never negative."]
    if trained.recipe.channels > 1:
        words.append(
            f"Input channels: {', '.join(trained.inputs)}: one moment on one sensor, never resampled, up to "
            f"{SHIFT_MAX_PX} pixels apart; each output holds the light of its own channel, bleed-through too."
        )
    elif len(trained.inputs) > 1:
        words.append(f"Input channels: {', '.join(trained.inputs)}; what does not exist repeats the nearest.")
    if trained.states_deviation:
        words.append(
            f"{_deviation(trained)}, scaled so that photons +- 1.645 of it cover 90 % of held-out "
            "pixels of its own kind; the coverage measured stands in the table below."
        )
    return " ".join(words)


def _deviation(trained: Trained) -> str:
    """Where the deviation stands."""
    if trained.recipe.channels == 1:
        return "Channel 2 is a standard deviation"
    return "Behind the images stand their standard deviations, in the same order"


def _results(trained: Trained) -> str:
    scores: Mapping[str, Any] = trained.scores
    if trained.kind == "segmenter":
        return _segmenter_results(scores)
    if trained.data.source == "simulated":
        return "\n\n".join(_simulated_results(scores, trained.recipe.of_slices, trained.recipe.channels > 1))
    if trained.data.source == "pairs":
        return _pair_results(scores)
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in scores.items())
    return f"Without a truth to compare with, on noisy images held out whole:\n\n| | |\n|---|---|\n{rows}"


def _simulated_results(scores: Mapping[str, Any], of_slices: bool, joint: bool) -> Iterator[str]:
    for structure, report in scores["structures"].items():
        judged, unit = _stacks(structure, report) if of_slices else _frames(structure, report)
        low, high = report["gain_db_interval_95"]
        rows = "\n".join(_row(name, report["metrics"][name]) for name in _SHOWN if name in report["metrics"])
        repeated = "as `judge_joint` does" if joint else "which\n`streamer evaluate` repeats"
        yield f"""{judged}, {repeated} (seed {report["seed"]}); intervals by bootstrap over {unit}. \
PSNR of raw frames
{report["psnr_raw_db"]:.2f} dB, gain {report["gain_db"]:.2f} dB ({low:.2f} to {high:.2f}).

| | value | 95 % interval |
|---|---|---|
{rows}"""
        if of_slices:
            yield from _of_slices(report)
    if context := scores.get("with_context"):
        gains = ", ".join(f"{value:.2f} dB at {name.rpartition('_')[2]}" for name, value in context.items())
        if of_slices:
            yield f"On middle slices of stacks of three the gain over raw is, by median box sum: {gains}."
            return
        yield f"""The table shows each frame as the first of a run, without its context. With it the gain over
the raw frame is, by median box sum: {gains}."""


def _frames(structure: str, report: Mapping[str, Any]) -> tuple[str, str]:
    levels = [level for level in report["median_box_sum"] if level is not None]
    dose = f"median box sum {min(levels):.0f} - {max(levels):.0f}" if levels else "no foreground"
    return f"{report['frames']} whole frames of the test range ({structure}, {dose})", "frames"


def _stacks(structure: str, report: Mapping[str, Any]) -> tuple[str, str]:
    stacks = len(set(report["specimens"]))
    shown = f"""{stacks} whole z-stacks of the test range ({structure}, {report["frames"] // stacks} slices \
{STEP_UM * 1000:g} nm apart, median box sum {DEFAULT_BOX_SUM:g}
in the fullest slice), each slice shown with the ones below and above it and at a border with itself"""
    return shown, "stacks"


def _of_slices(report: Mapping[str, Any]) -> Iterator[str]:
    """What the table of a stack must not leave unsaid."""
    metrics = report["metrics"]
    if empty := metrics.get("frc_nm", {}).get("undefined"):
        yield f"""Slices at the edge of a specimen hold next to nothing: {empty} of {report["frames"]} agree \
with their reference nowhere and
have no FRC, and NRMSE is left out."""
    inside, everywhere = (
        metrics.get(f"coverage_{where}", {}).get("value") for where in ("foreground", "all")
    )
    if inside is not None and inside < LEAST_COVERED:
        yield f"""The 90 % intervals hold {100 * everywhere:.0f} % of all pixels, but {100 * inside:.0f} % \
of the foreground: they are scaled, on slices of
other stacks with their neighbours, by predicted brightness over all pixels, of which most are background. Of
pixels that are predicted equally bright, those of structure are further from the truth than the others."""


def _row(name: str, measured: Mapping[str, Any]) -> str:
    value, interval = measured["value"], measured["interval_95"]
    found = "-" if value is None else f"{value:.4g}"
    ends = "-" if interval is None else " to ".join("-" if end is None else f"{end:.4g}" for end in interval)
    return f"| {MEASURES[name].title} | {found} | {ends} |"


def _pair_results(scores: Mapping[str, Any]) -> str:
    interval = scores["gain_db_interval_95"]
    ends = " to ".join(f"{end:.2f}" for end in interval) if interval else "one pair: no interval"
    return f"""{counted(scores["frames"], "pair")} held out whole; one linear fit per method over all of
them. The high-dose frames have noise of their own, which bounds every value.

| | PSNR against the high-dose frames, dB |
|---|---|
| low-dose frames | {scores["psnr_raw_db"]:.2f} |
| denoised | {scores["psnr_denoised_db"]:.2f} |
| gain | {scores["gain_db"]:.2f} |
| 95 % interval of the gain over pairs | {ends} |"""


def _segmenter_results(scores: Mapping[str, Any]) -> str:
    first, last = scores["median_box_sum"]
    rows = "\n".join(
        f"| {name} | {scores['iou'][name]:.3f} | {low:.3f} to {high:.3f} |"
        for name, (low, high) in scores["iou_interval_95"].items()
    )
    return f"""{scores["frames"]} whole frames of the test range, median box sum {first} - {last},
denoised by the partner, against the true labels.

| class | intersection over union | 95 % interval over frames |
|---|---|---|
{rows}

Of an empty field with haze, {scores["empty_field_foreground_fraction"]:.2%} of the pixels are called
foreground."""


def _data(trained: Trained) -> str:
    if trained.data.source != "simulated":
        lines = "\n".join(f"- {line}" for line in trained.data.words)
        low, high = trained.data.box_sum
        return f"""{lines}
- trained for a median of {low:.3g} - {high:.3g} photons in foreground 10x10 boxes, {low / 100:.2g} - \
{high / 100:.2g} per pixel (measured on the training frames); the range guard holds live frames against it"""
    recipe = trained.recipe
    tables = "\n\n".join(_ranges(structure) for structure in recipe.structures)
    return f"""Each step takes fresh Poisson noise on random crops, turns and flips of {recipe.fields}
simulated fields ({", ".join(recipe.structures)} in turn), at a median photon sum of {recipe.box_sum[0]:g} - \
{recipe.box_sum[1]:g} in foreground 10x10 boxes
({recipe.box_sum[0] / 100:g} - {recipe.box_sum[1] / 100:g} photons per pixel, log-uniform). It was trained in
photons on known truth, so its output needs no scale and no offset. Ranges of the training specimens:

{tables}

The test range is wider; see `streamer/simulation`."""


def _ranges(structure: str) -> str:
    rows = "\n".join(f"| {name} | {low:g} - {high:g} |" for name, (low, high) in _RANGES[structure].items())
    return f"| {structure} | range |\n|---|---|\n{rows}"


def _limits(trained: Trained) -> str:
    lines = [*(_simulated_limits(trained) if trained.data.source == "simulated" else _RECORDED), _HYPOTHESIS]
    lines.append(_ATTENTION if _sees_everything(trained.architecture) else _LOCAL)
    return "\n".join(f"- {line}" for line in lines)


def _sees_everything(architecture: Mapping[str, object]) -> bool:
    """Whether channel attention averages over the whole image."""
    name = architecture["name"]
    return name == "unet-rcan" or (name != "care-unet" and bool(architecture.get("attention", True)))


def _simulated_limits(trained: Trained) -> tuple[str, ...]:
    if trained.recipe.of_slices:
        return (_SIMULATED, f"Pixels of {STACK_PIXEL_NM:g} nm, {_OUTSIDE}", *_SLICES)
    return (_SIMULATED, f"Pixels of {SceneSettings(seed=0).pixel_nm:g} nm, {_OUTSIDE}")


_SIMULATED = (
    "Trained on **simulated specimens only** (`streamer.simulation`: drawn structure, a Gaussian STED\n"
    "  point-spread function, Poisson photons). It has not seen a real cell; on real images its output is a\n"
    "  hypothesis that the guards, and you, must check."
)
_OUTSIDE = (
    "one detector that counts photons. Other pixel sizes, structures or detectors\n"
    "  are outside what it knows, and the range guard can only tell by the photon level."
)
_SLICES = (
    f"**For z-stacks only**, {STEP_UM * 1000:g} nm from slice to slice, lowest first. Single frames and\n"
    "  other steps are outside what it knows: a frame that stands in for its own neighbours says that\n"
    "  nothing changes along the axis.",
    "Slices hold light from other slices, which it takes off. The range guard allows for that, and asks of\n"
    "  one simulated slice in ten whether this is another structure, mostly where little is in focus.",
    "Its specimens are two sheets of structure on tilted, gently rolling surfaces: a plain model, chosen\n"
    "  rather than measured. Cells have more above each other, and how light falls off along the axis\n"
    "  differs between microscopes.",
)
_RECORDED = (
    "Knows the microscope, pixel size, structure and photon range of the images above, and no other; the\n"
    "  range guard can only tell by the photon level.",
)
_HYPOTHESIS = (
    "At very low dose it draws the most likely structure. Ask the photons, not the picture, whether an\n"
    "  object is there."
)
_ATTENTION = (
    "Its channel attention averages over the whole image: a frame and a tile of it may differ slightly."
)
_LOCAL = "A pixel depends on its neighbourhood alone: tiles with a margin of the receptive field are exact."
