"""What every guard must keep to, as tests: subclass `GuardConformance` and say how the guard is made."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Result, Status, Verdict
from streamer.guards.base import Guard
from streamer.guards.checkpoint import from_arrays, to_arrays

FRAMES = 40
SIDE = 96


def movie(frames: int = FRAMES, side: int = SIDE) -> list[Result]:
    """Stripes that drift and fade to nothing over a faint background; read-only, always the same."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side]
    return [
        one(seq, rng.poisson(0.02 + 0.5 * (1 - seq / frames) * stripe).astype(np.float32), stripe)
        for seq, stripe in (
            (seq, ((x + 2 * y + seq) % 40 < 15) & (x < 3 * side // 4)) for seq in range(frames)
        )
    ]


def one(seq: int, photons: NDArray[np.float32], drawn: NDArray[np.bool_]) -> Result:
    """A read-only result; its "prediction" is the photons themselves."""
    labels = drawn.astype(np.uint8)
    with np.errstate(invalid="ignore"):
        pixels = np.clip(photons, 0, 255).astype(np.uint8)
    for image in (photons, labels, pixels):
        image.flags.writeable = False
    return Result(frame=Frame(pixels=pixels, seq=seq), photons=photons, denoised=photons, labels=labels)


def odd_movies() -> dict[str, list[Result]]:
    """Input that no guard may fall over, by name."""
    lit, nothing = np.ones((SIDE, SIDE), np.bool_), np.zeros((SIDE, SIDE), np.bool_)

    def constant(value: float) -> NDArray[np.float32]:
        return np.full((SIDE, SIDE), value, np.float32)

    good = movie(20)
    return {
        "dark, nothing drawn": [one(seq, constant(0), nothing) for seq in range(20)],
        "dark, all drawn": [one(seq, constant(0), lit) for seq in range(20)],
        "uniformly bright": [one(seq, constant(60), lit) for seq in range(20)],
        "below zero, as a camera's read noise": [one(seq, constant(-1), lit) for seq in range(20)],
        "not a number": [one(seq, constant(np.nan), lit) for seq in range(3)],
        "infinite in mid-run": [*good[:10], one(10, constant(np.inf), lit), *good[11:]],
        "good, then dark": [*good, *(one(seq, constant(0), nothing) for seq in range(20, 40))],
        "a frame lost": [*good[:8], replace(good[9], follows=False), *good[10:]],
        "one frame": good[:1],
        "smaller than a box": [
            one(seq, np.ones((4, 6), np.float32), np.ones((4, 6), bool)) for seq in range(20)
        ],
    }


class GuardConformance(ABC):
    """Subclass in a test module, with a name that starts with `Test`."""

    @abstractmethod
    def make(self) -> Guard[Any]:
        """The guard under test, with settings under which the movie gives it something to say."""

    def test_same_frames_give_the_same_verdicts(self) -> None:
        assert _run(self.make(), movie())[1] == _run(self.make(), movie())[1]

    def test_neither_result_nor_state_is_changed(self) -> None:
        guard = self.make()
        state = guard.start()
        for result in movie():  # read-only arrays
            before = {name: array.copy() for name, array in to_arrays(state).items()}
            following, _ = guard.step(state, result)
            for name, array in to_arrays(state).items():
                assert np.array_equal(array, before[name]), f"state.{name} was changed"
            state = following

    def test_a_run_goes_on_from_a_stored_state_with_the_same_verdicts(self) -> None:
        guard, results = self.make(), movie()
        _, whole = _run(guard, results)
        for cut in (0, 1, FRAMES // 3, FRAMES // 2, FRAMES - 1):
            state, first = _run(guard, results[:cut])
            arrays = {name: _through_a_file(array) for name, array in to_arrays(state).items()}
            state = from_arrays(guard.start(), arrays)
            assert first + _run(guard, results[cut:], state)[1] == whole

    def test_odd_input_gets_a_verdict(self) -> None:
        for name, results in odd_movies().items():
            for verdict in _run(self.make(), results)[1]:
                _check(verdict, self.make().name, name)


def _run(guard: Guard[Any], results: Sequence[Result], state: Any = None) -> tuple[Any, list[Verdict]]:
    state = guard.start() if state is None else state
    verdicts = []
    for result in results:
        state, verdict = guard.step(state, result)
        verdicts.append(verdict)
    return state, verdicts


def _through_a_file(array: NDArray[Any]) -> NDArray[Any]:
    stored = io.BytesIO()
    np.save(stored, array, allow_pickle=False)
    stored.seek(0)
    return np.asarray(np.load(stored, allow_pickle=False))


def _check(verdict: Verdict, guard: str, case: str) -> None:
    numbers = [verdict.measured, verdict.limit, *verdict.values.values()]
    assert verdict.guard == guard, case
    assert verdict.status in get_args(Status), case
    assert verdict.meaning, case
    assert all(number is None or np.isfinite(number) for number in numbers), f"{case}: {verdict}"
