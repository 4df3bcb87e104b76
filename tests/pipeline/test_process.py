"""The heart: order, and what is passed over."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core import CONTINUE, Calibration, Frame, Outcome, Result, Verdict
from streamer.pipeline import Denoised, denoise, padded_shape, process, running, segment


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

    def denoise(self, frame: Frame) -> Denoised:
        self.events.append(f"denoise {frame.seq}")
        image = frame.pixels.astype(np.float32)
        return Denoised(frame=frame, photons=image, image=image)

    def segment(self, denoised: Denoised) -> Result:
        labels = np.zeros(denoised.image.shape, np.uint8)
        return Result(frame=denoised.frame, photons=denoised.photons, denoised=denoised.image, labels=labels)

    def guard(self, result: Result) -> Verdict:
        self.events.append(f"guard {result.frame.seq}")
        return Verdict(guard="g", status="pass", measured=1.0, limit=None, meaning="well")


def run(log: Log, frames: list[Frame]) -> None:
    process(
        frames,
        record=log.record,
        denoise=log.denoise,
        segment=log.segment,
        guards=(log.guard, log.guard),
        policy=lambda verdicts: CONTINUE,
        sinks=(log,),
        lag=lambda frame: (2.5, 1),
    )


def test_raw_comes_before_everything_and_sinks_last() -> None:
    log = Log()
    run(log, [frame(0), frame(1)])
    each = ["raw", "denoise", "guard", "guard", "sink"]
    assert log.events == [f"{event} {seq}" for seq in (0, 1) for event in each]
    outcome = log.outcomes[1]
    assert (outcome.lag_ms, outcome.waiting, len(outcome.verdicts)) == (2.5, 1, 2)
    assert outcome.timings_ms.keys() == {"denoise", "segment", "guards"}


def test_a_superseded_frame_is_recorded_and_nothing_else() -> None:
    log = Log()
    run(log, [frame(0, superseded=True), frame(1)])
    assert log.events[:2] == ["raw 0", "sink 0"]
    assert log.outcomes[0].result is None
    assert log.outcomes[0].verdicts == ()


def test_running_carries_its_state() -> None:
    count = running(lambda state, seen: (state + seen, state), 10)
    assert [count(1), count(2), count(3)] == [10, 11, 13]


@pytest.mark.parametrize(
    ("shape", "multiple", "expected"),
    [((600, 600), 8, (600, 600)), ((600, 600), 16, (608, 608)), ((1, 17), 16, (16, 32))],
)
def test_padded_shapes_hold_the_frame_and_divide(
    shape: tuple[int, int], multiple: int, expected: tuple[int, int]
) -> None:
    assert padded_shape(shape, multiple) == expected


def test_stages_calibrate_pad_and_crop() -> None:
    seen: list[tuple[int, ...]] = []

    def network(tensor: np.ndarray) -> np.ndarray:
        seen.append(tensor.shape)
        return np.concatenate([tensor, 2 * tensor], axis=1)

    given = Frame(pixels=np.arange(35, dtype=np.uint8).reshape(5, 7), seq=0)
    calibration = Calibration(offset_adu=10.0, gain_e_per_adu=0.5)
    denoised = denoise(given, calibration=calibration, network_for=lambda shape: network, size_multiple=4)
    assert seen == [(1, 1, 8, 8)]
    np.testing.assert_array_equal(denoised.photons, (np.arange(35).reshape(5, 7) - 10) / 2)
    np.testing.assert_array_equal(denoised.image, denoised.photons)
    result = segment(denoised, network_for=lambda shape: network, size_multiple=4)
    np.testing.assert_array_equal(result.labels, denoised.image > 0)
