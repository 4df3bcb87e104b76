"""The heart: order, and what is passed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamer.core import CONTINUE, Calibration, Decision, Frame, Outcome, Result, Verdict
from streamer.pipeline import Denoised, Running, Turns, denoise, padded_shape, process, segment
from streamer.pipeline.neighbours import Cut, above, nothing_above

Split = Callable[[Frame], tuple[tuple[Frame, ...], tuple[Verdict, ...]]]


def frame(seq: int, *, superseded: bool = False) -> Frame:
    return Frame(pixels=np.full((5, 7), seq, np.uint8), seq=seq, superseded=superseded)


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.outcomes: list[Outcome] = []

    def record(self, frame: Frame) -> None:
        self.events.append(f"raw {frame.seq}")

    def put(self, outcome: Outcome) -> None:
        self.events.append(f"sink {outcome.frame.seq}")
        self.outcomes.append(outcome)

    def denoise(self, frame: Frame, above: Frame | None = None) -> Denoised:
        self.events.append(f"denoise {frame.seq}" + (f" below {above.seq}" if above else ""))
        image = frame.pixels.astype(np.float32)
        return Denoised(frame=frame, photons=image, image=image)

    def segment(self, denoised: Denoised) -> Result:
        labels = np.zeros(denoised.image.shape, np.uint8)
        return Result(frame=denoised.frame, photons=denoised.photons, denoised=denoised.image, labels=labels)

    def judge(self, result: Result) -> tuple[Verdict, ...]:
        self.events.append(f"judge {result.frame.seq}")
        return (verdict("a"), verdict("b"))

    def policy(self, frame: Frame, verdicts: Sequence[Verdict]) -> Decision:
        self.events.append(f"policy {frame.seq}")
        return Decision(action="continue", reason=" ".join(verdict.guard for verdict in verdicts))


def verdict(guard: str) -> Verdict:
    return Verdict(guard=guard, status="pass", measured=1.0, limit=None, meaning="well")


def whole(frame: Frame) -> tuple[tuple[Frame, ...], tuple[Verdict, ...]]:
    return (frame,), ()


def run(log: Log, frames: list[Frame], split: Split = whole, turns: Turns | None = None) -> None:
    process(
        frames,
        record=log.record,
        split=split,
        turns=turns or Turns(nothing_above),
        denoise=log.denoise,
        segment=log.segment,
        judge=log.judge,
        policy=log.policy,
        checkpoint=lambda: {"seq": np.asarray(len(log.outcomes))} if len(log.outcomes) % 2 else None,
        sinks=(log,),
        lag=lambda frame: (2.5, 1),
    )


def test_raw_comes_before_everything_and_sinks_last() -> None:
    log = Log()
    run(log, [frame(0), frame(1)])
    each = ["raw", "denoise", "judge", "policy", "sink"]
    assert log.events == [f"{event} {seq}" for seq in (0, 1) for event in each]
    outcome = log.outcomes[1]
    assert (outcome.lag_ms, outcome.waiting, len(outcome.verdicts)) == (2.5, 1, 2)
    assert outcome.timings_ms.keys() == {"denoise", "segment", "guards"}


def test_a_slice_is_recorded_when_it_comes_and_judged_when_the_one_above_is_there() -> None:
    log = Log()
    run(log, [replace(frame(seq), axes={"z": seq}) for seq in range(3)], turns=Turns(above))
    later = ["judge", "policy", "sink"]
    assert log.events == [
        *("raw 0", "raw 1", "denoise 0 below 1", *(f"{event} 0" for event in later)),
        *("raw 2", "denoise 1 below 2", *(f"{event} 1" for event in later)),
        *("denoise 2", *(f"{event} 2" for event in later)),
    ]
    assert [outcome.waiting for outcome in log.outcomes] == [2, 2, 1]  # the one held behind it counts
    assert [verdict.guard for verdict in log.outcomes[2].verdicts] == ["neighbours", "a", "b"]


def test_frames_that_an_earlier_processor_recorded_give_states_and_nothing_else() -> None:
    frames, log, turns = [replace(frame(seq), axes={"z": seq}) for seq in range(4)], Log(), Turns(above)
    assert [turn.cut.frame.seq for turn in turns.again(frames[:2], lambda f: Cut(frame=f, parts=(f,)))] == [0]
    run(log, frames[2:], turns=turns)
    assert [event for event in log.events if "denoise" in event or "sink" in event] == [
        *("denoise 1 below 2", "denoise 2 below 3", "sink 2", "denoise 3", "sink 3")
    ]


def test_a_superseded_frame_is_recorded_and_nothing_else() -> None:
    log = Log()
    run(log, [frame(0, superseded=True), frame(1)])
    assert log.events[:2] == ["raw 0", "sink 0"]
    assert log.outcomes[0].results == log.outcomes[0].verdicts == ()


def test_every_channel_of_a_frame_is_judged_before_one_decision_is_made() -> None:
    log = Log()

    def halves(frame: Frame) -> tuple[tuple[Frame, ...], tuple[Verdict, ...]]:
        return tuple(replace(frame, pixels=part) for part in np.array_split(frame.pixels, 2)), (verdict("s"),)

    run(log, [frame(0)], halves)
    each = ["raw", "denoise", "denoise", "judge", "judge", "policy", "sink"]
    assert log.events == [f"{event} 0" for event in each]
    assert [result.labels.shape for result in log.outcomes[0].results] == [(3, 7), (2, 7)]
    assert log.outcomes[0].decision.reason == "s a b a b"


def test_a_frame_that_cannot_be_cut_is_recorded_and_told() -> None:
    log = Log()
    run(log, [frame(0), frame(1)], lambda frame: ((), (verdict("s"),)))
    assert log.events == ["raw 0", "sink 0", "raw 1", "sink 1"]
    assert (log.outcomes[0].results, log.outcomes[0].verdicts) == ((), (verdict("s"),))
    assert log.outcomes[0].decision == CONTINUE


def test_checkpoints_travel_with_the_outcome() -> None:
    log = Log()
    run(log, [frame(seq) for seq in range(4)])
    given = [
        None if outcome.checkpoint is None else int(outcome.checkpoint["seq"]) for outcome in log.outcomes
    ]
    assert given == [None, 1, None, 3]


def test_running_carries_its_state() -> None:
    count = Running(lambda state, seen: (state + seen, state), 10)
    assert [count(1), count(2), count(3)] == [10, 11, 13]
    assert count.state == 16


@pytest.mark.parametrize(
    ("shape", "multiple", "expected"),
    [((600, 600), 8, (600, 600)), ((600, 600), 16, (608, 608)), ((1, 17), 16, (16, 32))],
)
def test_padded_shapes_hold_the_frame_and_divide(
    shape: tuple[int, int], multiple: int, expected: tuple[int, int]
) -> None:
    assert padded_shape(shape, multiple) == expected


GIVEN = Frame(pixels=np.arange(35, dtype=np.uint8).reshape(5, 7), seq=0)
HOW: dict[str, Any] = {"calibration": Calibration(offset_adu=10.0, gain_e_per_adu=0.5), "size_multiple": 4}


def test_stages_calibrate_pad_and_crop() -> None:
    seen: list[tuple[int, ...]] = []

    def network(tensor: np.ndarray) -> np.ndarray:
        seen.append(tensor.shape)
        return tensor

    denoised = denoise(GIVEN, network_for=lambda shape: network, **HOW)
    assert seen == [(1, 1, 8, 8)]
    np.testing.assert_array_equal(denoised.photons, (np.arange(35).reshape(5, 7) - 10) / 2)
    np.testing.assert_array_equal(denoised.image, denoised.photons)
    classes = segment(
        denoised,
        network_for=lambda shape: lambda tensor: np.concatenate([tensor, 2 * tensor], axis=1),
        size_multiple=4,
    )
    np.testing.assert_array_equal(classes.labels, denoised.image > 0)
    assert denoised.uncertainty is classes.uncertainty is None


def test_a_second_output_channel_is_the_uncertainty_and_no_business_of_the_segmenters() -> None:
    seen: list[np.ndarray] = []

    def segmenter(tensor: np.ndarray) -> np.ndarray:
        seen.append(tensor)
        return np.concatenate([tensor < 0, tensor >= 0], axis=1).astype(np.float32)

    def with_deviation(tensor: np.ndarray) -> np.ndarray:
        return np.concatenate([tensor, tensor**2], axis=1)

    denoised = denoise(GIVEN, network_for=lambda shape: with_deviation, **HOW)
    result = segment(denoised, network_for=lambda shape: segmenter, size_multiple=1)
    np.testing.assert_array_equal(result.denoised, result.photons)
    np.testing.assert_array_equal(result.uncertainty, result.photons**2)
    np.testing.assert_array_equal(seen, [result.photons[None, None]])
    for image in (result.denoised, result.uncertainty):
        assert (image.dtype, image.flags.c_contiguous) == (np.float32, True)


def test_every_frame_that_is_shown_is_padded_alike() -> None:
    """The network here gives its last input, so that the oldest frame comes out."""
    before = np.random.default_rng(1).random((5, 7), np.float32)
    denoised = denoise(
        GIVEN,
        network_for=lambda shape: lambda tensor: tensor[:, -1:],
        shown=lambda frame, photons: np.stack([photons, before]),
        **HOW,
    )
    np.testing.assert_array_equal(denoised.image, before)
