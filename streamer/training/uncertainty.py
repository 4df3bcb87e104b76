"""How far a prediction may be from the truth: a second head, learned and then set right on held-out frames.

Conformalised quantile regression (Romano, Patterson and Candes, NeurIPS 2019) with groups by brightness
(Vovk, ACML 2012): the head learns the 90 % quantile of |truth - prediction| at each pixel, by the pinball
loss; then one factor for each brightness makes the intervals cover 90 % of the pixels of frames that trained
nothing. The promise holds on average over frames like those; on others it has to be measured, and the model
card does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.networks import LiveDenoiser, build, size_multiple
from streamer.networks.spread import KNOTS_LOG10, LEAST_PHOTONS, Z_90, Spread
from streamer.training.examples import Batch

COVERAGE = 0.9
#: Photons added to errors before their logarithm: what is closer to the truth than this is as good as true.
LEAST_ERROR = 1e-4
LEARNING_RATE = 3e-3
#: Pixels of a frame that take part in the calibration, and the fewest that settle the factor of a brightness.
PIXELS_PER_FRAME, LEAST_PIXELS = 60_000, 2_000

#: Photons [y, x] and the truth [y, x] behind them; of several detection channels [channels, y, x] of both.
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def add_uncertainty(
    network: nn.Module,
    architecture: Mapping[str, object],
    batch: Callable[[int], Batch],
    calibration: Iterable[Pair],
    *,
    steps: int,
    seed: int,
    report: Callable[[int, int], None] = lambda *_: None,
) -> tuple[nn.Module, dict[str, object]]:
    """The network with a second head, and its architecture; what it predicts stays as it was, bit for bit.

    Args:
        network: a trained live denoiser without the head.
        architecture: its own.
        batch: batches of steps that its training did not draw.
        calibration: whole frames of specimens that no training drew; context as in [frames, y, x].
        steps: updates of the head.
        seed: of the head's weights and the pixels that calibrate.
        report: told (step, steps).
    """
    wanted = {**architecture, "uncertainty": True}
    torch.manual_seed(seed)
    grown = cast(LiveDenoiser, build(wanted)).eval()
    grown.load_state_dict(network.state_dict(), strict=False)
    head = cast(Spread, grown.spread)
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1.0 - step / steps)
        loss = _pinball(grown, head, batch(step))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        report(step + 1, steps)
    head.log_factor.copy_(conformal_factors(grown, calibration, size_multiple(wanted), seed))
    return grown, wanted


def _pinball(network: LiveDenoiser, head: Spread, batch: Batch) -> Tensor:
    """Mean pinball loss of the logarithms; a quantile's logarithm is the quantile of the logarithm."""
    with torch.no_grad():
        photons = batch.photons.contiguous(memory_format=torch.channels_last)
        features = network.features(photons)
        expected = torch.relu(network.shuffle(network.rcan.head(features))).square()
        error = torch.log((batch.signal - expected).abs() + LEAST_ERROR)
    reach = torch.log(Z_90 * head(features, expected) + LEAST_ERROR)
    short = error - reach
    return torch.maximum(COVERAGE * short, (COVERAGE - 1.0) * short).mean()


@torch.no_grad()
def conformal_factors(network: nn.Module, calibration: Iterable[Pair], multiple: int, seed: int) -> Tensor:
    """[knots] logarithms of what deviations must be multiplied by, one for each brightness.

    Of several detection channels [channels, knots], each by itself.

    For a knot the weighted 90 % quantile of |truth - prediction| over the interval's half-width: a pixel
    counts by how near its predicted photons are to the knot. A knot that too few pixels reach takes its
    neighbour's.
    """
    rng = np.random.default_rng((seed, 31))
    seen: dict[int, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for photons, truth in calibration:
        height, width = (size // multiple * multiple for size in truth.shape[-2:])
        stack = photons.reshape(-1, *truth.shape[-2:])[:, :height, :width]
        truths = truth.reshape(-1, *truth.shape[-2:])[:, :height, :width]
        output = network(torch.from_numpy(np.ascontiguousarray(stack))[None])[0].numpy()
        expected, deviation = output[: len(truths)], output[len(truths) :]
        for channel, image in enumerate(truths):
            picked = rng.integers(image.size, size=min(PIXELS_PER_FRAME, image.size))
            error = np.abs(image - expected[channel]).ravel()[picked]
            ratio = (error + LEAST_ERROR) / (Z_90 * deviation[channel].ravel()[picked] + LEAST_ERROR)
            level = np.log10(expected[channel].ravel()[picked] + LEAST_PHOTONS)
            seen.setdefault(channel, []).append((level, ratio))
    found = np.stack([_factors_of(*map(np.concatenate, zip(*each, strict=True))) for each in seen.values()])
    return torch.tensor(found[0] if len(found) == 1 else found, dtype=torch.float32)


def _factors_of(level: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """[knots] logarithms of one channel's factors; `level` is the logarithm of its predicted photons."""
    level = np.clip(level, KNOTS_LOG10[0], KNOTS_LOG10[-1])
    order = np.argsort(ratio)
    level, ratio = level[order], ratio[order]
    factors = [_weighted_quantile(ratio, _near(level, knot)) for knot in KNOTS_LOG10]
    logarithms: NDArray[np.float64] = np.log(_filled(factors))
    return logarithms


def _near(level: NDArray[np.float64], knot: float) -> NDArray[np.float64]:
    """[n] 1 at the knot, 0 at the next ones."""
    step = KNOTS_LOG10[1] - KNOTS_LOG10[0]
    weights: NDArray[np.float64] = np.maximum(0.0, 1.0 - np.abs(level - knot) / step)
    return weights


def _weighted_quantile(ascending: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The value below which `COVERAGE` of the weight lies; NaN where there is too little of it."""
    total = np.cumsum(weights)
    if total[-1] < LEAST_PIXELS:
        return float("nan")
    return float(ascending[np.searchsorted(total, COVERAGE * total[-1])])


def _filled(factors: list[float]) -> NDArray[np.float64]:
    """Unsettled factors take the nearest settled one's; all of them unsettled: 1."""
    values = np.array(factors)
    settled = np.flatnonzero(np.isfinite(values))
    if len(settled) == 0:
        return np.ones(len(values))
    nearest = settled[np.abs(np.arange(len(values))[:, None] - settled).argmin(axis=1)]
    filled: NDArray[np.float64] = values[nearest]
    return filled
