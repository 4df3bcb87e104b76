"""Judging on simulated specimens of the test range, whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from streamer.analysis import HeldOut, held_out, held_out_stacks, judge, pictures
from streamer.analysis.stacks import fullest_of
from streamer.apps.evaluate_methods import Image, Method, level_of, methods_of, versions
from streamer.apps.evaluate_options import EvaluateOptions
from streamer.apps.evaluated import Judged, judged_on

Tick = Callable[[str, int, int], None]


def of_specimens(options: EvaluateOptions, tick: Tick) -> dict[str, Any]:
    """One level for each structure and dose that was asked for."""
    methods = methods_of(options)
    cards = [judged_on(method.package) for method in methods if method.package is not None]
    # Without its neighbours a denoiser of slices is out of its depth; other models lose nothing on slices.
    wanted = _as_asked(options, next((card for card in cards if card.slices), cards[0]))
    doses = options.levels or (None,)
    levels = [
        _simulated(options, wanted, methods, structure, level, tick)
        for structure, level in product(wanted.structures, doses)
    ]
    return {"about": _about(options, wanted), "levels": levels}


def _simulated(
    options: EvaluateOptions,
    wanted: Judged,
    methods: Sequence[Method],
    structure: str,
    level: float | None,
    tick: Tick,
) -> dict[str, Any]:
    """All methods on the specimens of one structure at one dose."""
    stage = f"{structure}, {'low dose' if level is None else f'level {level:g}'}"
    tick(f"{stage}: simulating", 0, wanted.frames)
    specimens = held_out_stacks if wanted.slices else held_out
    frames = specimens(structure, wanted.frames, wanted.seed, level, wanted.size_px)
    tick(f"{stage}: simulating", wanted.frames, wanted.frames)
    reports = {}
    for number, method in enumerate(methods):
        tick(f"{stage}: judging", number, len(methods))
        reports[method.name] = judge(method.denoise, frames, wanted.seed)
    tick(f"{stage}: judging", len(methods), len(methods))
    if options.out is not None:
        _draw(options.out, f"{structure}-{_stem(level)}", methods, frames, reports)
    shown = [frame.shown for frame in frames]
    judged = level_of(options, methods, reports, shown, wanted.seed)
    return {"structure": structure, "level": level, **judged}


def _as_asked(options: EvaluateOptions, card: Judged) -> Judged:
    return replace(
        card,
        frames=options.frames or card.frames,
        seed=card.seed if options.seed is None else options.seed,
        size_px=options.size_px or card.size_px,
        structures=options.structures or card.structures,
    )


def _about(options: EvaluateOptions, wanted: Judged) -> dict[str, Any]:
    told: dict[str, Any] = {"seed": wanted.seed, "frames": wanted.frames, "size_px": wanted.size_px}
    if wanted.slices:
        told["notes"] = [
            f"{wanted.frames} stacks, each slice with those below and above: intervals over stacks"
        ]
    return told | versions(options)


def _stem(level: float | None) -> str:
    return "low-dose" if level is None else f"level-{level:g}"


def _draw(
    out: Path,
    stem: str,
    methods: Sequence[Method],
    frames: Sequence[HeldOut],
    reports: Mapping[str, Mapping[str, Any]],
) -> None:
    """Pictures of the first specimen, and of all frames where they add up."""
    first = fullest_of(frames)
    shown = {method.name: method.denoise(*first.shown)[0] for method in methods}
    references = first.reference_a, first.reference_b
    pictures.draw_frame(out, stem, shown, first.truth, references, first.pixel_nm)
    pictures.draw_faint(reports, out / f"faint-{stem}.png")
    stated = dict(_with_deviation(methods, frames))
    if stated:
        pictures.draw_reliability(stated, [frame.truth for frame in frames], out / f"reliability-{stem}.png")


def _with_deviation(
    methods: Sequence[Method], frames: Sequence[HeldOut]
) -> Iterator[tuple[str, list[tuple[Image, Image]]]]:
    for method in methods:
        predicted = [method.denoise(*frame.shown) for frame in frames]
        known = [(image, deviation) for image, deviation in predicted if deviation is not None]
        if len(known) == len(predicted):
            yield method.name, known
