"""Does a calibration fit the profile and the networks of a run? Where it does, what the run takes from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from streamer.calibration.stored import GuardCalibration, Source, default_name, judged_hash, read
from streamer.errors import CalibrationError
from streamer.package import ModelPackage, list_packages
from streamer.profile import HardwareProfile, list_profiles
from streamer.shell import quoted


def check(
    calibration: GuardCalibration,
    profile: HardwareProfile,
    packages: Sequence[ModelPackage],
    *,
    path: Path | None = None,
) -> None:
    """Refuse a calibration that was made for another profile or other networks.

    Args:
        calibration: as read.
        profile: as it will be used.
        packages: the denoiser, then the segmenter.
        path: of the file, to be named.

    Raises:
        CalibrationError: it does not fit: which hash differs, was and is, and the command that cures it.
    """
    reasons = [*_of_profile(calibration, profile), *_of_packages(calibration, packages)]
    if reasons:
        place = path or default_name(calibration.profile, calibration.packages[0].id)
        cure = _again(calibration, profile, packages, place)
        raise CalibrationError(f"{place}: {'; '.join(reasons)}; calibrate again: {cure}")


def _of_profile(calibration: GuardCalibration, profile: HardwareProfile) -> Iterator[str]:
    now = judged_hash(profile)
    if calibration.profile != profile.name:
        yield f"made for the profile {calibration.profile}, this is {profile.name}"
    elif calibration.profile_sha256 != now:
        was = calibration.profile_sha256
        yield f"the profile {profile.name} was {_short(was)}, it is {_short(now)}"


def _of_packages(calibration: GuardCalibration, packages: Sequence[ModelPackage]) -> Iterator[str]:
    for was, package in zip(calibration.packages, packages, strict=True):
        if was.id != package.id:
            yield f"made for the model {was.id}, this is {package.id}"
            continue
        now = package.hashes()
        for name in sorted(was.sha256.keys() | now.keys()):
            before, after = was.sha256.get(name), now.get(name)
            if before != after:
                yield f"{package.id}/{name} was {_short(before)}, it is {_short(after)}"


def _short(sha256: str | None) -> str:
    return "not there" if sha256 is None else f"{sha256[:12]}..."


def _again(
    calibration: GuardCalibration, profile: HardwareProfile, packages: Sequence[ModelPackage], path: Path
) -> str:
    """The command that makes the same calibration for what is used now."""
    rig = profile.name if profile.name in list_profiles() else f"{profile.name}.toml"
    denoiser, segmenter = packages
    words = [f"streamer calibrate {quoted(rig)} --model {_named(denoiser)}"]
    if segmenter.id != denoiser.config.segmenter:
        words.append(f"--segmenter {_named(segmenter)}")
    simulated: list[Source] = []
    for option, null in (("--dark", calibration.dark), ("--run", calibration.healthy)):
        if null is None:
            continue
        if null.source.kind == "simulated":
            simulated.append(null.source)
        else:
            words.append(f"{option} {quoted(null.source.what)}")
    return " ".join([*words, *_simulating(simulated, profile), f"--out {quoted(path)} --force"])


def _simulating(sources: Sequence[Source], profile: HardwareProfile) -> Iterator[str]:
    """Options that simulate the same frames."""
    if not sources:
        return
    yield f"--simulate {','.join(source.what for source in sources)}"
    first = sources[0]
    if len({source.frames for source in sources}) == 1:  # otherwise the numbers are the usual ones
        yield f"--frames {first.frames}"
    if first.shape_yx != list(profile.shape_px or ()):
        yield f"--size-px {first.shape_yx[0]}"
    if first.seed:
        yield f"--seed {first.seed}"


def _named(package: ModelPackage) -> str:
    """How a package is named on the command line: its id where that finds it, else its folder."""
    known = list_packages().get(package.id)
    found = known is not None and known.resolve() == package.folder.resolve()
    return quoted(package.id if found else package.folder)


def calibrated(profile: HardwareProfile, calibration: GuardCalibration) -> HardwareProfile:
    """The profile with what the calibration measured in place of defaults; for composing a run.

    That is the spread of structure residuals of `consistency`: the upper end of its interval, so that the
    stated rate of false alarms holds. What a run records as its profile has it, and a replay of the run
    needs no calibration.
    """
    measured = calibration.healthy.structure_spread if calibration.healthy else None
    if measured is None:
        return profile
    consistency = profile.guards.consistency.model_copy(update={"structure_spread": round(measured.high, 3)})
    guards = profile.guards.model_copy(update={"consistency": consistency})
    return profile.model_copy(update={"guards": guards})


def apply(path: Path, profile: HardwareProfile, packages: Sequence[ModelPackage]) -> HardwareProfile:
    """Read, check, and use: what a run calls with `--calibration FILE`.

    Raises:
        CalibrationError: see `read` and `check`.
    """
    calibration = read(path)
    check(calibration, profile, packages, path=path)
    return calibrated(profile, calibration)
