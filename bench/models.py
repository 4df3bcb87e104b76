"""docs/models.md in numbers: denoisers against tuned filters and trained baselines on held-out specimens.

    python -m bench.models --care PATH --noise2void PATH --json bench/results/models.json --images docs/images

Every row of every table comes from one run on the same specimens of the test range, whose truth is known.
Filters are tuned on specimens of the validation range at the same photon level, then frozen; packages are run
by the stage and the engine of a live run. The baselines are packages that `streamer train` made:

    streamer train --simulate er --architecture care-unet --out care
    python -m bench.models_noisy --out noisy
    streamer train --noisy noisy --method noise2void --out noise2void
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from bench.classical import GRIDS, Grid
from bench.measure import machine
from bench.models_measure import curves, measured, row
from bench.models_methods import Kind, Method, Packaged, raw_and_filters, tuning_frames
from bench.models_picture import Crops, draw_results
from bench.models_structures import Guard, structures
from streamer.analysis import HeldOut, held_out
from streamer.errors import StreamerError, UsageError

#: Progress goes to stderr.
CONSOLE = Console(stderr=True)
#: Median box sums: the paper's low dose, three times as many photons, three times fewer.
LEVELS = (28.0, 84.0, 9.3)
#: Below this the run is to see that everything works.
FRAMES_MIN, SIZE_MIN = 12, 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is told.

    Attributes:
        models: (name, package, kind); the one of kind "ours" is compared with all others.
        frames, size_px, seed: of the test specimens.
        tuning, tuning_px: number and size of the tuning frames of each level.
        structure_frames: specimens of each other structure; 0 leaves them out.
        data: folder of the real emitter maps; None leaves them out.
        filters: grids by the name of the filter.
    """

    models: tuple[tuple[str, str, Kind], ...]
    levels: tuple[float, ...] = LEVELS
    frames: int = 12
    size_px: int = 600
    seed: int = 5
    tuning: int = 4
    tuning_px: int = 300
    structure_frames: int = 4
    data: Path | None = None
    filters: Mapping[str, Grid] = field(default_factory=lambda: GRIDS)


def run(options: Options) -> tuple[dict[str, Any], Crops]:
    """Everything the page says, and what its pictures show.

    Raises:
        StreamerError: a package cannot be used.
    """
    ours = next(model for _, model, kind in options.models if kind == "ours")
    packaged = {name: Packaged(model) for name, model, _ in options.models}
    # What a run of minutes needs at its end must not be missing then.
    guard = Guard(ours) if options.structure_frames else None
    networks = [
        Method(name=name, kind=kind, setting="", denoise=packaged[name]) for name, _, kind in options.models
    ]
    crops: Crops = {}
    levels = []
    for level in options.levels:
        frames = held_out("er", options.frames, options.seed, level, options.size_px)
        tuning = tuning_frames(level, options.tuning, options.seed, options.tuning_px)
        filters = list(raw_and_filters(tuning, options.filters))
        rows, crops[level] = _level([*filters, *networks], frames, options.seed)
        levels.append({"box_sum": level, "rows": rows})
        if level == options.levels[0]:
            at_paper_level = filters
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "quick": options.frames < FRAMES_MIN or options.size_px < SIZE_MIN,
        "frames": options.frames,
        "size_px": options.size_px,
        "seed": options.seed,
        "tuning": {"frames": options.tuning, "size_px": options.tuning_px},
        "levels": levels,
        "structures": _structures([*at_paper_level, *networks], guard, options),
        "packages": [_origin(method, packaged[method.name]) for method in networks],
    }, crops


def _level(
    methods: Sequence[Method], frames: Sequence[HeldOut], seed: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of one level; and of one frame the counts, the fitted predictions and the truth."""
    reports, shown = {}, {}
    example = max(frames, key=lambda frame: int((frame.labels == 1).sum()))
    for method in track(methods, f"{frames[0].median_box_sum:.3g} photons", console=CONSOLE):
        report, denoise = measured(method, frames, seed)
        reports[method.name] = report
        fit = report["fit"]
        shown[method.name] = fit["gain"] * denoise(example.counts)[0] + fit["offset_photons"]
    ours = next(reports[method.name] for method in methods if method.kind == "ours")
    rows = [
        row(method, reports[method.name], ours, seed) | curves(reports[method.name]) for method in methods
    ]
    return rows, shown | {"counts": example.counts, "truth": example.truth}


def _structures(methods: Sequence[Method], guard: Guard | None, options: Options) -> list[dict[str, Any]]:
    if guard is None:
        return []
    found = structures(
        methods,
        guard,
        options.levels[0],
        options.seed,
        options.structure_frames,
        options.size_px,
        options.data,
    )
    return list(track(found, "structures", console=CONSOLE))


def _origin(method: Method, packaged: Packaged) -> dict[str, Any]:
    """Where a package comes from, in its own words."""
    package = packaged.package
    training = package.config.training or {}
    return {
        "method": method.name,
        "kind": method.kind,
        "id": package.id,
        "weights_sha256": package.hashes()["weights.onnx"],
        "trained_box_sum": package.trained_box_sum,
        "training": training,
    }


def chosen_models(
    live: str, care: str, noise2void: str, others: Sequence[str]
) -> Iterator[tuple[str, str, Kind]]:
    """(name, package, kind) of every network, the baselines first.

    Raises:
        UsageError: one of `others` is not NAME=PATH.
    """
    if noise2void:
        yield "Noise2Void", noise2void, "baseline"
    if care:
        yield "CARE U-Net", care, "baseline"
    yield Path(live).name, live, "ours"
    for other in others:
        name, found, path = other.partition("=")
        if not (name and found and path):
            raise UsageError(f"--model {other}: use NAME=PATH, as in causal=models/er-denoise-causal")
        yield name, path, "other"


def parsed_levels(words: str) -> tuple[float, ...]:
    """Median box sums from "28,84,9.3".

    Raises:
        UsageError: one is no number above 0.
    """
    try:
        levels = tuple(float(word) for word in words.split(","))
    except ValueError:
        levels = ()
    if not levels or not all(0 < level < float("inf") for level in levels):
        raise UsageError(f"--levels {words}: use photons above 0 with commas between, as in 28,84,9.3")
    return levels


def compact(results: Mapping[str, Any]) -> str:
    """JSON with one line for each innermost list or mapping: short, and still readable in a difference."""
    text = json.dumps(results, indent=1)
    inner = re.compile(r"([\[{])\n\s*([^\[\]{}]*?)\n\s*([\]}])")
    return inner.sub(lambda found: found[1] + re.sub(r"\n\s*", " ", found[2]) + found[3], text) + "\n"


def main(
    live: Annotated[str, typer.Option(help="The package that is compared with all others.")] = (
        "er-denoise-live"
    ),
    care: Annotated[str, typer.Option(help="CARE-style U-Net, a package.")] = "",
    noise2void: Annotated[str, typer.Option(help="Noise2Void network, a package.")] = "",
    model: Annotated[list[str] | None, typer.Option(help="NAME=PATH of a further package; repeat.")] = None,
    frames: Annotated[int, typer.Option(help="Specimens of each level.", min=2)] = 12,
    size: Annotated[int, typer.Option(help="Pixels a side.", min=96)] = 600,
    levels: Annotated[str, typer.Option(help="Median box sums; the paper's first.")] = "28,84,9.3",
    seed: Annotated[int, typer.Option(help="Of specimens and intervals.", min=0)] = 5,
    structure_frames: Annotated[int, typer.Option(help="Specimens of each structure; 0: none.")] = 4,
    data: Annotated[Path | None, typer.Option(help="Folder of real emitter maps.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
    images: Annotated[Path | None, typer.Option(help="Write the pictures into this folder.")] = None,
) -> None:
    """Judge every method on the same held-out specimens; `python -m bench.models_page` makes the page."""
    try:
        options = Options(
            models=tuple(chosen_models(live, care, noise2void, model or [])),
            levels=parsed_levels(levels),
            frames=frames,
            size_px=size,
            seed=seed,
            structure_frames=structure_frames,
            data=data,
        )
        results, crops = run(options)
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    text = compact(results)
    if json_path is None:
        print(text, end="")
    else:
        json_path.write_text(text, encoding="utf-8")
    if images is not None:
        draw_results(results, crops, images)


if __name__ == "__main__":
    typer.run(main)
