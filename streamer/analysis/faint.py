"""What a method draws where nothing is, and what it keeps of what hardly shows.

Detection: a pixel counts as drawn when the 10 x 10 box sum of the prediction around it is above a threshold.
At `BACKGROUND_MAX` photons, the end of the background class of the signal map (Rahm et al.), that is "signal
above background". False: share of the pixels of empty fields (haze and dark counts only) that are drawn.
Kept: share of the pixels of true faint structure that are drawn; a pixel is one where a true label is not 0
and the box sum of the true signal, at the dose of the frame, is 10-25 photons (the structure under that
pixel and its neighbours alike; background is not in it).

Each method has a scale of its own (a filter keeps the background, a network may not), so the curve takes the
threshold as a parameter: kept against false, over all thresholds at once. Two methods are compared by what
they keep where both draw on 1 % of empty fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.metrics import box_sum

Image = NDArray[np.float32]

#: Photons in a box up to which it is background, and the box sums of faint structure.
BACKGROUND_MAX = 5.0
FAINT = (10.0, 25.0)
#: False share at which methods are compared.
FALSE_MAX = 0.01
#: False shares at which the curve is read, besides those of the fixed thresholds.
CURVE = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def faint_box_sums(prediction: Image, truth: Image, labels: NDArray[np.uint8]) -> Image:
    """[n] predicted box sums at the pixels of true faint structure."""
    true_sums = box_sum(truth)
    low, high = FAINT
    chosen = (labels != 0) & (true_sums >= low) & (true_sums <= high)
    return np.asarray(box_sum(prediction)[chosen])


def drawn(box_sums: Image, threshold: float) -> tuple[float, float]:
    """How many box sums are above the threshold, and how many there are."""
    return float(np.count_nonzero(box_sums > threshold)), float(box_sums.size)


def detection_curve(empty: Image, faint: Sequence[Image]) -> list[dict[str, Any]]:
    """Points (threshold in photons per box, false share, kept share), from strict to lax.

    `empty`: [n] predicted box sums of empty fields; `faint`: those of faint structure, by frame.
    """
    all_faint = np.concatenate([np.ravel(sums) for sums in faint])
    points = []
    for false in CURVE:
        threshold = threshold_at(empty, false)
        points.append(_point(threshold, empty, all_faint))
    points.append(_point(BACKGROUND_MAX, empty, all_faint))
    return sorted(points, key=lambda point: -point["threshold"])


def threshold_at(empty: Image, false_share: float) -> float:
    """The lowest threshold at which at most `false_share` of the empty pixels are drawn."""
    ordered = np.sort(np.ravel(empty))
    above = int(np.floor(false_share * ordered.size))
    return float(ordered[ordered.size - 1 - above])


def _point(threshold: float, empty: Image, faint: Image) -> dict[str, Any]:
    return {
        "threshold": round(threshold, 4),
        "false": float(np.mean(empty > threshold)),
        "kept": float(np.mean(faint > threshold)) if faint.size else None,
    }
