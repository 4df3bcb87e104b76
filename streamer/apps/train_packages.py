"""Packages that a training begins from, reads through, or names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from streamer.apps.train_options import TrainOptions
from streamer.errors import PackageError, UsageError
from streamer.package import ModelPackage, list_packages, load_package
from streamer.package.load import YAML_NAME
from streamer.training import Recipe


def guide_of(options: TrainOptions) -> ModelPackage | None:
    """The denoiser whose output a segmenter learns to read.

    Errors: PackageError for an unusable package; UsageError for one that is shown several frames.
    """
    if options.denoiser is None:
        return None
    package = load_package(options.denoiser).require("denoiser")
    frames = len(package.description.inputs[0].channel_names)
    if frames > 1:
        raise UsageError(
            f"--denoiser {options.denoiser}: is shown {frames} frames, a segmenter learns from single ones; "
            "name a denoiser of one frame"
        )
    return package


def start_of(options: TrainOptions) -> ModelPackage | None:
    """The package to go on from.

    Errors: PackageError for one that was not made here: nothing tells how it scales photons.
    """
    if options.start is None:
        return None
    package = load_package(options.start)
    if package.kind is None or not package.config.architecture:
        raise PackageError(
            f"{package.id}: was not made by `streamer train`, so nothing says how it scales photons; "
            "start from a package that was, or train anew"
        )
    return package.require("denoiser")


def architecture_of(
    options: TrainOptions, recipe: Recipe, start: ModelPackage | None
) -> Mapping[str, object]:
    """Name and settings of the network, without the second head, which comes last.

    Errors: UsageError where the package to go on from has another number or kind of frames.
    """
    if start is None:
        return options.architecture(recipe)
    stated = {name: value for name, value in start.config.architecture.items() if name != "uncertainty"}
    frames = max(stated.get("frames", 1), stated.get("channels", 1))
    if frames != 1 and options.source != "simulated":
        raise UsageError(
            f"--start {options.start}: is shown {frames} frames, recorded images are learned from singly; "
            "start from a denoiser of one frame"
        )
    if frames != recipe.frames:
        raise UsageError(
            f"--start {options.start} --frames {recipe.frames}: it is shown {frames}; give --frames {frames}"
        )
    if frames != 1 and start.config.context != recipe.context:
        raise UsageError(
            f"--start {options.start} --context {recipe.context}: the package's other frames are of "
            f"{start.config.context}; give --context {start.config.context}"
        )
    return stated


def package_notes(options: TrainOptions) -> Iterator[str]:
    """What the user should know of the packages named, a line each."""
    known = list_packages()
    for option, name in (("denoiser", options.denoiser), ("start", options.start)):
        here = Path(name) if name else None
        if here is None or name not in known or not (here / YAML_NAME).is_file():
            continue
        if known[name].resolve() != here.resolve():
            yield f"--{option} {name}: takes {known[name]}; for the folder here type ./{name}"
    partner = options.segmenter
    if partner and partner not in known and not (options.out.parent / partner / YAML_NAME).is_file():
        yield f"--segmenter {partner}: no such package yet; the denoiser will look for it by this name"
