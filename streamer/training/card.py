"""The README of a model package: what a user must know before trusting it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamer.simulation.sampling import RANGES
from streamer.training.recipe import CLASSES, Kind

_LIMITS = """\
- Trained on **simulated specimens only** (`streamer.simulation`: an ER-like network of tubules and
  sheets, a Gaussian STED point-spread function, Poisson photons). It has not seen a real cell; on real
  images its output is a hypothesis that the guards, and you, must check.
- Pixels of 20 nm, one plane, one detector that counts photons. Other pixel sizes, structures or detectors
  are outside what it knows, and the range guard can only tell by the photon level.
- At very low dose it draws the most likely structure. Ask the photons, not the picture, whether an object
  is there.
- The channel attention averages over the whole image: a frame and a tile of it may differ slightly.
"""


def model_card(title: str, purpose: str, kind: Kind, story: Mapping[str, Any]) -> str:
    """Markdown of the card; `story` as in training.json."""
    recipe, test = story["recipe"], story["test"]
    ranges = "\n".join(f"| {name} | {low:g} - {high:g} |" for name, (low, high) in RANGES["train"].items())
    made = "\n".join(f"- {name}: {value}" for name, value in story["made_with"].items())
    return f"""# {title}

{purpose} Tensors are float32 [1, channels, y, x]; all scaling is inside the network. \
{_tensor_words(kind)}

## Validation on held-out simulated specimens

{_denoiser_results(test) if kind == "denoiser" else _segmenter_results(test)}

The curve of the training is in `training.png`; every number in `training.json`.

## How it was made

```
{story["command"]}
```

{made}

Recipe (seed {recipe["seed"]}): `{json.dumps(recipe)}`

Each step takes fresh Poisson noise on random crops, turns and flips of {recipe["fields"]} simulated fields,
at a median photon sum of {recipe["box_sum"][0]:g} - {recipe["box_sum"][1]:g} in foreground 10x10 boxes
(log-uniform). Ranges of the training specimens:

| setting | range |
|---|---|
{ranges}

The test range is wider; see `streamer/simulation/sampling.py`.

## Limits

{_LIMITS}"""


def _tensor_words(kind: Kind) -> str:
    if kind == "denoiser":
        return "The output is never negative."
    return f"It reads the denoiser's output and gives the probabilities of {', '.join(CLASSES)}."


def _denoiser_results(test: Mapping[str, Any]) -> str:
    low, high = test["gain_db_interval_95"]
    first, last = test["median_box_sum"]
    empty = test["empty_field_photons"]
    return f"""{test["frames"]} whole frames of the test range, median box sum {first} - {last}; one
linear fit per method over all frames.

| | PSNR, dB |
|---|---|
| raw | {test["psnr_raw_db"]:.2f} |
| denoised | {test["psnr_denoised_db"]:.2f} |
| gain over all frames | {test["gain_db"]:.2f} |
| 95 % interval of the gain over frames | {low:.2f} to {high:.2f} |

An empty field with {empty["shown"]} photons of haze per pixel comes out with {empty["mean"]} on average and
{empty["max"]} at most."""


def _segmenter_results(test: Mapping[str, Any]) -> str:
    first, last = test["median_box_sum"]
    rows = "\n".join(
        f"| {name} | {test['iou'][name]:.3f} | {low:.3f} to {high:.3f} |"
        for name, (low, high) in test["iou_interval_95"].items()
    )
    return f"""{test["frames"]} whole frames of the test range, median box sum {first} - {last},
denoised by the partner, against the true labels.

| class | intersection over union | 95 % interval over frames |
|---|---|---|
{rows}

Of an empty field with haze, {test["empty_field_foreground_fraction"]:.2%} of the pixels are called
foreground."""
