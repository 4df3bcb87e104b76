"""Counts with exact bounds, and distributions as quantiles: how null distributions are written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.stats import beta

#: The quantiles that are stored.
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

Count = Annotated[int, Field(ge=0, le=10**12)]


class Stored(BaseModel):
    """Part of a calibration file: strict, no unknown keys, finite numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Share(Stored):
    """How many of how many, with exact bounds.

    Attributes:
        count: those that did.
        of: all.
        low, high: two-sided 95 % interval of the probability (Clopper and Pearson, Biometrika 26, 404,
            1934).
        at_most: one-sided upper 95 % bound.
    """

    count: Count
    of: Count
    low: float
    high: float
    at_most: float

    @classmethod
    def out_of(cls, count: int, of: int) -> Share:
        """`count` of `of`; of none at all anything may be true."""
        return cls(
            count=count,
            of=of,
            low=_bound(0.025, count, of - count + 1) if count else 0.0,
            high=_bound(0.975, count + 1, of - count) if count < of else 1.0,
            at_most=_bound(0.95, count + 1, of - count) if count < of else 1.0,
        )

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.count / self.of if self.of else None

    @model_validator(mode="after")
    def _a_part(self) -> Self:
        if self.count > self.of:
            raise ValueError(f"{self.count} of {self.of} is more than all")
        return self

    def __str__(self) -> str:
        return f"{self.count:,} of {self.of:,} (at most {percent(self.at_most)})"


def _bound(level: float, a: int, b: int) -> float:
    return float(beta.ppf(level, a, b))


class Spread(Stored):
    """The distribution of a number over frames.

    Attributes:
        n: numbers.
        mean: of them.
        sd: their standard deviation; 0 of a single one.
        quantiles: by probability, as in {"0.5": median}.
    """

    n: Count
    mean: float
    sd: float
    quantiles: Annotated[dict[str, float], Field(max_length=20)]

    @classmethod
    def of(cls, values: Sequence[float] | NDArray[np.float64]) -> Spread | None:
        """Of the finite values; None where there are none."""
        found = np.asarray(values, np.float64)
        found = found[np.isfinite(found)]
        if not found.size:
            return None
        return cls(
            n=int(found.size),
            mean=float(found.mean()),
            sd=float(found.std(ddof=1)) if found.size > 1 else 0.0,
            quantiles={f"{q:g}": float(np.quantile(found, q)) for q in QUANTILES},
        )

    @property
    def median(self) -> float:
        """The middle value."""
        return self.quantiles.get("0.5", self.mean)


class Interval(Stored):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def percent(share: float) -> str:
    """A share in per cent with two digits, as in `0.024 %`."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
