"""What an earlier run was made with, so that a replay and a resumption are made with the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from streamer.apps.compose import Models, ModelSettings, load_models
from streamer.errors import SourceError
from streamer.package import list_packages
from streamer.profile import HardwareProfile
from streamer.recording import PackageUsed, RunInfo


def recorded_profile(run: Path, before: RunInfo) -> HardwareProfile:
    """The profile that the run was recorded under.

    Raises:
        SourceError: this version cannot use it.
    """
    try:
        return HardwareProfile.model_validate(before.profile)
    except ValidationError as error:
        raise SourceError(
            f"{run}: the recorded profile cannot be used by this version "
            f"({error.error_count()} problems); give one with --profile"
        ) from None


def models_as_recorded(told: ModelSettings, before: RunInfo | None) -> Models:
    """The networks as told; what was not told is as it was in the run `before`, if there was one.

    Raises:
        SourceError: a package of the run is not on this machine.
        PackageError: a package is damaged or of the wrong kind.
    """
    if before is None:
        return load_models(told)
    if not told.model and len(before.packages) == 2:
        denoiser, segmenter = map(_where, before.packages)
        told = replace(told, model=denoiser, segmenter=told.segmenter or segmenter)
    return load_models(told, before.engine_keys)


def recorded_plan(before: RunInfo) -> int:
    """Frames that the run planned, 0 if open-ended: the limits of its guards rest on it."""
    hook = before.source.get("hook")
    planned = (hook if isinstance(hook, dict) else before.source).get("planned", 0)
    return planned if isinstance(planned, int) else 0


def _where(package: PackageUsed) -> str:
    """The package's own folder, or its id where the folder is not on this machine."""
    if Path(package.folder).is_dir() and package.folder:
        return package.folder
    if package.id in list_packages():
        return package.id
    raise SourceError(
        f"recorded with the model {package.id} of {package.folder}, which is not there; "
        "give its folder with --model or --segmenter"
    )
