"""Guards without photons: off, and saying so; what needs none goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.core import Frame, Result, Verdict
from streamer.guards import Guard, Health, HealthOfPixels, Off
from streamer.guards.conformance import GuardConformance

OFF = Off(name="photons", why="nobody has calibrated the camera")
HEALTH = HealthOfPixels(
    health=Health(
        share_max=0.02,
        planned_frames=100,
        false_alarm_rate=0.01,
        loss_max=0.1,
        dead_time_ns=50.0,
        exposure_us=1.0,
        bit_depth=12,
        read_noise_e=0.0,
    )
)


class TestOff(GuardConformance):
    def make(self) -> Guard[Any]:
        return OFF


class TestHealthOfPixels(GuardConformance):
    def make(self) -> Guard[Any]:
        return HEALTH


def camera_frame(seq: int) -> NDArray[np.uint16]:
    return np.random.default_rng(seq).normal(100, 3.5, (96, 96)).astype(np.uint16)


def judged(*images: NDArray[np.uint16]) -> list[Verdict]:
    state, verdicts = HEALTH.start(), []
    for seq, pixels in enumerate(images):
        light = pixels.astype(np.float32)
        labels = np.ones(pixels.shape, np.uint8)
        result = Result(frame=Frame(pixels=pixels, seq=seq), photons=light, denoised=light, labels=labels)
        state, verdict = HEALTH.step(state, result)
        verdicts.append(verdict)
    return verdicts


def test_a_guard_that_is_off_neither_passes_nor_measures() -> None:
    pixels = camera_frame(0)
    light = pixels.astype(np.float32)
    result = Result(frame=Frame(pixels=pixels, seq=0), photons=light, denoised=light, labels=pixels > 100)
    _, verdict = OFF.step(OFF.start(), result)
    assert (verdict.guard, verdict.status, verdict.measured, verdict.limit) == ("photons", "flag", None, None)
    assert verdict.meaning == "off, not judged: nobody has calibrated the camera"


def test_frames_of_a_camera_pass_and_it_says_what_is_not_looked_for() -> None:
    hot = camera_frame(3)
    hot[40, 40] = 3000
    for verdict in judged(*(camera_frame(seq) for seq in range(3)), hot):
        assert verdict.status == "pass"
        assert verdict.values == {"saturated_px": 0.0}
        assert "hot pixels, odd lines and lost light are not looked for" in verdict.meaning


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        pytest.param(camera_frame(0), "a copy of the frame before", id="copied"),
        pytest.param(np.full((96, 96), 100, np.uint16), "the frame is blank", id="blank"),
        pytest.param(np.vstack([camera_frame(0)[:50], camera_frame(7)[50:]]), "torn", id="torn"),
    ],
)
def test_copied_torn_and_blank_frames_are_still_rejected(odd: NDArray[np.uint16], words: str) -> None:
    verdict = judged(camera_frame(0), odd)[-1]
    assert verdict.status == "reject"
    assert words in verdict.meaning


def test_saturation_is_still_flagged() -> None:
    bright = np.minimum(camera_frame(5).astype(np.int64) * 41, 4095).astype(np.uint16)
    verdict = judged(*(camera_frame(seq) for seq in range(5)), bright)[-1]
    assert verdict.status == "flag"
    assert "saturated" in verdict.meaning


def test_the_guard_with_photons_is_left_as_it_was() -> None:
    assert replace(HEALTH).health.dead_time_ns == 50.0
