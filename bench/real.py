"""Real STED images without any truth: denoise a tenth of their photons, compare with the other nine tenths.

    python -m bench.real --data FOLDER --json bench/results/real.json --images docs/images

FOLDER holds `sted_actin_neurons` (10 images of 224 x 224 pixels, FLClab/STEDActinFCN, MIT). Each photon goes
to the shown tenth or to the others by chance: of Poisson counts these are independent, so that the others
tell the error of a prediction without a truth. Networks learn from the shown tenths alone; the filters'
settings come from a second thinning of the shown tenth, image by image.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console

from bench.classical import Denoiser, Grid, Image, grids
from bench.measure import machine
from bench.models import compact
from bench.models_methods import Packaged
from bench.models_picture import panels_figure, save
from bench.real_counts import RealImage, Split, evidence, load_images, split, squared_error
from bench.real_measures import table
from streamer.errors import StreamerError
from streamer.metrics.quality import linear_fit
from streamer.metrics.thinning import thin
from streamer.networks import build
from streamer.training import Examples, Recipe, Rhythm, batch_loss, denoiser_architecture, fit
from streamer.training.noise2void import BlindSpotExamples
from streamer.training.tasks import predict
from streamer.training.thinned import ThinnedExamples

CONSOLE = Console(stderr=True)
IMAGES = "sted_actin_neurons"
OURS = "self-trained, thinned photons"
NOISE2VOID = "self-trained, Noise2Void"
#: Share of the shown photons that a filter sees while its setting is chosen.
TUNING_SHARE = 0.8
#: Standard deviations of the PSF to try, pixels: the files do not say how large a pixel is.
PSF_PX = (1.0, 1.5, 2.0)
#: Steps that train in a few minutes on one core.
RECIPE = Recipe(seed=3, steps=2500, batch=4, patch_px=64, learning_rate=1e-3)
#: What the page says of it.
STATED = ("seed", "steps", "batch", "patch_px", "learning_rate")
SIZE_MULTIPLE = 16
#: Images shown, by name.
PICTURED = ("actin_1", "01_Block_1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """One method's predictions [y, x], one for each image, in photons of the shown tenth."""

    method: str
    kind: str
    setting: str
    images: tuple[Image, ...]


def run(
    images: Sequence[RealImage],
    recipe: Recipe,
    seed: int,
    simulated: str = "",
    filters: Mapping[str, Grid] | None = None,
) -> tuple[dict[str, Any], Sequence[Predicted], Sequence[Split]]:
    """The results; predictions and parts for the picture.

    `simulated` is a package trained on simulated specimens to compare with, '' leaves it out; `filters` are
    grids by name, None takes all.

    Raises:
        StreamerError: the training fails, or the package cannot be used.
    """
    parts = tuple(split(image, seed) for image in images)
    started = time.monotonic()
    networks = list(self_trained(parts, recipe))
    minutes = (time.monotonic() - started) / 60
    predicted = [
        Predicted(method="raw", kind="raw", setting="", images=tuple(part.shown for part in parts)),
        *filtered(parts, grids(PSF_PX) if filters is None else filters, seed),
        *networks,
    ]
    if simulated:
        predicted.append(fitted(simulated, parts, seed))
    results = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "seed": seed,
        "recipe": {key: value for key, value in asdict(recipe).items() if key in STATED},
        "minutes_both_trainings": round(minutes, 1),
        "quick": recipe.steps < RECIPE.steps,
        "images": [{"name": image.name} | asdict(evidence(image.counts)) for image in images],
        "rows": table(
            [(each.method, each.kind, each.setting, each.images) for each in predicted], parts, OURS, seed
        ),
    }
    return results, predicted, parts


def self_trained(parts: Sequence[Split], recipe: Recipe) -> Iterator[Predicted]:
    """The live network trained on the shown photons alone, by thinning them again and with blind spots."""
    shown = [part.shown for part in parts]
    # The same images judge the training: nothing is chosen by that score, the last weights are taken.
    learned_from: Mapping[str, Examples] = {
        OURS: ThinnedExamples(shown, recipe, shown),
        NOISE2VOID: BlindSpotExamples(shown, recipe, shown),
    }
    for name, examples in learned_from.items():
        CONSOLE.print(f"{name}: {recipe.steps} steps")
        torch.manual_seed(recipe.seed)
        network = fit(
            build(denoiser_architecture("live")),
            examples,
            partial(batch_loss, recipe=recipe),
            recipe,
            Rhythm(every=recipe.steps),
        )
        images = tuple(predict(network, image, SIZE_MULTIPLE) for image in shown)
        yield Predicted(method=name, kind="ours" if name == OURS else "baseline", setting="", images=images)


def filtered(parts: Sequence[Split], filters: Mapping[str, Grid], seed: int) -> Iterator[Predicted]:
    """Every classical filter with the setting that is best for each image on a second thinning."""
    for name, grid in filters.items():
        chosen = [tuned(grid, part, seed) for part in parts]
        yield Predicted(
            method=name,
            kind="filter",
            setting="chosen for each image",
            images=tuple(denoiser(part.shown) for denoiser, part in zip(chosen, parts, strict=True)),
        )


def tuned(grid: Grid, part: Split, seed: int) -> Denoiser:
    """The setting of a grid with the least error against shown photons that are held back from it."""
    first, second = _thinned_again(part, seed)
    return min(grid, key=lambda choice: squared_error(choice[1](first), second, TUNING_SHARE))[1]


def fitted(model: str, parts: Sequence[Split], seed: int) -> Predicted:
    """A package trained on simulated specimens, with one gain and offset from the second thinning.

    It predicts light in focus alone; the offset gives it the background that all others keep.
    """
    packaged = Packaged(model)
    pairs = [_thinned_again(part, seed) for part in parts]
    odds = TUNING_SHARE / (1.0 - TUNING_SHARE)
    gain, offset = linear_fit(
        [packaged(first)[0] for first, _ in pairs], [odds * second for _, second in pairs]
    )
    images = tuple((gain * packaged(part.shown)[0] + offset).astype(np.float32) for part in parts)
    return Predicted(
        method=f"{packaged.package.id}, trained on simulated ER", kind="other", setting="", images=images
    )


def _thinned_again(part: Split, seed: int) -> tuple[Image, Image]:
    rng = np.random.default_rng((seed, 51, *part.name.encode()))
    first, second = thin(part.shown, TUNING_SHARE, rng)
    return first.astype(np.float32), second.astype(np.float32)


def draw(predicted: Sequence[Predicted], parts: Sequence[Split], folder: Path) -> None:
    """Write models-real.png: shown tenth, filter, ours, and the photons held out."""
    shown = [each for each in predicted if each.method in ("raw", "Anscombe + NLM", NOISE2VOID, OURS)]
    rows = []
    for index, part in enumerate(parts):
        if part.name in PICTURED:
            top = float(np.percentile(part.held_out, 99.5)) / 9.0
            panels = [
                (
                    f"{each.method}" if each.kind != "raw" else "a tenth of the photons",
                    each.images[index],
                    top,
                )
                for each in shown
            ]
            rows.append([*panels, ("the other nine tenths", part.held_out, 9.0 * top)])
    if rows:
        folder.mkdir(parents=True, exist_ok=True)
        save(panels_figure(rows), folder / "models-real.png")


def main(
    data: Annotated[Path, typer.Option(help="Folder of the shared data.")],
    model: Annotated[
        str, typer.Option(help="Package trained on simulated ER; '': none.")
    ] = "er-denoise-live",
    steps: Annotated[int, typer.Option(help="Of each training.", min=1)] = RECIPE.steps,
    seed: Annotated[int, typer.Option(help="Of the thinning and the intervals.", min=0)] = 5,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
    images: Annotated[Path | None, typer.Option(help="Write the picture into this folder.")] = None,
) -> None:
    """Thin, train on the shown tenth, compare with the rest."""
    try:
        found = load_images(data / IMAGES)
        results, predicted, parts = run(found, replace(RECIPE, steps=steps), seed, model)
    except StreamerError as error:
        CONSOLE.print(f"error: {error}", style="red")
        raise typer.Exit(error.exit_code) from None
    text = compact(results)
    if json_path is None:
        print(text, end="")
    else:
        json_path.write_text(text, encoding="utf-8")
    if images is not None:
        draw(predicted, parts, images)


if __name__ == "__main__":
    typer.run(main)
