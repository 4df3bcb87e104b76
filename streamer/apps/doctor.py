"""What works on this machine: each part of the product looked at, with the cure where it does not.

Nothing is left behind.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import streamer
from streamer.errors import StreamerError
from streamer.package import list_packages, load_package
from streamer.profile import list_profiles, load_profile
from streamer.resources import search_path, spool_dir
from streamer.wire import DEFAULT_ENDPOINT
from streamer.wire.ring import room_bytes

#: Distributions of the base product, and what the processor needs besides a network engine.
BASE = ("numpy", "pyzmq", "pydantic", "typer", "rich", "platformdirs", "pyyaml")
PROCESSOR = ("zarr", "numcodecs", "tifffile", "scikit-image", "numba", "scipy", "pyarrow", "ndstorage")
BRIDGE_PORT = 4827
#: Written to learn the speed of a disk: enough to leave the caches of small drives, a second at 64 MB/s.
TRIAL_BYTES, TRIAL_S = 1 << 26, 3.0
#: Recorded bytes per second, raw (2 bytes a pixel) and annotated (6), of what people run.
LOADS = {
    "600 x 600 at 0.6 s": 600 * 600 * 8 / 0.6,
    "2048 x 2048 at 100 fps": 2048 * 2048 * 8 * 100,
}
#: Shared memory that holds 16 frames of 2048 x 2048.
RING_BYTES = 16 * 2048 * 2048 * 2
#: Frames that an engine is tried on.
FRAME_YX = (600, 600)
#: A clock coarser than this cannot time a frame.
CLOCK_S = 1e-3

Status = Literal["ok", "missing", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part looked at.

    Attributes:
        part: what was looked at.
        status: ok, missing (not installed, not there), problem (there, but it will not do).
        words: what was found.
        cure: what to do about it; empty where it is ok.
        needed: whether the base product does not work without it.
    """

    part: str
    status: Status
    words: str
    cure: str = ""
    needed: bool = False


def doctor(out: Path) -> Iterator[Finding]:
    """Look at everything, one part after the other; a check that fails is itself a finding.

    Args:
        out: the folder that recordings go into.
    """
    checks: Mapping[str, Callable[[], Iterator[Finding]]] = {
        "python": _python,
        "cpu": _cpu,
        "processor": _processor,
        "openvino": _openvino,
        "gpu": _gpu,
        "engine": _engine,
        "acquisition": _acquisition,
        "disk": lambda: _disk(out),
        "shared memory": _shared_memory,
        "port": _port,
        "clock": _clock,
        "user folders": _user_folders,
        "profiles": _profiles,
        "models": _models,
    }
    for part, check in checks.items():
        try:
            yield from check()
        except Exception as error:  # a doctor who faints helps nobody
            words = f"could not be checked: {type(error).__name__}: {error}"
            yield Finding(part, "problem", words, "report this with the output of `streamer doctor --json`")


def works(findings: list[Finding]) -> bool:
    """Whether everything that the base product needs works."""
    return all(finding.status == "ok" for finding in findings if finding.needed)


def _python() -> Iterator[Finding]:
    system = platform.platform(terse=True)
    words = f"Python {platform.python_version()} on {system}, streamer {streamer.__version__}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Finding("python", "ok", words, needed=True)
    else:
        yield Finding("python", "problem", words, "use Python 3.11, 3.12 or 3.13", needed=True)
    yield _installed("base packages", BASE, "", needed=True)


def _cpu() -> Iterator[Finding]:
    from streamer.engines.cpu import cpu_name, instruction_set, usable_cores

    words = f"{cpu_name()}, {usable_cores()} cores to use, {instruction_set()}"
    yield Finding("cpu", "ok", words)


def _processor() -> Iterator[Finding]:
    yield _installed("recording and guards", PROCESSOR, "[processor]")
    torch = _version("torch")
    cure = "only `streamer train` and the engine torch need it: pip install 'scope-streamer[train]'"
    yield Finding("torch", "ok", torch) if torch else Finding("torch", "missing", "not installed", cure)


def _openvino() -> Iterator[Finding]:
    if found := _version("openvino"):
        from streamer.engines.openvino import devices

        yield Finding("openvino", "ok", f"{found}: {', '.join(devices())}")
    else:
        cure = "pip install 'scope-streamer[processor]'"
        yield Finding(
            "openvino",
            "missing",
            "not installed; networks compute on PyTorch, several times slower, or not at all",
            cure,
        )


def _gpu() -> Iterator[Finding]:
    from streamer.engines.nvidia import nvidia

    found = nvidia()
    if found.gpus:
        cards = ", ".join(gpu.words for gpu in found.gpus)
        speaks = ".".join(map(str, found.cuda))
        yield Finding("gpu", "ok", f"{cards}; driver {found.driver}, CUDA {speaks}")
    elif found.problem.startswith("NVIDIA driver"):
        yield Finding("gpu", "problem", found.problem, "install the driver again, or restart the machine")
    else:
        yield Finding("gpu", "missing", found.problem, "none needed: networks compute on the processor")


def _engine() -> Iterator[Finding]:
    """What `auto` takes for the default model, on frames of a usual size; a trial of seconds."""
    from streamer.apps.compose import DEFAULT_MODEL
    from streamer.engines import absences, choose

    package = load_package(DEFAULT_MODEL)
    height, width = (size + -size % package.size_multiple for size in FRAME_YX)
    try:
        words = choose(package, (height, width)).words
        yield Finding("engine", "ok", f"{package.id} at {height}x{width}: {words}")
    except StreamerError as error:
        cures = (why.cure for why in absences().values() if why.cure)
        yield Finding("engine", "problem", str(error), next(cures, f"streamer models check {package.id}"))


def _acquisition() -> Iterator[Finding]:
    extra = "pip install 'scope-streamer[demo]', which pins versions that match"
    yield _one("pycromanager", "Pycro-Manager", extra)
    yield _one("pymmcore-plus", "pymmcore-plus", extra)
    core, adapters = _version("pymmcore"), _version("mm-test-adapters")
    if core and adapters:
        # pymmcore 12.5.1.75.0 speaks interface 75, as does mm-test-adapters 75.20261014.
        speaks, offers = (core.split(".") + [""] * 4)[3], adapters.split(".")[0]
        words = f"core {core} speaks device interface {speaks}, test adapters {adapters} offer {offers}"
        matches = speaks == offers
        yield Finding("test adapters", "ok" if matches else "problem", words, "" if matches else extra)
    with socket.socket() as bridge:
        bridge.settimeout(0.5)
        answers = bridge.connect_ex(("127.0.0.1", BRIDGE_PORT)) == 0
    if answers:
        yield Finding("java bridge", "ok", f"something answers at port {BRIDGE_PORT}")
    else:
        cure = "only Pycro-Manager's Java backend needs it: start Micro-Manager and let it run its server"
        yield Finding("java bridge", "missing", f"nothing answers at port {BRIDGE_PORT}", cure)


def _disk(out: Path) -> Iterator[Finding]:
    folder = _existing(out)
    free = shutil.disk_usage(folder).free
    if free < 4 * TRIAL_BYTES:
        words = f"{free / 1e9:.2f} GB free in {folder}"
        yield Finding("disk", "problem", words, "make room, or use another --out", needed=True)
        return
    try:
        speed = _written_per_s(folder)
    except OSError as error:
        words = f"{folder}: cannot be written ({error.strerror})"
        yield Finding("disk", "problem", words, "check its permissions, or use another --out", needed=True)
        return
    verdicts = [
        f"{'enough' if speed >= load else 'NOT enough'} for {name} ({load / 1e6:,.0f} MB/s)"
        for name, load in LOADS.items()
    ]
    words = (
        f"{speed / 1e6:,.0f} MB/s, {free / 1e9:,.0f} GB free in {folder}: {', '.join(verdicts)}, uncompressed"
    )
    slow = speed < min(LOADS.values())
    yield Finding(
        "disk", "problem" if slow else "ok", words, "use a faster disk" if slow else "", needed=True
    )


def _written_per_s(folder: Path) -> float:
    """Bytes per second that reach the disk, up to the fsync."""
    block, written = os.urandom(1 << 22), 0
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        started = time.perf_counter()
        while written < TRIAL_BYTES and time.perf_counter() - started < TRIAL_S:
            written += file.write(block)
        os.fsync(file.fileno())
        return written / (time.perf_counter() - started)


def _shared_memory() -> Iterator[Finding]:
    room = room_bytes()
    words = f"room for {room / 1e6:,.0f} MB"
    if room >= RING_BYTES:
        yield Finding("shared memory", "ok", words)
    else:
        cure = "frames go over TCP instead, slower; give the container a larger /dev/shm (--shm-size=1g)"
        yield Finding("shared memory", "problem", words, cure)


def _port() -> Iterator[Finding]:
    host, _, port = DEFAULT_ENDPOINT.removeprefix("tcp://").partition(":")
    with socket.socket() as listener:
        try:
            listener.bind((host, int(port)))
        except OSError as error:
            words = f"{DEFAULT_ENDPOINT}: {error.strerror}"
            cure = "end the program that listens there (another processor?), or use --endpoint"
            yield Finding("port", "problem", words, cure)
            return
    yield Finding("port", "ok", f"{DEFAULT_ENDPOINT} is free")


def _clock() -> Iterator[Finding]:
    ticks_s = time.get_clock_info("monotonic").resolution
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    words = f"{now}; monotonic clock in steps of {ticks_s * 1e6:.3g} us"
    if time.gmtime().tm_year < 2025:
        yield Finding("clock", "problem", words, "set the clock: recordings carry its time", needed=True)
    elif ticks_s > CLOCK_S:
        yield Finding("clock", "problem", words, "lags are no finer than this; use Python 3.13 on Windows")
    else:
        yield Finding("clock", "ok", words, needed=True)


def _user_folders() -> Iterator[Finding]:
    for folder in (search_path("hardware_profiles")[0], search_path("models")[0], spool_dir()):
        try:
            with tempfile.TemporaryFile(dir=_existing(folder)):
                yield Finding("user folder", "ok", str(folder), needed=True)
        except OSError as error:
            words = f"{folder}: cannot be written ({error.strerror})"
            yield Finding("user folder", "problem", words, "check its permissions", needed=True)


def _profiles() -> Iterator[Finding]:
    yield _sound("profiles", "streamer profiles check", list_profiles(), load_profile)


def _models() -> Iterator[Finding]:
    yield _sound("models", "streamer models check", list_packages(), load_package)


def _sound(part: str, command: str, found: Mapping[str, Path], load: Callable[[Path], object]) -> Finding:
    """Whether everything of a kind can be read; bundled ones lie in the last folder of the search path."""
    broken = []
    for name, path in found.items():
        try:
            load(path)
        except StreamerError:
            broken.append(name)
    if not found:
        return Finding(part, "missing", "none", "install scope-streamer again", needed=True)
    if broken:
        return Finding(part, "problem", f"broken: {', '.join(broken)}", f"{command} {broken[0]}", needed=True)
    return Finding(part, "ok", f"{len(found)} sound", needed=True)


def _installed(part: str, names: tuple[str, ...], extra: str, *, needed: bool = False) -> Finding:
    versions = {name: _version(name) for name in names}
    if absent := [name for name, found in versions.items() if not found]:
        cure = f"pip install 'scope-streamer{extra}'"
        return Finding(part, "missing", f"not installed: {', '.join(absent)}", cure, needed=needed)
    words = ", ".join(f"{name} {found}" for name, found in versions.items())
    return Finding(part, "ok", words, needed=needed)


def _one(distribution: str, name: str, cure: str) -> Finding:
    found = _version(distribution)
    return Finding(name, "ok", found) if found else Finding(name, "missing", "not installed", cure)


def _version(distribution: str) -> str:
    """Installed version; empty where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _existing(path: Path) -> Path:
    """The nearest folder that is there already."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
