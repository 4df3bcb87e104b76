"""`auto`: the fastest engine on this machine that gives what the package's test tensors promise."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from streamer.engines.check import Agreement, agreement
from streamer.engines.key import Engine, Precision
from streamer.engines.ladder import LADDER, LAST_RESORT, Absence, absence, precisions
from streamer.engines.memory import as_engine_error, let_go
from streamer.engines.network import has_network
from streamer.engines.select import compile_one, for_test, in_one_line
from streamer.engines.trial import ROUNDS, Timed, in_ms, timed
from streamer.errors import EngineError, MemoryShortError, PackageError, StreamerError
from streamer.package import ModelPackage

_LOG = logging.getLogger(__name__)

#: A lower precision, or an engine further down, must take this part of the time of the better one at most:
#: not slower by the noise of a trial, and mostly the same choice at every start.
CLEARLY = 0.9
_NVIDIA = {"tensorrt", "tensorrt-rtx", "cuda"}
#: Rounds where there is nothing to choose from: its time is told, and decides nothing.
ROUNDS_OF_ONE = 2
#: What a user who has to live with the last resort should know.
_COMPILED = "OpenVINO is usually 2 to 4 times faster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An engine, and why it is this one.

    Attributes:
        engine: compiled for the frames, its test output checked.
        agreement: with the package's test output.
        words: what was chosen, why, and what would be faster with which install; one line.
        refused: engines that are here and were not taken because they failed or strayed, a line each.
    """

    engine: Engine
    agreement: Agreement
    words: str
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """An engine that passed, and how long it took for a frame."""

    engine: str
    precision: Precision
    ms: float

    @property
    def rank(self) -> bool:
        """The exact ones first."""
        return self.precision != "f32"


class StraysError(EngineError):
    """An engine that does not give what the package's test tensors promise."""


@dataclass(slots=True)
class _Candidates:
    """What was found on the way down the ladder."""

    sound: list[tuple[Engine, Agreement]] = field(default_factory=list)
    refused: list[StreamerError] = field(default_factory=list)
    absent: dict[str, Absence] = field(default_factory=dict)


def choose(
    package: ModelPackage,
    shape_yx: tuple[int, int],
    *,
    engine: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    threads: int | None = None,
) -> Choice:
    """The fastest engine for frames of `shape_yx` that passes the package's test tensors.

    Args:
        package: the model.
        shape_yx: of the frames; both divide by the package's `size_multiple`.
        engine: name of one, or "auto" for all of the ladder that are here; PyTorch only if no other will.
        precision: one, or "auto" for all that the device computes in; a lower one must be clearly faster.
        threads: of an engine on the processor; None takes the physical cores that this process may use.

    Raises:
        EngineError: the shape does not divide; no engine, or not the named one, is here and passes.
        MemoryShortError: an engine could, had it more memory, and the package can be computed in tiles.
        PackageError: the package lacks the weights, or a layout that we can run.
    """
    multiple = package.size_multiple
    if any(size < 1 or size % multiple for size in shape_yx):
        raise EngineError(
            f"shape {list(shape_yx)}: {package.id} needs multiples of {multiple}; pad the frame"
        )
    if engine != "auto" and (absent := absence(engine)):
        raise EngineError(f"engine {engine}: {absent.words}")
    if engine != "auto" and precision != "auto":
        only = _checked(package, shape_yx, engine, precision, threads)
        return Choice(engine=only[0], agreement=only[1], words=f"{engine} {precision}, as asked or recorded")
    found = _candidates(package, shape_yx, engine, precision, threads)
    times = _timed(package, found)
    if not found.sound:
        raise _nothing(package, found)
    refused = tuple(dict.fromkeys(map(str, found.refused)))
    for line in refused:
        _LOG.warning("%s", line)
    tried = [
        Tried(one.key.runtime, one.key.precision, time.ms)
        for (one, _), time in zip(found.sound, times, strict=True)
    ]
    best, agrees = found.sound[preferred(tried)]
    words = in_words(tried, refused=refused, absent=found.absent)
    return Choice(engine=best, agreement=agrees, words=words, refused=refused)


def preferred(tried: Sequence[Tried]) -> int:
    """Which to take: the fastest in f32, unless one of lower precision is clearly faster.

    PyTorch's plain engine is the last resort, however fast.
    """
    order = sorted(range(len(tried)), key=lambda at: (tried[at].engine == LAST_RESORT, tried[at].rank))
    best = order[0]
    for at in order[1:]:
        if tried[at].engine != LAST_RESORT and tried[at].ms < CLEARLY * tried[best].ms:
            best = at
    return best


def in_words(tried: Sequence[Tried], *, refused: Sequence[str], absent: Mapping[str, Absence]) -> str:
    """The one line: what is taken, what it was held against, what was refused, what is not here and why."""
    best = tried[preferred(tried)]
    others = (
        f"{'' if other.engine == best.engine else other.engine + ' '}{other.precision} {in_ms(other.ms)}"
        for other in tried
        if other is not best
    )
    beaten = ", ".join(others)
    parts = [f"{best.engine} {best.precision}, {in_ms(best.ms)}{f' ({beaten})' if beaten else ''}"]
    if refused:
        parts.append(f"refused: {', '.join(line.split('; ')[0] for line in refused)}")  # the log has the cure
    above = LADDER[: LADDER.index(best.engine)]
    parts += _absent({name: why for name, why in absent.items() if name in above})
    if best.engine == LAST_RESORT and "openvino" in absent:
        parts.append(_COMPILED)
    return "; ".join(parts)


def _candidates(
    package: ModelPackage,
    shape_yx: tuple[int, int],
    engine: str,
    precision: Precision | Literal["auto"],
    threads: int | None,
) -> _Candidates:
    """Every engine that is here, compiles, and passes."""
    found = _Candidates()
    for name in LADDER if engine == "auto" else (engine,):
        if name == LAST_RESORT and found.sound:
            break
        if absent := absence(name):
            found.absent[name] = absent
            continue
        try:
            wanted = precisions(name) if precision == "auto" else (precision,)
        except EngineError as error:
            found.refused.append(let_go(error))
            continue
        refused_before = len(found.refused)
        for each in wanted:
            if each == "bf16" and name in _NVIDIA and _has(found, name, "f16"):
                continue  # as fast there, and eight times as coarse
            try:
                found.sound.append(_checked(package, shape_yx, name, each, threads))
            except StreamerError as error:
                found.refused.append(let_go(error))
                if isinstance(error, StraysError) and each == "f32":
                    break  # what is wrong at its best may pass by luck where more is tolerated
        if not any(one.key.runtime == name for one, _ in found.sound):
            _raise_if_tiles_help(package, found.refused[refused_before:])
    return found


def _raise_if_tiles_help(package: ModelPackage, refused: Sequence[StreamerError]) -> None:
    """Smaller tiles on an engine that is short of memory are faster than whole frames further down.

    Raises:
        MemoryShortError: so it is, and the package can be computed in tiles.
    """
    short = next((error for error in refused if isinstance(error, MemoryShortError)), None)
    if short is not None and package.config.reach_px is not None:
        raise short


def _has(found: _Candidates, name: str, precision: Precision) -> bool:
    return any((one.key.runtime, one.key.precision) == (name, precision) for one, _ in found.sound)


def _checked(
    package: ModelPackage, shape_yx: tuple[int, int], name: str, precision: Precision, threads: int | None
) -> tuple[Engine, Agreement]:
    """An engine that passes, and how well.

    Raises:
        StraysError: from the test output.
        EngineError: as `compile_one`.
    """
    tested = for_test(package, name, precision, threads)
    try:
        found = agreement(package, tested)
    except RuntimeError as error:  # the engine itself, while it ran
        raise as_engine_error(error, in_one_line(name, precision, error)) from error
    if not found.holds:
        raise StraysError(
            f"{package.id}: {name} {precision} strays from the test output by {found.words} "
            f"(tolerance {found.tolerance:.2g}) on this machine; use another engine or precision"
        )
    if tested.key.shape[2:] == shape_yx:
        return tested, found
    return compile_one(package, shape_yx, name, precision, threads), found


def _timed(package: ModelPackage, found: _Candidates) -> list[Timed]:
    """Times of the candidates; one that fails on a frame of full size is refused."""
    try:
        rounds = ROUNDS if len(found.sound) > 1 else ROUNDS_OF_ONE
        return timed([engine for engine, _ in found.sound], rounds=rounds)
    except (RuntimeError, EngineError):
        pass
    sound, times = list(found.sound), []
    found.sound.clear()
    for engine, agrees in sound:
        try:
            times += timed([engine])
            found.sound.append((engine, agrees))
            continue
        except EngineError as error:
            found.refused.append(let_go(error))
        except RuntimeError as error:
            words = in_one_line(engine.key.runtime, engine.key.precision, error)
            found.refused.append(as_engine_error(error, words))
        _raise_if_tiles_help(package, found.refused[-1:])
    return times


def _absent(absent: Mapping[str, Absence]) -> Iterator[str]:
    """Engines with the same reason together: `tensorrt, cuda: no NVIDIA GPU`."""
    by_words: dict[str, list[str]] = {}
    for name, why in absent.items():
        cure = f", {why.cure}" if why.cure else ""
        by_words.setdefault(f"{why.reason}{cure}", []).append(name)
    for words, names in by_words.items():
        yield f"{', '.join(names)}: {words}"


def _nothing(package: ModelPackage, found: _Candidates) -> StreamerError:
    """Why there is no engine at all."""
    if not found.refused:
        absent = "; ".join(_absent(found.absent))
        return EngineError(f"no engine is installed; pip install 'scope-streamer[processor]' ({absent})")
    lines = tuple(dict.fromkeys(map(str, found.refused)))
    if any(isinstance(error, EngineError) for error in found.refused):
        return EngineError("; then ".join(lines))
    onnx = package.description.weights.onnx
    if len(lines) > 1 and (onnx is None or onnx.is_remote) and not has_network(package):
        return PackageError(
            f"{package.id}: holds no weights that we can use; add ONNX weights to weights: of its "
            "bioimageio.yaml (torch.onnx.export)"
        )
    return PackageError("; then ".join(lines))
