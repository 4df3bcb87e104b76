"""What Rahm et al. do against hallucination, taken as rules that stop a run: to hold the guards against.

They published no decision about a frame, but two measures. The *signal map* sums photons in 10 x 10 boxes and
calls more than 25 signal. *Similarity* is SSIM of neighbouring predictions over the whole frame, held against
that of a movie of the dark detector, whose predictions they found to be less alike. They state neither the
photon range of SSIM nor a limit. Taken here: one range for all frames, that of predictions of lit specimens,
for one taken from each pair would make much of nothing; and the limit that best tells movies of the dark
detector from those of healthy specimens, none of which is the run that is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.guards_store import Record
from streamer.metrics import ssim

Image = NDArray[np.float32]

#: Photons in a box above which they call it signal.
SIGNAL_MIN = 25
#: Signal, in pixels, below which the first rule has nothing to look at: one box.
SIGNAL_PX = 100
#: Photons per pixel that predictions of lit specimens span, as the default of `[guards.similarity]`.
RANGE_PHOTONS = 2.0
#: Column of the samples that holds the similarities.
COLUMN = "neighbours"


def similarity_of(before: Image | None, denoised: Image) -> float | None:
    """SSIM of two neighbouring predictions [y, x] over the whole frame; None for the first."""
    return None if before is None else round(float(ssim(before, denoised, data_range=RANGE_PHOTONS)), 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkLimit:
    """Similarities beyond `value` are those of the dark detector.

    Attributes:
        value: the limit.
        dark_is_higher: on which side of it the dark detector's lie. Rahm et al. found them below; a network
            that leaves empty fields empty puts them above, and the rule is granted that.
        errors: share of dark frames on the wrong side, and that of healthy ones.
    """

    value: float
    dark_is_higher: bool
    errors: tuple[float, float]

    def is_dark(self, similarity: float | None) -> bool:
        """Whether a frame looks like one of the dark detector."""
        return similarity is not None and (similarity > self.value) == self.dark_is_higher


def limit_between(dark: Sequence[float], healthy: Sequence[float]) -> DarkLimit | None:
    """The limit with the least sum of both shares of errors; None without movies."""
    if not dark or not healthy:
        return None
    lower, upper = np.sort(dark), np.sort(healthy)
    dark_is_higher = bool(np.median(lower) > np.median(upper))
    every = np.unique([*lower, *upper])
    limits = (every[1:] + every[:-1]) / 2 if every.size > 1 else every
    # Shares at most as high as each limit.
    shares = [np.searchsorted(each, limits, side="right") / each.size for each in (lower, upper)]
    wrong = np.stack([shares[0], 1 - shares[1]] if dark_is_higher else [1 - shares[0], shares[1]])
    best = np.flatnonzero(wrong.sum(axis=0) == wrong.sum(axis=0).min())
    chosen = int(best[best.size // 2])
    return DarkLimit(
        value=float(limits[chosen]),
        dark_is_higher=dark_is_higher,
        errors=(float(wrong[0, chosen]), float(wrong[1, chosen])),
    )


def limit_for(record: Record | None, dark: Sequence[Record], healthy: Sequence[Record]) -> DarkLimit | None:
    """The limit from all these runs but the one to be judged, so that no run helps to judge itself."""
    movies = (
        [value for each in runs if each is not record for value in each["samples"].get(COLUMN, ())]
        for runs in (dark, healthy)
    )
    return limit_between(*([value for value in movie if value is not None] for movie in movies))


def with_rules(record: Record, limit: DarkLimit | None) -> Record:
    """The record with the rules as guards: `rule_signal`, and `rule_similarity` where there is a limit.

    A frame is rejected where no box holds signal; and where its prediction is as similar to the one before as
    those of the dark detector are.
    """
    samples = record["samples"]
    found = {"rule_signal": [count < SIGNAL_PX for count in samples["signal_px"]]}
    if limit is not None and COLUMN in samples:
        found["rule_similarity"] = [limit.is_dark(value) for value in samples[COLUMN]]
    added = {
        name: [[seq, "reject" if value else "pass"] for seq, value in enumerate(values)]
        for name, values in found.items()
    }
    return {**record, "guards": {**record["guards"], **added}}
