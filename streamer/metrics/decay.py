"""How long the light will last: a forecast of photons from their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

#: Fewer frames give no forecast.
FRAMES_MIN = 20
#: Share of the band, and of the interval of the frames left.
BAND = 0.9

_FRAMES_PER_BIN, _BINS_MAX = 3, 40
_POINTS, _DRAWS = 63, 800
#: Futures drawn together: small enough that nobody divides the work among threads, see `_solved`.
_AT_ONCE = 50
#: Wander: standard deviation of the logarithm, and how long it lasts in units of the history. No specimen
#: holds stiller than the least, which also covers that no bleaching is exactly exponential.
_WANDER, _LASTS = (0.008, 0.02, 0.04, 0.08, 0.16), (0.04, 0.15, 0.5, 1.5)
#: Fall of the logarithm over the history: its scale, and how likely it is beforehand that there is none.
_RATE, _NO_FALL = 1.5, 0.2
#: Power of the likelihood in the average over models.
_TRUST = 0.5
#: What bleaches fast at first: its share (standard deviation of the logarithm), and how long it lasts.
_FAST, _FAST_LASTS = 0.3, (0.08, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What becomes of a level, and when it meets its floor.

    Attributes:
        seq: [point] frames ahead of the newest one, closer together at first.
        median, low, high: [point] of the level there; 90 % of the forecasts lie between low and high.
        floor: in units of the level.
        frames_left: from the newest frame until the level falls below the floor, median; 0 where it has.
        frames_left_low, frames_left_high: ends of the 90 % interval. None of the three where that lies
            beyond the horizon.
        words: the same for who reads.
    """

    seq: Floats
    median: Floats
    low: Floats
    high: Floats
    floor: float
    frames_left: float | None
    frames_left_low: float | None
    frames_left_high: float | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """Bins of a history: time in units of its length, 0 at the newest frame; logarithm of the level."""

    time: Floats
    log_level: Floats
    error: Floats
    last_seq: float
    span: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Models:
    """Assumptions on wander and fast bleaching, each fitted to a history with a level that stays and one that
    falls.

    Attributes:
        wander, lasts, fast_lasts: [model] the assumptions.
        root: [model, bin, bin] lower Cholesky factors of the covariance of the bins.
        white_level, white_line: [model, bin] and [model, bin, 2] level and line, solved by the root.
        log_evidence: [fall, model] of the history, up to a constant.
        beta, covariance: [fall, model, 2] and [fall, model, 2, 2] logarithm of the level at time 0, and the
            rate of its fall.
    """

    wander: Floats
    lasts: Floats
    fast_lasts: Floats
    root: Floats
    white_level: Floats
    white_line: Floats
    log_evidence: Floats
    beta: Floats
    covariance: Floats


def forecast(seq: Floats, level: Floats, floor: float, horizon: int) -> Forecast | None:
    """The level over the next `horizon` frames, and the frames left until it falls below `floor`.

    Model. The logarithm of the level is a line that does not rise (mono-exponential bleaching of what the
    background has been taken off; rate half-normal, with probability 0.2 zero), plus what has faded fast
    since the beginning (normal with standard deviation 0.3, exponential in time), plus wander of the specimen
    that keeps its size (a Gaussian process with exponential kernel), plus independent errors. History enters
    as medians of at most 40 equal bins, so that single outliers do not count; their errors come from the
    scatter of neighbouring frames. Size and duration of the wander and duration of the fast part are not
    estimated but averaged over, on a grid, by the root of the marginal likelihood (Rasmussen, Williams,
    Gaussian Processes for Machine Learning, 2006, section 2.7, for the line; the root, because no model of
    the grid is true). Band and interval are quantiles of 800 futures drawn from that, with a fixed seed. The
    level meant is the expectation with its wander, without the noise of a single frame.

    Coverage, nominal 90 %, of 100 simulated runs each of 40, 200 and 1,000 frames with Poisson noise
    (`tests/metrics/fading_light.py`), half to twice the history ahead: 98-100 % without wander, mono- and
    bi-exponential; 92-98 % with rough wander of 1-5 %, also with a fast part and outliers; 98-100 % with
    smooth wander, also without bleaching. A tenth of the history ahead: 82-100 %. Interval of the frames
    left: 93-100 %. Steps of the light (another laser power, lost focus) are not in the model: until they are
    old, the forecast is wrong.

    Args:
        seq: [point] frame numbers, rising.
        level: [point] measured there; what is not finite or not above zero is passed over.
        floor: in units of the level, above 0.
        horizon: frames to look ahead, 1 or more.

    Returns:
        None with fewer than `FRAMES_MIN` points, or where they allow no fit.
    """
    history = _binned(seq, level)
    if history is None or not floor > 0 or horizon < 1:
        return None
    try:
        models = _fitted(history)
    except np.linalg.LinAlgError:  # bins too much alike
        return None
    ahead = np.unique(np.concatenate([[0.0], np.round(np.geomspace(1, horizon, _POINTS))]))
    paths = _draw(models, history, ahead / history.span)
    low, median, high = np.exp(np.clip(np.quantile(paths, _quantiles(), axis=0), -700.0, 700.0))
    left = _left(_crossings(paths, ahead, float(np.log(floor))))
    return Forecast(
        seq=history.last_seq + ahead,
        median=median,
        low=low,
        high=high,
        floor=floor,
        frames_left=left[1],
        frames_left_low=left[0],
        frames_left_high=left[2],
        words=_words(left, floor, horizon),
    )


def _binned(seq: Floats, level: Floats) -> _History | None:
    seq, level = np.asarray(seq, np.float64), np.asarray(level, np.float64)
    known = np.isfinite(level) & (level > 0) & np.isfinite(seq)
    seq, log_level = seq[known], np.log(level[known])
    if seq.size < FRAMES_MIN or not seq[-1] > seq[0]:
        return None
    bins = min(_BINS_MAX, seq.size // _FRAMES_PER_BIN)
    parts = np.array_split(np.arange(seq.size), bins)
    medians = np.array([np.median(log_level[part]) for part in parts])
    means = np.array([seq[part].mean() for part in parts])
    sizes = np.array([part.size for part in parts])
    span = float(seq[-1] - seq[0])
    scatter = _scatter(log_level)
    error = np.maximum(scatter * np.sqrt(np.pi / 2 / sizes), 1e-4)  # of a median
    return _History(
        time=(means - seq[-1]) / span, log_level=medians, error=error, last_seq=float(seq[-1]), span=span
    )


def _scatter(log_level: Floats) -> float:
    """Standard deviation of one frame's error, from the bends of neighbouring frames, robustly."""
    bends = log_level[:-2] - 2 * log_level[1:-1] + log_level[2:]
    return float(1.4826 * np.median(np.abs(bends)) / np.sqrt(6.0))


def _fitted(history: _History) -> _Models:
    """All models; the evidence has level and rate integrated out."""
    fast_lasts, lasts, wander = (
        axis.ravel() for axis in np.meshgrid(_FAST_LASTS, _LASTS, _WANDER, indexing="ij")
    )
    time = history.time
    between = np.abs(time[:, None] - time[None, :])
    fast = _fast(time, fast_lasts[:, None])  # [model, bin]
    covariance = fast[:, :, None] * fast[:, None, :] + np.diag(history.error**2)
    covariance += wander[:, None, None] ** 2 * _kernel(between / lasts[:, None, None])
    root = np.asarray(np.linalg.cholesky(covariance), np.float64)
    told = np.column_stack([_line(time), history.log_level])
    white = _solved(root, np.broadcast_to(told, (len(root), *told.shape)))
    line, level = white[:, :, :2], white[:, :, 2]
    fits = [_fit(root, line[:, :, :terms], level) for terms in (1, 2)]
    log_evidence, beta, spread = (np.stack(parts) for parts in zip(*fits, strict=True))
    return _Models(
        wander=wander,
        lasts=lasts,
        fast_lasts=fast_lasts,
        root=root,
        white_level=level,
        white_line=line,
        log_evidence=log_evidence,
        beta=beta,
        covariance=spread,
    )


def _fit(root: Floats, line: Floats, level: Floats) -> tuple[Floats, Floats, Floats]:
    """Evidence [model], beta [model, 2] and its covariance [model, 2, 2]; a level that stays has one term."""
    models, _, terms = line.shape
    stiff = np.diag([0.0, _RATE**-2])[:terms, :terms]
    turned = line.swapaxes(1, 2)
    precision = turned @ line + stiff
    spread = np.linalg.inv(precision)
    beta = (spread @ (turned @ level[:, :, None]))[:, :, 0]
    rest = level - (line @ beta[:, :, None])[:, :, 0]
    misfit = (rest**2).sum(axis=1) + np.einsum("mi,ij,mj->m", beta, stiff, beta)
    determinants = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    determinants += np.linalg.slogdet(precision)[1]
    evidence = np.log(_NO_FALL if terms == 1 else 1.0 - _NO_FALL) - 0.5 * (misfit + determinants)
    if terms == 2:  # half-normal rate: the share of the rates that are not cut off
        falls = ndtr(beta[:, 1] / np.sqrt(spread[:, 1, 1]))
        evidence += np.log(np.maximum(2 * falls, 1e-300) / _RATE)
    betas, spreads = np.zeros((models, 2)), np.zeros((models, 2, 2))
    betas[:, :terms], spreads[:, :terms, :terms] = beta, spread
    return np.asarray(evidence), betas, spreads


def _solved(root: Floats, right: Floats) -> Floats:
    """[model, bin, column] root^-1 right, row by row.

    Not by LAPACK, whose threads wait for each other at every small matrix: on a busy machine, where they get
    no core, that took seconds.
    """
    solved = np.zeros(right.shape)
    for row in range(right.shape[1]):
        known = (root[:, row, None, :row] @ solved[:, :row])[:, 0]
        solved[:, row] = (right[:, row] - known) / root[:, row, row, None]
    return solved


def _draw(models: _Models, history: _History, ahead: Floats) -> Floats:
    """[draw, point] futures of the logarithm of the level at times `ahead`, in units of the history."""
    rng = np.random.default_rng(0)
    weights = np.exp(_TRUST * (models.log_evidence - models.log_evidence.max()))
    counts = rng.multinomial(_DRAWS, (weights / weights.sum()).ravel()).reshape(weights.shape)
    drawn = np.flatnonzero(counts.sum(axis=0))
    across, spread = _ahead(models, drawn, history, ahead)
    paths = []
    for at, model in enumerate(drawn):
        for falls in (0, 1):
            count = int(counts[falls, model])
            for part in range(0, count, _AT_ONCE):
                beta = _betas(models, falls, int(model), min(_AT_ONCE, count - part), rng)
                rest = models.white_level[model] - beta @ models.white_line[model].T  # [draw, bin]
                wanders = rng.standard_normal((len(beta), ahead.size)) @ spread[at].T
                paths.append(beta @ _line(ahead).T + rest @ across[at] + wanders)
    return np.concatenate(paths)


def _ahead(
    models: _Models, drawn: NDArray[np.intp], history: _History, ahead: Floats
) -> tuple[Floats, Floats]:
    """Fast part and wander at times `ahead`, given the history, of some models.

    [model, bin, point] what bins that are solved by the root say of them, and [model, point, point] the root
    of the covariance that is left.
    """
    wander, lasts = models.wander[drawn, None, None] ** 2, models.lasts[drawn, None, None]
    now, then = (_fast(time, models.fast_lasts[drawn, None]) for time in (history.time, ahead))
    across = wander * _kernel(np.abs(history.time[:, None] - ahead[None, :]) / lasts)
    across += now[:, :, None] * then[:, None, :]
    own = wander * _kernel(np.abs(ahead[:, None] - ahead[None, :]) / lasts)
    own += then[:, :, None] * then[:, None, :] + 1e-9 * np.eye(ahead.size)
    white = _solved(models.root[drawn], across)
    return white, np.asarray(np.linalg.cholesky(own - white.swapaxes(1, 2) @ white), np.float64)


def _betas(models: _Models, falls: int, model: int, count: int, rng: np.random.Generator) -> Floats:
    """[draw, 2] coefficients of the line, normal with the rate cut at zero."""
    (at, rate), covariance = models.beta[falls, model], models.covariance[falls, model]
    if not covariance[1, 1]:
        ats = at + np.sqrt(covariance[0, 0]) * rng.standard_normal(count)
        return np.stack([ats, np.zeros(count)], axis=1)
    spread = float(np.sqrt(covariance[1, 1]))
    below = float(ndtr(-rate / spread))
    rates = rate + spread * ndtri(np.clip(below + rng.random(count) * (1 - below), 1e-300, 1 - 1e-16))
    tilt = covariance[0, 1] / covariance[1, 1]
    own = np.sqrt(max(covariance[0, 0] - tilt * covariance[0, 1], 0.0))
    return np.stack([at + tilt * (rates - rate) + own * rng.standard_normal(count), np.maximum(rates, 0)], 1)


def _line(time: Floats) -> Floats:
    return np.stack([np.ones_like(time), -time], axis=1)


def _fast(time: Floats, lasts: Floats) -> Floats:
    """What is left of the fast part; 1 at the beginning of the history, at time -1."""
    return np.asarray(_FAST * np.exp(-(time + 1.0) / lasts))


def _kernel(distance: Floats) -> Floats:
    return np.asarray(np.exp(-distance))


def _crossings(paths: Floats, ahead: Floats, log_floor: float) -> Floats:
    """[draw] frames until a future first falls below the floor; infinite where it does not."""
    is_below = paths < log_floor
    first = is_below.argmax(axis=1)
    draws = np.arange(len(paths))
    before = np.maximum(first - 1, 0)
    fallen = paths[draws, before] - paths[draws, first]
    share = np.where(fallen > 0, (paths[draws, before] - log_floor) / np.where(fallen > 0, fallen, 1.0), 0.0)
    met = ahead[before] + np.clip(share, 0.0, 1.0) * (ahead[first] - ahead[before])
    return np.where(is_below.any(axis=1), met, np.inf)


def _quantiles() -> Floats:
    return np.array([(1 - BAND) / 2, 0.5, (1 + BAND) / 2])


def _left(crossings: Floats) -> list[float | None]:
    """Quantiles of the frames left; None beyond the horizon."""
    found = np.quantile(crossings, _quantiles(), method="nearest")
    return [float(value) if np.isfinite(value) else None for value in found]


def _words(left: Sequence[float | None], floor: float, horizon: int) -> str:
    low, middle, high = left
    if middle == 0:
        return f"the light is below the {floor:g} photons that the model needs"
    if low is None:
        return f"enough light for more than {horizon} frames"
    if middle is None:
        return f"enough light for at least {low:.0f} frames, probably for more than {horizon}"
    until = f"{low:.0f} to {high:.0f}" if high is not None else f"{low:.0f} to more than {horizon}"
    return f"enough light for about {middle:.0f} frames more ({until})"
