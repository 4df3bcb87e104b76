"""Lines of an image against the lines beside them, as counts that chance shares out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

#: Neighbours on each side of a line, and rows on each side of a step.
BESIDE, BAND = 2, 16


def line_sums(photons: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Photons of the rows [y] and of the columns [x] of an image [y, x]."""
    return _line_sums(plain(photons))


def departure(counted: Floats, beside: Floats, share: float | Floats) -> Floats:
    """Evidence that `counted` is no share of Poisson counts: n KL(counted / n || share), n = both together.

    Given n the counted ones are binomial; a share at least as far from `share`, on the same side, has a
    chance of at most exp(-evidence) (Chernoff; Hoeffding, J. Am. Stat. Assoc. 58, 13, 1963, eq. 2.1). The
    sign of the result tells the side. Values below zero, of a camera's read noise, are taken for 0.
    """
    counted, beside = np.maximum(counted, 0.0), np.maximum(beside, 0.0)
    both = np.maximum(counted + beside, 1e-12)
    expected, rest = both * share, both * (1.0 - np.asarray(share))
    evidence = _relative(counted, expected) + _relative(beside, rest)
    return np.asarray(np.sign(counted - expected) * np.maximum(evidence, 0.0))


def odd_lines(
    sums: Floats, contrast: float, evidence_min: float, read_variance: float = 0.0
) -> tuple[Places, Places]:
    """Lines that are brighter, and lines that are darker, than those beside them allow.

    Null hypothesis: a line expects between 1 / `contrast` and `contrast` times the mean of the two on either
    side; the outermost two are not judged. The worst come first: what lies beside them says nothing.

    Args:
        sums: [line] photons.
        contrast: above 1.
        evidence_min: as `departure`, over the dispersion that read noise adds.
        read_variance: of a line, by read noise.
    """
    if sums.size <= 2 * BESIDE:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    around = [sums[BESIDE + k : sums.size - BESIDE + k] for k in range(-BESIDE, BESIDE + 1) if k != 0]
    counted, beside = sums[BESIDE:-BESIDE], np.sum(around, axis=0)
    noise = (2 * BESIDE + 1) * read_variance / np.maximum(counted + beside, 1.0)
    bright = departure(counted, beside, contrast / (contrast + 2 * BESIDE)) / (1.0 + noise)
    dark = -departure(counted, beside, 1.0 / (1.0 + contrast * 2 * BESIDE)) / (1.0 + noise)
    evidence = np.maximum(bright, dark)
    found: list[int] = []
    while evidence.max() >= evidence_min:
        worst = int(evidence.argmax())
        found.append(worst)
        evidence[max(worst - BESIDE, 0) : worst + BESIDE + 1] = 0.0
    places = np.array(sorted(found), np.intp)
    brighter = bright[places] >= dark[places]
    return places[brighter] + BESIDE, places[~brighter] + BESIDE


def dropped_rows(unlit: NDArray[np.bool_], sums: Floats, contrast: float, evidence_min: float) -> Places:
    """Rows without light, in runs of them, where the two rows on either side have too much for that.

    Null hypothesis: a run expects at least 1 / `contrast` of the mean of the rows beside it, for each row of
    it, of which four at most are counted. Runs that reach the border are not judged.
    """
    ends = np.flatnonzero(np.diff(np.concatenate([[False], unlit, [False]]).astype(np.int8)))
    found = [np.zeros(0, np.intp)]
    for start, stop in ends.reshape(-1, 2):
        beside = sums[max(start - BESIDE, 0) : start].sum() + sums[stop : stop + BESIDE].sum()
        wide = min(stop - start, 2 * BESIDE) / contrast
        evidence = max(float(beside), 0.0) * math.log1p(wide / (2 * BESIDE))
        if start > 0 and stop < unlit.size and evidence >= evidence_min:
            found.append(np.arange(start, stop))
    return np.concatenate(found)


def steps(sums: Floats, before: Floats, fall: float) -> Floats:
    """[2, row] evidence that light is missing from a row on, and that it is missing before it.

    Null hypothesis: of the light of the rows on one side of it, those on the other side have at least the
    share `fall` x what they had of it in the frame before (at most equal shares are asked for). It must be
    ruled out twice: for the 16 rows next to it on either side, and for all on either side. Rows start at 16;
    empty for less than 32.
    """
    if sums.size < 2 * BAND:
        return np.zeros((2, 0))
    found = np.full((2, sums.size - 2 * BAND + 1), np.inf)
    for parts in (_bands, _sides):
        now, then = parts(sums), parts(before)
        found = np.minimum(found, [_goes_out(now, then, fall), _goes_out(now[::-1], then[::-1], fall)])
    return found


def _goes_out(now: tuple[Floats, ...], then: tuple[Floats, ...], fall: float) -> Floats:
    """Evidence that the second of two parts has lost light against the first and against the frame before."""
    (lit, dark), (lit_then, dark_then) = now, then
    odds = fall * np.minimum((dark_then + 1.0) / (lit_then + 1.0), 1.0)
    # The frame before has noise of its own.
    dispersion = 1.0 + (dark + lit) / np.maximum(dark_then + lit_then, 1.0)
    return np.asarray(-departure(dark, lit, odds / (1.0 + odds)) / dispersion)


def _bands(sums: Floats) -> tuple[Floats, Floats]:
    """Photons of the `BAND` rows above, and of those below, each row that has as many on both sides."""
    total = np.concatenate([[0.0], np.cumsum(np.maximum(sums, 0.0))])
    of_band = total[BAND:] - total[:-BAND]
    return of_band[:-BAND], of_band[BAND:]


def _sides(sums: Floats) -> tuple[Floats, Floats]:
    """Photons of all rows above, and of all below, the same rows."""
    total = np.concatenate([[0.0], np.cumsum(np.maximum(sums, 0.0))])
    above = total[BAND:-BAND]
    return above, total[-1] - above


def _relative(part: Floats, expected: Floats) -> Floats:
    ratio = np.divide(part, expected, out=np.ones_like(part), where=part > 0)
    return part * np.log(ratio)


@compiled
def _line_sums(photons: NDArray[np.float32]) -> tuple[Floats, Floats]:
    height, width = photons.shape
    rows, columns = np.zeros(height), np.zeros(width)
    for y in range(height):
        row = photons[y]
        # Eight sums side by side: one alone would wait for each addition.
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for x in range(0, width - 7, 8):
            s0 += row[x]
            s1 += row[x + 1]
            s2 += row[x + 2]
            s3 += row[x + 3]
            s4 += row[x + 4]
            s5 += row[x + 5]
            s6 += row[x + 6]
            s7 += row[x + 7]
        total = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
        for x in range(width - width % 8, width):
            total += row[x]
        rows[y] = total
        for x in range(width):
            columns[x] += row[x]
    return rows, columns
