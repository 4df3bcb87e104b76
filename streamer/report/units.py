"""Numbers and times as a reader says them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

_PREFIXES = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"), (1e-15, "fJ"))
#: Ranges that a sentence names; further ones are counted.
_RANGES_SAID = 4
ABSENT = "–"


def number(value: float | None, digits: int = 3) -> str:
    """A value with so many significant digits, without an exponent where a reader needs none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == round(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 10**digits:
        return f"{value:.{digits}g}"
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e9 else f"{value:.{digits}g}"


def frames(count: int) -> str:
    """So many frames, in words."""
    return f"{count:,} frame" if count == 1 else f"{count:,} frames"


def share(part: float, whole: float) -> str:
    """A share in percent; what is neither nothing nor all is never rounded to either."""
    if not whole:
        return ABSENT
    percent = 100.0 * part / whole
    if 0 < percent < 1:
        return "less than 1 %"
    if 99 < percent < 100:
        return "more than 99 %"
    return f"{percent:.0f} %"


def duration(seconds: float | None) -> str:
    """A time span by its two largest units."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return "an unknown time"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s" if rest_s else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"


def milliseconds(ms: float | None) -> str:
    """A latency: milliseconds, seconds from one second on, minutes from two minutes on."""
    if ms is None or not math.isfinite(ms):
        return ABSENT
    if ms < 1000:
        return f"{ms:.1f} ms" if ms < 10 else f"{ms:.0f} ms"
    return f"{ms / 1e3:.2f} s" if ms < 120e3 else duration(ms / 1e3)


def moment(wall_s: float | None) -> str:
    """Date and time of day here, with the zone."""
    if not wall_s or not math.isfinite(wall_s) or not 0 < wall_s < 4e10:
        return "at an unknown time"
    return time.strftime("%A %-d %B %Y, %H:%M:%S %Z", time.localtime(wall_s)).replace("  ", " ")


def energy_unit(microjoule: float) -> tuple[float, str]:
    """The factor from microjoule, and the unit, in which an energy is 1 to 999."""
    joule = abs(microjoule) * 1e-6
    factor, unit = next(
        (one for one in _PREFIXES if joule >= one[0]), _PREFIXES[-1] if joule else _PREFIXES[0]
    )
    return 1e-6 / factor, unit


def energy(microjoule: float, digits: int = 3) -> str:
    """An energy with the prefix that gives 1 to 999."""
    factor, unit = energy_unit(microjoule)
    return f"{microjoule * factor:.{digits}g} {unit}"


def light(line: str, value: float) -> str:
    """The dose of one laser line as the ledger keys it: `excitation 640 nm uJ/px`, `… J/cm2`."""
    if line.endswith(" uJ/px"):
        return f"{energy(value)} a pixel"
    if line.endswith(" J/cm2"):
        return f"{value:.3g} J/cm²"
    return number(value)


def line_name(line: str) -> str:
    """The laser line of a key of the ledger, without its unit."""
    return line.removesuffix(" uJ/px").removesuffix(" J/cm2")


def ranges(held: Sequence[tuple[int, int]], more: int = 0) -> str:
    """Frame numbers as `3, 7–12 and 40 further ranges`."""
    said = [f"{first:,}" if first == last else f"{first:,}–{last:,}" for first, last in held[:_RANGES_SAID]]
    more += len(held) - len(said)
    if more:
        return f"{', '.join(said)} and {more:,} further {'range' if more == 1 else 'ranges'}"
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said)
