"""The calibration file: what a model and the guards made of frames without light, and of healthy ones.

It belongs to one profile and one pair of networks, whose hashes it holds; with others it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from streamer.calibration.numbers import Count, Interval, Share, Spread, Stored
from streamer.errors import CalibrationError
from streamer.package import ModelPackage
from streamer.profile import HardwareProfile
from streamer.recording import profile_hash
from streamer.recording.files import replace_file, writing
from streamer.shell import quoted

#: The layout that this version writes and reads.
FORMAT_VERSION: Literal[1] = 1
SUFFIX = ".calibration.json"
_MAX_BYTES = 1_000_000

_Words = Annotated[str, Field(max_length=4000)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Shape = Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2, max_length=2)]
#: How often each guard said what: {guard: {status: results}}.
Statuses = Annotated[dict[str, dict[str, Count]], Field(max_length=100)]


class Source(Stored):
    """Where frames came from.

    Attributes:
        kind: a movie of the rig, or the simulation.
        what: path of the movie, or what was simulated.
        frames: how many.
        shape_yx: of each.
        seed: of a simulation.
    """

    kind: Literal["movie", "simulated"]
    what: _Words
    frames: Count
    shape_yx: _Shape
    seed: int | None = None


class DetectorSeen(Stored):
    """What frames without light say of the detector, beside what the profile states.

    Attributes:
        offset_adu, read_noise_e: as seen; the noise is that of a pixel from frame to frame, with dark counts.
        stated_offset_adu, stated_read_noise_e: as the profile has them.
        photons_per_px: mean of a pixel by the profile's calibration: dark counts, and what is wrong with the
            stated offset.
        dispersion: variance of a pixel over that of its photons and the stated read noise: 1 where both are
            right; None where there is neither.
    """

    offset_adu: float
    read_noise_e: float
    stated_offset_adu: float
    stated_read_noise_e: float
    photons_per_px: float
    dispersion: float | None


class DarkNull(Stored):
    """What a model and the guards make of frames without light.

    Attributes:
        source: of the frames.
        results: frames, or the channels that they were cut into.
        passed: results that `signal_map` did not reject, of all; its stated rate is `stated_pass_rate`.
        stated_pass_rate: of the profile.
        statuses: of every guard.
        drawn: share of the field that the network draws, over results.
        similarity: of adjacent predictions over the whole field.
        similarity_seen: the same as the guard measured it, where it found anything to compare.
        objects: drawn objects that `evidence` calls supported, of those it tested, on all halved results.
        halved: results that were halved.
        box_photons: photons in boxes of 10 x 10 pixels, mean of each result.
        not_finite: results whose prediction holds values that are not finite.
        stopped_at: first frame at which the policy stopped the run; None where it did not.
        minimum_frames: before which the policy stops nothing.
        detector: what the frames say of the detector.
    """

    source: Source
    results: Count
    passed: Share
    stated_pass_rate: float
    statuses: Statuses
    drawn: Spread | None
    similarity: Spread | None
    similarity_seen: Spread | None
    objects: Share
    halved: Count
    box_photons: Spread | None
    not_finite: Share
    stopped_at: Count | None
    minimum_frames: Count
    detector: DetectorSeen


class HealthyNull(Stored):
    """What the guards make of a healthy specimen.

    Attributes:
        source: of the frames.
        results: frames, or the channels that they were cut into.
        statuses: of every guard.
        drawn: share of the field that the network draws.
        similarity: of adjacent predictions, of a recording; None of specimens that have no neighbour.
        structure_spread: for `consistency`; None where too little was seen to tell.
        stated_spread: of the profile.
        box_photons: photons in boxes that the signal map calls foreground, median of each result.
    """

    source: Source
    results: Count
    statuses: Statuses
    drawn: Spread | None
    similarity: Spread | None
    structure_spread: Interval | None
    stated_spread: float
    box_photons: Spread | None


class Package(Stored):
    """A model package as it was: id, and the sha256 of each of its files."""

    id: _Words
    sha256: Annotated[dict[str, _Sha256], Field(max_length=100)]


class GuardCalibration(Stored):
    """Null distributions of the guards for one model on one rig.

    Attributes:
        format_version: of the file.
        made: when, ISO 8601 with its time zone.
        profile: name of the profile.
        profile_sha256: of all that it says of the rig, `judged_hash`.
        packages: the denoiser, then the segmenter.
        engine_keys: how the networks were computed.
        versions: of what the numbers depend on.
        dark, healthy: null distributions; None where they were not asked for.
    """

    format_version: Literal[1] = FORMAT_VERSION
    made: _Words
    profile: _Words
    profile_sha256: _Sha256
    packages: Annotated[list[Package], Field(min_length=2, max_length=2)]
    engine_keys: dict[str, Any]
    versions: Annotated[dict[str, _Words], Field(max_length=100)]
    dark: DarkNull | None = None
    healthy: HealthyNull | None = None


def of_now(
    profile: HardwareProfile,
    packages: Sequence[ModelPackage],
    *,
    engine_keys: dict[str, Any],
    versions: dict[str, str],
    dark: DarkNull | None,
    healthy: HealthyNull | None,
) -> GuardCalibration:
    """A calibration with the hashes of what it was made with; `packages` are denoiser and segmenter."""
    return GuardCalibration(
        made=datetime.now().astimezone().isoformat(timespec="seconds"),
        profile=profile.name,
        profile_sha256=judged_hash(profile),
        packages=[Package(id=package.id, sha256=package.hashes()) for package in packages],
        engine_keys=engine_keys,
        versions=versions,
        dark=dark,
        healthy=healthy,
    )


def judged_hash(profile: HardwareProfile) -> str:
    """sha256 of all that a profile says of rig and guards; how much of a run is computed is no part."""
    return profile_hash({name: value for name, value in profile.to_dict().items() if name != "processing"})


def default_name(profile: str, model: str) -> Path:
    """The file in the working folder, as in `rig-er-denoise-live.calibration.json`."""
    return Path(f"{profile}-{model}{SUFFIX}")


def write(path: Path, calibration: GuardCalibration) -> None:
    """Put the file there in one step.

    Raises:
        RecordingError: it cannot be written.
    """
    text = calibration.model_dump_json(indent=1) + "\n"
    with writing(path):
        replace_file(path, text.encode())


def read(path: Path) -> GuardCalibration:
    """A calibration from its file; whether it fits is for `check` to say.

    Raises:
        CalibrationError: no such file, too large, of another version, or not what we wrote.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CalibrationError(f"{path}: larger than {_MAX_BYTES} bytes; a calibration is a short file")
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CalibrationError(
            f"{path}: no such file; `streamer calibrate PROFILE --simulate dark,er --out {quoted(path)}` "
            "makes one"
        ) from None
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    except (ValueError, RecursionError) as error:
        raise CalibrationError(f"{path}: not JSON: {error}; calibrate again") from None
    version = found.get("format_version") if isinstance(found, dict) else None
    if version != FORMAT_VERSION:
        raise CalibrationError(
            f"{path}: format_version = {json.dumps(version)[:40]}; this version of streamer reads "
            f"{FORMAT_VERSION}, calibrate again with it"
        )
    try:
        return GuardCalibration.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CalibrationError(f"{path}: {place}: {first['msg']}; calibrate again") from None
