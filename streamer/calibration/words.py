"""A calibration in words for the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streamer.calibration.numbers import Share, Spread, percent
from streamer.calibration.stored import DarkNull, DetectorSeen, GuardCalibration, HealthyNull

#: Similarity in the dark from which on nobody could tell it from a healthy run.
ALIKE = 0.9
#: Share of a dark field from which on a model invents, and that leaves nothing around what is drawn.
INVENTS, FILLED = 0.01, 0.5
#: How far a measured offset or noise may lie from the stated one.
OFFSET_E, NOISE = 0.3, 0.1


def in_words(calibration: GuardCalibration) -> list[str]:
    """What it means, a sentence each."""
    lines: list[str] = []
    if calibration.dark:
        lines += _of_dark(calibration.dark, calibration.healthy)
    if calibration.healthy:
        lines += _of_healthy(calibration.healthy)
    return lines


def _of_dark(dark: DarkNull, healthy: HealthyNull | None) -> Iterator[str]:
    rejected = dark.results - dark.passed.count
    yield (
        f"empty frames are rejected in {rejected:,} of {dark.results:,}; at most "
        f"{percent(dark.passed.at_most)} pass (95 %), stated are {percent(dark.stated_pass_rate)}"
        f"{_verdict(dark.passed, dark.stated_pass_rate)}"
    )
    if dark.stopped_at is not None:
        yield f"a run in the dark is stopped at frame {dark.stopped_at}"
    elif dark.source.frames > dark.minimum_frames:
        yield f"a run in the dark is not stopped within {dark.source.frames:,} frames"
    for status, told in (("reject", "rejected"), ("flag", "flagged")):
        guards = [name for name, said in dark.statuses.items() if _mostly(said, status)]
        if guards:
            yield f"of the dark frames 95 % or more are {told} by {', '.join(guards)}"
    if dark.drawn:
        highest = dark.drawn.quantiles["0.99"]
        mean = percent(dark.drawn.mean)
        yield f"in the dark this model draws {mean} of the field (99 % of frames: {percent(highest)})"
        if dark.drawn.mean > INVENTS:
            yield (
                "it invents structure from this detector's noise: do not believe faint structure here, and "
                "train a model on images of this rig"
            )
    if dark.not_finite.count:
        yield (
            f"in the dark this model gives values that are not finite in {dark.not_finite}; "
            "it divides by what is not there, use another model"
        )
    yield from _similarity(dark, healthy)
    if dark.objects.of:
        yield f"of the objects it draws there, photons support {dark.objects}"
    elif dark.drawn and dark.drawn.mean > FILLED:
        yield "what it draws there fills the field, and `evidence` has nothing to compare it with"
    elif dark.halved:
        yield f"it draws no object there that `evidence` could test, in {dark.halved} halved frames"
    yield from _detector(dark.detector, dark.box_photons)


def _mostly(said: Mapping[str, int], status: str) -> bool:
    return said.get(status, 0) >= 0.95 * max(sum(said.values()), 1)


def _verdict(passed: Share, stated: float) -> str:
    if passed.low > stated:
        return ": more than stated, are these frames really dark and even?"
    if passed.at_most <= stated:
        return ": confirmed"
    return f"; to confirm that takes {round(3 / stated):,} frames" if not passed.count else ""


def _similarity(dark: DarkNull, healthy: HealthyNull | None) -> Iterator[str]:
    if dark.similarity is None:
        return
    there = f"neighbouring dark predictions have a similarity of {dark.similarity.median:.2f}"
    usual = healthy.similarity if healthy else None
    if usual is None:
        if dark.similarity.median >= ALIKE:
            yield f"{there}: similarity alone cannot see darkness with this model"
        else:
            yield f"{there}; darkness shows to whoever starts well above that"
        return
    low = usual.quantiles["0.05"]
    told = f"{there}, healthy ones of {usual.median:.2f} (5 %: {low:.2f})"
    if dark.similarity.median >= low:
        yield f"{told}: similarity alone cannot see darkness with this model"
    else:
        yield f"{told}: similarity falls when the light goes"


def _detector(seen: DetectorSeen, boxes: Spread | None) -> Iterator[str]:
    if boxes:
        yield f"the detector gives {boxes.mean:.2g} photons in a dark box of 10 x 10 pixels"
    if abs(seen.photons_per_px) > max(OFFSET_E, 0.25 * seen.stated_read_noise_e):
        yield (
            f"the dark level is {seen.offset_adu:.2f} grey levels, the profile states "
            f"{seen.stated_offset_adu:g}; measure it with --photon-transfer"
        )
    stated = seen.stated_read_noise_e
    if stated and abs(seen.read_noise_e - stated) > NOISE * stated:
        yield (
            f"the dark noise is {seen.read_noise_e:.2f} photo-electrons, the profile states {stated:g}; "
            "measure it with --photon-transfer"
        )
    if not stated and seen.dispersion is not None and seen.photons_per_px > 0 and seen.dispersion > 1.5:
        yield (
            f"dark values vary {seen.dispersion:.1f} times as much as photon counts do; is the detector "
            "really counting?"
        )


def _of_healthy(healthy: HealthyNull) -> Iterator[str]:
    for guard, said in healthy.statuses.items():
        rejected = Share.out_of(said.get("reject", 0), sum(said.values()))
        flagged = Share.out_of(said.get("flag", 0), sum(said.values()))
        if rejected.count or flagged.count:
            yield f"healthy frames that {guard} flags: {flagged}; rejects: {rejected}"
    if healthy.similarity:
        yield f"neighbouring healthy predictions have a similarity of {healthy.similarity.median:.2f}"
    spread = healthy.structure_spread
    if spread is None:
        yield "too few healthy frames to tell the spread of structure residuals; use 20 or more"
        return
    yield (
        f"structure residuals of right predictions spread by {spread}; the profile states "
        f"{healthy.stated_spread:g}, a run with this file takes {spread.high:.3g}"
    )
