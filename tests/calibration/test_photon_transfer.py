"""A camera of known gain, offset and read noise is measured right, and its intervals say how right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from streamer.calibration import PhotonTransfer, look_through, photon_transfer
from streamer.core import Calibration
from streamer.errors import SourceError
from streamer.simulation import camera_grey_levels

TRUE = Calibration(gain_e_per_adu=0.46, offset_adu=100.3, read_noise_e=1.6)
FULL = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera before a lamp whose light falls off towards the border."""

    true: Calibration = TRUE
    size_px: int = 48
    photons: float = 200.0
    even: float = 0.5
    lamp: tuple[float, float] = (1.0, 1.0)
    seed: int = 0

    def frames(self, count: int, lit: bool) -> Iterator[np.ndarray]:
        y, x = np.mgrid[-1 : 1 : self.size_px * 1j, -1 : 1 : self.size_px * 1j]
        flat = self.photons * (1 - (1 - self.even) * (y**2 + x**2) / 2)
        rng = np.random.default_rng((self.seed, lit))
        for light in np.linspace(*self.lamp, count):
            expected = (flat * light if lit else np.zeros_like(flat)).astype(np.float32)
            yield camera_grey_levels(expected, self.true, rng)

    def measured(self, flats: int = 40, darks: int = 40) -> PhotonTransfer:
        dark = look_through("dark", self.frames(darks, False))
        flat = look_through("flat", self.frames(flats, True), dark.level)
        return photon_transfer(flat, dark, full_scale=FULL)


def noise_as_stored(true: Calibration) -> float:
    """Read noise with that of rounding to whole grey levels."""
    return float(np.hypot(true.read_noise_e, true.gain_e_per_adu / 12**0.5))


@pytest.mark.parametrize(
    "camera",
    [
        Camera(),
        Camera(true=Calibration(gain_e_per_adu=2.2, offset_adu=30.0, read_noise_e=6.0), photons=900),
        Camera(true=Calibration(gain_e_per_adu=0.1, offset_adu=400.0, read_noise_e=0.7), photons=60),
        Camera(even=0.98),
        Camera(lamp=(1.0, 0.6)),
    ],
    ids=["scmos", "ccd", "high gain", "even light", "fading lamp"],
)
def test_known_cameras_are_measured_right(camera: Camera) -> None:
    found = camera.measured()
    assert found.gain_e_per_adu.value == pytest.approx(camera.true.gain_e_per_adu, rel=0.02)
    assert found.offset_adu.value == pytest.approx(camera.true.offset_adu, abs=0.05)
    assert found.read_noise_e.value == pytest.approx(noise_as_stored(camera.true), rel=0.03)
    assert found.hot == 0
    assert found.saturated == 0


def test_intervals_hold_the_truth_in_95_of_100_series_and_nothing_is_biased() -> None:
    """100 series; bench says the same of 1,000 (docs/calibrating.md)."""
    held, gains = np.zeros(3), []
    for seed in range(100):
        found = Camera(seed=seed, size_px=32).measured(12, 12)
        truths = (TRUE.gain_e_per_adu, TRUE.offset_adu, noise_as_stored(TRUE))
        for number, (each, truth) in enumerate(
            zip((found.gain_e_per_adu, found.offset_adu, found.read_noise_e), truths, strict=True)
        ):
            held[number] += each.low <= truth <= each.high
        gains.append(found.gain_e_per_adu.value / TRUE.gain_e_per_adu - 1)
    assert (held >= 88).all(), held  # fewer in 1 of 300 where 95 % hold
    assert abs(np.mean(gains)) < 4 * np.std(gains) / 10


def test_hot_and_noisy_pixels_are_found_and_left_out() -> None:
    def frames(lit: bool) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(5)
        for image in Camera().frames(40, lit):
            image[3, 4] += 300
            image[10, 11] = np.clip(100 + 60 * rng.standard_normal(), 0, FULL)
            yield image

    dark = look_through("dark", frames(False))
    found = photon_transfer(look_through("flat", frames(True), dark.level), dark, full_scale=FULL)
    assert found.hot_px == ((3, 4), (10, 11))
    assert found.gain_e_per_adu.value == pytest.approx(TRUE.gain_e_per_adu, rel=0.02)
    assert found.offset_adu.value == pytest.approx(TRUE.offset_adu, abs=0.05)


def uneven_sensor(seed: int, lit: bool, size_px: int = 96) -> Iterator[np.ndarray]:
    """An sCMOS as it is: every pixel with a gain, offset and read noise of its own, some hot."""
    pattern = np.random.default_rng((seed, 9))
    gain, offset, noise = (pattern.standard_normal((size_px, size_px)) for _ in range(3))
    gain, offset, noise = 0.46 * (1 + 0.01 * gain), 100 + offset, 1.2 * np.exp(0.25 * noise)
    noise[pattern.random(noise.shape) < 0.002] *= 8
    hot = 30.0 * (pattern.random(noise.shape) < 0.001)
    rng = np.random.default_rng((seed, lit))
    for _ in range(50):
        electrons = rng.poisson(200.0 * lit + hot) + noise * rng.standard_normal(noise.shape)
        yield np.clip(np.rint(electrons / gain + offset), 0, FULL).astype(np.uint16)


def test_a_sensor_whose_pixels_differ_is_measured_to_half_a_per_cent() -> None:
    for seed in range(3):
        dark = look_through("dark", uneven_sensor(seed, False))
        flat = look_through("flat", uneven_sensor(seed, True), dark.level)
        found = photon_transfer(flat, dark, full_scale=FULL)
        assert found.gain_e_per_adu.value == pytest.approx(0.46, rel=0.005)
        assert found.read_noise_e.value == pytest.approx(1.2 * np.exp(0.25**2), rel=0.02)
        assert 5 < found.hot < 60
        assert found.warnings == ()


def changed(image: np.ndarray, how: str, seq: int) -> np.ndarray:
    match how:
        case "smoothed":
            return np.asarray(np.rint(ndimage.uniform_filter(image.astype(float), 2)), np.uint16)
        case "saturated":
            return np.minimum(image, 560)
        case "moving":
            bright = np.roll(np.pad(np.full((20, 20), 300), (0, 28)), seq, axis=1)
            return np.asarray(image + bright, np.uint16)
    return image


@pytest.mark.parametrize(
    ("camera", "how", "words"),
    [
        (Camera(), "smoothed", "neighbouring pixels is correlated"),
        (Camera(), "moving", "noisier or quieter than their light explains"),
        (Camera(lamp=(1.0, 0.9)), "", "its light changes by"),
        (Camera(photons=4.0), "", "nearly as noisy"),
        (Camera(true=Calibration(gain_e_per_adu=0.5, offset_adu=1, read_noise_e=1)), "", "are 0"),
        (Camera(true=Calibration(gain_e_per_adu=9, offset_adu=20, read_noise_e=1)), "", "half a grey level"),
    ],
    ids=["smoothed", "moving", "fading", "dim", "clipped", "coarse"],
)
def test_what_is_wrong_with_a_series_is_said(camera: Camera, how: str, words: str) -> None:
    dark = look_through("dark", camera.frames(30, False))
    frames = (changed(image, how, seq) for seq, image in enumerate(camera.frames(30, True)))
    found = photon_transfer(look_through("flat", frames, dark.level), dark, full_scale=FULL)
    assert any(words in line for line in found.warnings), found.warnings


def test_healthy_series_bring_no_warning() -> None:
    assert [Camera(seed=seed).measured().warnings for seed in range(5)] == [()] * 5


def test_saturated_pixels_are_left_out_and_told() -> None:
    camera, full = Camera(even=0.2), 480
    dark = look_through("dark", camera.frames(30, False))
    cut = (np.minimum(image, full) for image in camera.frames(30, True))
    found = photon_transfer(look_through("flat", cut, dark.level), dark, full_scale=full)
    assert 0.1 < found.saturated < 0.5
    assert found.gain_e_per_adu.value == pytest.approx(TRUE.gain_e_per_adu, rel=0.03)
    assert any("saturated and left out" in line for line in found.warnings)


def test_light_in_the_dark_series_is_told() -> None:
    camera = Camera(even=0.2)
    dim = Camera(even=0.2, photons=30.0, seed=8)
    dark = look_through("dark", dim.frames(40, True))
    found = photon_transfer(look_through("flat", camera.frames(40, True), dark.level), dark, full_scale=FULL)
    assert any("does light reach the camera" in line for line in found.warnings), found.warnings


def flat_of(*images: Any) -> Iterator[np.ndarray]:
    return iter([np.asarray(image) for image in images])


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "0 frames"),
        ([np.ones((8, 8), np.uint16)], "1 frame;"),
        ([np.ones((8, 8), np.uint16), np.ones((8, 9), np.uint16)], "8 x 9"),
        ([np.ones((8, 8)), np.full((8, 8), np.nan)], "not finite"),
    ],
    ids=["none", "one", "another size", "nan"],
)
def test_a_series_that_is_none_is_refused(images: list[Any], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        look_through("dark.tif", flat_of(*images))


@pytest.mark.parametrize(
    ("flat", "dark", "words"),
    [
        (Camera(photons=0.0), Camera(seed=1), "darker than the dark series|brighter than"),
        (Camera(size_px=40), Camera(size_px=48), "40 x 40"),
        (Camera(photons=1e6), Camera(), "saturated"),
    ],
    ids=["no light", "another size", "saturated"],
)
def test_series_that_tell_no_gain_are_refused(flat: Camera, dark: Camera, words: str) -> None:
    of_dark = look_through("dark", dark.frames(10, False))
    level = of_dark.level if dark.size_px == flat.size_px else np.zeros((flat.size_px, flat.size_px))

    def measure() -> PhotonTransfer:
        return photon_transfer(look_through("flat", flat.frames(10, True), level), of_dark, full_scale=FULL)

    with pytest.raises(SourceError, match=words):
        measure()


def test_copies_of_frames_are_told() -> None:
    images = list(Camera().frames(20, True))
    dark = look_through("dark", Camera().frames(20, False))
    twice = (image for image in images for _ in range(2))
    found = photon_transfer(look_through("flat", twice, dark.level), dark, full_scale=FULL)
    assert any("20 frames are copies" in line for line in found.warnings)
