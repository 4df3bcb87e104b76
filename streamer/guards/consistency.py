"""Do the counts show what the prediction shows? Residuals in windows against Poisson noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Status, Verdict
from streamer.guards.base import Stateless, not_judged
from streamer.guards.shared import BOX, is_finite, photons_in_tiles, predicted_in_tiles
from streamer.metrics.residuals import poisson_residual, score_sums

Floats = NDArray[np.float64]

#: Sides of the windows, in tiles of 10 pixels: pieces of tubules, and longer or fainter ones.
SIDES = (2, 4)
#: Windows of the smaller side per side of a block in which the background is one number.
BLOCK = 5
#: Least background, photons per pixel: less than the dark counts of a photodiode.
DARKEST = 1e-4
#: Level at which single windows are counted as disagreeing.
SINGLE = 0.01
#: Photons in a window below which the mean is taken instead of the median, and where it is clipped, in
#: standard deviations.
FEW, OUTLIER = 5.0, 3.0
#: Denoiser whose predictions gave the default `structure_spread`; others have other spreads.
SPREAD_OF = "er-denoise-live"
#: Variance of a median over that of a mean.
MEDIAN = np.pi / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """The window that disagrees most: its residual, and its centre in pixels."""

    residual: float
    row: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tests:
    """What was tested in a frame.

    Attributes:
        invented: the window with the least support for what is drawn in it.
        lost: the window with most light that the prediction does not show.
        windows: tests that were made in each direction.
        against, beyond: separate windows that disagree at the level `SINGLE` in either direction.
        separate: how many separate windows there are.
        dispersion: mean squared residual of separate windows, 1 for Poisson counts.
        excess: photons counted but not expected, per pixel.
    """

    invented: _Window
    lost: _Window
    windows: int
    against: int
    beyond: int
    separate: int
    dispersion: float
    excess: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Tests, window by window, whether the photons could have come from what the prediction shows.

    The shipped denoisers learned from the *image* of the specimen in focus: their target is the specimen
    already blurred by the point spread function, free of noise, without what comes from out of focus
    (`streamer.simulation.Exposure.signal`). Counts are therefore compared with the prediction as it is.
    Blurring it once more would spread each tubule beyond its photons, and reject right predictions. What the
    denoiser takes off, haze and dark counts, is put back as a local background: the median of counts less
    prediction over blocks of 100 x 100 pixels, between which it is interpolated.

    Null hypothesis: in every window counts are Poisson with the expectation prediction + background, but for
    an error of the prediction of `model_error`. Two tests in each window of 20 x 20 and 40 x 40 pixels, every
    10 pixels. *Structure*: Rao's score for the amplitude of what is drawn, negative where the photons do not
    support it; it sees invented structure. *Sum*: photons counted less expected, positive where light is not
    shown; it sees lost structure. Both as signed root deviances with the variance of the background's
    estimate (`streamer.metrics.residuals`).

    Multiple tests, all in one frame. The `false_alarm_rate` is halved between two rules for each direction:
    the worst of all windows against a Bonferroni limit (valid although windows overlap); and how many
    separate 20 x 20 windows disagree at 1 % against the binomial quantile. A single window flags. More
    windows than chance *against* the prediction reject the frame: what is drawn is not in the light. Lost
    structure only flags: a denoiser may leave out what is faint, and the counts are still there.

    A network that has seen the counts follows their noise, so that structure residuals are narrower than
    Poisson: `structure_spread` divides them. With `er-denoise-live` 313 simulated frames of 300 x 300 pixels
    at 4 to 84 photons a box have quantiles at 1e-4 of -2.6 to -3.2, where a standard normal distribution has
    -3.7. Others have other spreads (`cell-denoise-live` 1.14): `streamer calibrate` measures it, and a run
    with another denoiser and without such a calibration says so.
    *Cannot see:* structure of fewer photons than chance allows (docs/guards.md has the power); detail finer
    than a window that keeps its photons; invention in which noise took part, for the same counts made the
    prediction: that is what thinned halves are for. The last rows and columns that fill no 10 pixels.

    Attributes:
        false_alarm_rate: probability that a right prediction is flagged, per frame and direction; the same
            bound holds for a reject.
        model_error: relative error of a right prediction with its background, standard deviation over a
            window.
        structure_spread: standard deviation of structure residuals of right predictions.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    name: ClassVar[str] = "consistency"
    false_alarm_rate: float
    model_error: float
    structure_spread: float
    read_noise_e: float

    def start(self) -> Stateless:
        """Each frame is judged by itself."""
        return Stateless()

    def step(self, state: Stateless, result: Result) -> tuple[Stateless, Verdict]:
        """Judge one result; `measured` is the residual of the least supported window, `limit` its limit."""
        if not is_finite(result):
            return state, not_judged(self.name)
        if min(result.photons.shape) < SIDES[0] * BOX:
            meaning = f"not judged: the field is smaller than a window of {SIDES[0] * BOX} pixels"
            return state, self._say("flag", None, None, meaning)
        return state, self._verdict(self._tests(result))

    def _tests(self, result: Result) -> _Tests:
        counted, predicted = photons_in_tiles(result), np.maximum(predicted_in_tiles(result), 0.0)
        background, error = _background(counted - predicted, predicted, self.read_noise_e)
        score = score_sums(result.photons, result.denoised, background, BOX)
        plain = np.stack([counted, predicted + BOX**2 * background])
        structure = [self._structure(score, error, side) for side in SIDES]
        sums = [self._sum(plain, error, side) for side in SIDES]
        apart = [residuals[0][:: SIDES[0], :: SIDES[0]] for residuals in (structure, sums)]
        once = -NormalDist().inv_cdf(SINGLE)
        return _Tests(
            invented=_worst([-residuals for residuals in structure]),
            lost=_worst(sums),
            windows=sum(residuals.size for residuals in sums),
            against=int(np.count_nonzero(apart[0] < -once)),
            beyond=int(np.count_nonzero(apart[1] > once)),
            separate=apart[1].size,
            dispersion=float(np.mean(apart[1] ** 2)),
            excess=float((plain[0] - plain[1]).sum()) / result.photons.size,
        )

    def _structure(self, score: Floats, error: Floats, side: int) -> Floats:
        """Score residuals of windows, as of so many whole photons as carry the same information."""
        counted, expected, variance, weight, squares = (_windows(each, side) for each in score)
        noise = squares * self.read_noise_e**2 + (weight * _mean(error, side)) ** 2
        unit = np.divide(expected, variance, out=np.zeros_like(variance), where=variance > 0)
        photons = np.maximum(expected * unit, 1e-9)
        dispersion = 1.0 + noise * unit**2 / photons + self.model_error**2 * photons
        return poisson_residual(counted * unit, photons, dispersion) / self.structure_spread

    def _sum(self, plain: Floats, error: Floats, side: int) -> Floats:
        """Residuals of the sums of windows."""
        counted, expected = (_windows(each, side) for each in plain)
        pixels = (side * BOX) ** 2
        noise = pixels * self.read_noise_e**2 + (pixels * _mean(error, side)) ** 2
        noise += (self.model_error * expected) ** 2
        return poisson_residual(counted, expected, 1.0 + noise / expected)

    def _verdict(self, tests: _Tests) -> Verdict:
        limit = -NormalDist().inv_cdf(self.false_alarm_rate / (2 * tests.windows))
        many = chance_limit(tests.separate, SINGLE, self.false_alarm_rate / 2)
        complaints = tuple(self._complaints(tests, limit, many))
        status: Status = "flag" if complaints else "pass"
        if tests.against > many:
            status = "reject"
        return self._say(
            status,
            -tests.invented.residual,
            -limit,
            "; ".join(complaints) or f"counts and prediction agree in all {tests.separate} windows",
            lost_residual=tests.lost.residual,
            windows_against=float(tests.against),
            windows_beyond=float(tests.beyond),
            windows_limit=float(many),
            dispersion=tests.dispersion,
            excess_photons_per_px=tests.excess,
        )

    def _complaints(self, tests: _Tests, limit: float, many: int) -> Iterator[str]:
        of = f"of {tests.separate} windows"
        if tests.against > many:
            yield f"structure is drawn that the photons do not show, in {tests.against} {of}"
        elif tests.invented.residual > limit:
            yield f"structure is drawn {_near(tests.invented)} that the photons do not show"
        if tests.beyond > many:
            yield f"there is light that the prediction leaves out, in {tests.beyond} {of}"
        elif tests.lost.residual > limit:
            yield f"there is light {_near(tests.lost)} that the prediction leaves out"

    def _say(
        self, status: Status, measured: float | None, limit: float | None, meaning: str, **values: float
    ) -> Verdict:
        return Verdict(
            guard=self.name, status=status, measured=measured, limit=limit, meaning=meaning, values=values
        )


@cache
def chance_limit(tests: int, level: float, rate: float) -> int:
    """Most of `tests` independent tests that fail at `level` each, but with probability at most `rate`."""
    term = (1.0 - level) ** tests
    passed, failed = term, 0
    while 1.0 - passed > rate and failed < tests:
        term *= (tests - failed) / (failed + 1) * level / (1.0 - level)
        failed += 1
        passed += term
    return failed


def _background(residual: Floats, predicted: Floats, read_noise_e: float) -> tuple[Floats, Floats]:
    """[tile y, tile x] background and its standard error, photons per pixel."""
    side, pixels = SIDES[0], (SIDES[0] * BOX) ** 2
    apart, drawn = (_blocks(_windows(each, side)[::side, ::side]) for each in (residual, predicted))
    members = apart.shape[2]
    middle = np.median(apart, axis=2)
    noise = np.maximum(middle, 0.0) + np.median(drawn, axis=2) + pixels * read_noise_e**2 + 1.0
    # The median of a few photons is often 0, which they do not expect: clip outliers and take the mean.
    reach = OUTLIER * np.sqrt(noise)[:, :, None]
    mean = np.clip(apart, middle[:, :, None] - reach, middle[:, :, None] + reach).mean(axis=2)
    level = np.maximum(np.where(middle < FEW, mean, middle), 0.0)
    error = np.sqrt(MEDIAN * noise / members)
    level, error = (_between(each, residual.shape) / pixels for each in (level, error))
    return np.maximum(level, DARKEST), error


def _blocks(apart: Floats) -> Floats:
    """[block y, block x, member] blocks of separate windows; those that fill no block are left out."""
    high, wide = (min(length, BLOCK) for length in apart.shape)
    rows, columns = apart.shape[0] // high, apart.shape[1] // wide
    whole = apart[: rows * high, : columns * wide].reshape(rows, high, columns, wide)
    return whole.transpose(0, 2, 1, 3).reshape(rows, columns, high * wide)


def _between(blocks: Floats, shape: tuple[int, ...]) -> Floats:
    """Values of blocks, interpolated bilinearly to every tile; constant beyond the outermost centres."""
    for length in shape:  # along y, then along x
        side = min(BLOCK * SIDES[0], length)
        centres = side * np.arange(len(blocks)) + (side - 1) / 2
        above = np.clip(np.searchsorted(centres, np.arange(length)) - 1, 0, max(len(blocks) - 2, 0))
        below = np.minimum(above + 1, len(blocks) - 1)
        share = np.clip((np.arange(length) - centres[above]) / side, 0.0, 1.0)[:, None]
        blocks = ((1.0 - share) * blocks[above] + share * blocks[below]).T
    return blocks


def _windows(tiles: Floats, side: int) -> Floats:
    """Sums of all `side` x `side` neighbouring tiles; none where the field is smaller."""
    if min(tiles.shape) < side:
        return np.zeros((0, 0))
    for _ in tiles.shape:  # along y, then along x
        length = tiles.shape[0] - side + 1
        total = tiles[:length]
        for k in range(1, side):
            total = total + tiles[k : length + k]
        tiles = total.T
    return tiles


def _mean(tiles: Floats, side: int) -> Floats:
    return _windows(tiles, side) / side**2


def _worst(residuals: list[Floats]) -> _Window:
    """The highest residual of all sizes of windows."""
    side, values = max(
        ((side, each) for side, each in zip(SIDES, residuals, strict=True) if each.size),
        key=lambda one: float(one[1].max()),
    )
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    half = side * BOX // 2
    return _Window(residual=float(values.max()), row=int(row) * BOX + half, column=int(column) * BOX + half)


def _near(window: _Window) -> str:
    return f"near row {window.row}, column {window.column}"
