"""The picture of the README: one simulated low-dose frame on its way through the networks.

python -m bench.picture --out docs/images/demo.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from streamer.apps.compose import Composer, ModelSettings, load_models
from streamer.core import Frame, Result
from streamer.profile import load_profile
from streamer.simulation import LOW_DOSE, Exposure, Scene, SceneSettings

#: Background, tubule, sheet: dark, and two colours that colour-blind eyes tell apart.
CLASSES = ListedColormap(["#101418", "#e69f00", "#56b4e9"])


def picture(exposure: Exposure, result: Result, pixel_um: float) -> Figure:
    """Counts, prediction, segmentation and truth side by side, with a scale bar of 2 um."""
    top = float(np.percentile(exposure.signal, 99.8))
    panels: list[tuple[str, NDArray[Any], dict[str, Any]]] = [
        ("detected photons (0-3)", exposure.counts, {"cmap": "gray", "vmin": 0, "vmax": 3}),
        ("denoised", result.denoised, {"cmap": "gray", "vmin": 0, "vmax": top}),
        ("segmented: tubules, sheets", result.labels, {"cmap": CLASSES, "vmin": 0, "vmax": 2}),
        ("simulated truth", exposure.signal, {"cmap": "gray", "vmin": 0, "vmax": top}),
    ]
    figure = Figure(figsize=(14, 3.75), dpi=110, facecolor="#101418")
    axes = figure.subplots(1, len(panels))
    for axis, (title, image, how) in zip(axes, panels, strict=True):
        axis.imshow(image, interpolation="nearest", **how)
        axis.set_title(title, color="white", fontsize=11)
        axis.axis("off")
    height, width = exposure.counts.shape
    axes[0].plot([width - 20 - 2 / pixel_um, width - 20], [height - 24] * 2, color="white", linewidth=3)
    figure.subplots_adjust(left=0.004, right=0.996, top=0.92, bottom=0.01, wspace=0.02)
    return figure


def main(
    out: Annotated[Path, typer.Option(help="PNG to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the specimen.")] = 1,
    model: Annotated[str, typer.Option(help="Denoiser package.")] = "er-denoise-live",
) -> None:
    """Expose, denoise, segment, draw."""
    profile = load_profile("abberior_er_low")
    scene = Scene(SceneSettings(seed=seed, shape_yx=profile.shape_px, pixel_nm=profile.pixel_nm))
    exposure = scene.expose(0, 0.0, LOW_DOSE)
    composer = Composer(profile, load_models(ModelSettings(model=model)))
    stages = composer.stages(planned=1)
    result = stages.segment(stages.denoise(Frame(pixels=exposure.counts, seq=0)))
    out.parent.mkdir(parents=True, exist_ok=True)
    picture(exposure, result, profile.pixel_nm / 1e3).savefig(out)


if __name__ == "__main__":
    typer.run(main)
