"""Which recorded images train and which judge: whole days apart, never patches of one image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamer.errors import SourceError

#: Share of the images that judge, and the days from which the paper (Rahm et al.) recommends to train.
VALIDATION_SHARE = 0.1
RECOMMENDED_DAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Indices of the images on either side, and how they were parted.

    Attributes:
        training, validation: indices, ascending.
        by: whole days, or single images where there is one day only.
        days: number of days.
        warning: what weakens the validation, in one line; empty where nothing does.
    """

    training: tuple[int, ...]
    validation: tuple[int, ...]
    by: Literal["day", "image"]
    days: int
    warning: str


def counted(number: int, what: str) -> str:
    """So many of something, in words: 1 pair, 2 pairs."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def split_by_day(days: Sequence[str], seed: int) -> Split:
    """About 90/10 by acquisition day of each image; by image where all are of one day.

    Errors: SourceError for fewer than two images.
    """
    if len(days) < 2:
        raise SourceError(
            f"{counted(len(days), 'usable image')}: too few; at least one trains and one judges, give more"
        )
    rng = np.random.default_rng((seed, 31))
    counts = Counter(days)
    if len(counts) > 1:
        chosen = _judging_days(counts, rng)
        judges = {index for index, day in enumerate(days) if day in chosen}
    else:
        wanted = max(1, round(VALIDATION_SHARE * len(days)))
        judges = set(rng.permutation(len(days))[:wanted].tolist())
    return Split(
        training=tuple(index for index in range(len(days)) if index not in judges),
        validation=tuple(sorted(judges)),
        by="day" if len(counts) > 1 else "image",
        days=len(counts),
        warning=_warning(counts),
    )


def _judging_days(counts: Counter[str], rng: np.random.Generator) -> set[str]:
    """Days whose images come closest to the wanted share: drawn in turn while they bring it closer."""
    wanted = VALIDATION_SHARE * counts.total()
    order = [sorted(counts)[index] for index in rng.permutation(len(counts))]
    smallest = min(order, key=lambda day: counts[day])
    chosen, held = {smallest}, counts[smallest]
    for day in order:
        closer = abs(held + counts[day] - wanted) < abs(held - wanted)
        if day not in chosen and closer and len(chosen) + 1 < len(counts):
            chosen.add(day)
            held += counts[day]
    return chosen


def _warning(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return (
            f"all {counts.total()} images are of one day ({next(iter(counts))}): training and validation are "
            f"split by image, which flatters the scores; record on {RECOMMENDED_DAYS} days or more"
        )
    if len(counts) < RECOMMENDED_DAYS:
        return f"images of {len(counts)} days; {RECOMMENDED_DAYS} or more are recommended"
    return ""
