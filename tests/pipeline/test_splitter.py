"""Several channels on one sensor: cut without touching a count, registered for the eye."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import shift

from streamer.core import Frame, Result
from streamer.pipeline import registered, split
from streamer.profile import Channel

RED = Channel(name="red", window_nm=(600.0, 650.0), region_px=(0, 4, 20, 30))
GREEN = Channel(
    name="green",
    window_nm=(500.0, 550.0),
    region_px=(22, 0, 24, 33),
    to_reference=((1.0, 0.0, 1.25), (0.0, 1.0, -0.5)),
)
SENSOR = np.arange(46 * 40, dtype=np.uint16).reshape(46, 40)


def test_without_channels_the_frame_stays_itself() -> None:
    frame = Frame(pixels=SENSOR, seq=3)
    assert split(frame, ()) == ((frame,), ())


def test_channels_are_views_of_the_sensors_own_counts() -> None:
    frame = Frame(pixels=SENSOR, seq=3, axes={"time": 1, "z": 2}, exposure_ms=5.0, bit_depth=12)
    (red, green), misfits = split(frame, (RED, GREEN))
    assert misfits == ()
    for part, name, pixels in ((red, "red", SENSOR[:20, 4:34]), (green, "green", SENSOR[22:46, :33])):
        np.testing.assert_array_equal(part.pixels, pixels)
        assert np.shares_memory(part.pixels, SENSOR)
        assert part.axes == {"time": 1, "z": 2, "channel": name}
        assert (part.seq, part.exposure_ms, part.bit_depth) == (3, 5.0, 12)
    assert frame.axes == {"time": 1, "z": 2}


def test_the_engines_own_channel_stays_in_the_name() -> None:
    frame = Frame(pixels=SENSOR, seq=0, axes={"channel": "488 nm"})
    assert [part.axes["channel"] for part in split(frame, (RED, GREEN))[0]] == [
        "488 nm / red",
        "488 nm / green",
    ]


@pytest.mark.parametrize(
    ("shape", "cut", "misfit"),
    [((46, 40), ["red", "green"], []), ((45, 40), ["red"], ["green"]), ((10, 10), [], ["red", "green"])],
    ids=["whole", "a row too few", "tiny"],
)
def test_an_odd_frame_is_told_and_ends_nothing(
    shape: tuple[int, int], cut: list[str], misfit: list[str]
) -> None:
    frame = Frame(pixels=np.zeros(shape, np.uint16), seq=0, axes={"position": 2})
    parts, misfits = split(frame, (RED, GREEN))
    assert [part.axes["channel"] for part in parts] == cut
    assert [verdict.view for verdict in misfits] == [f"position 2, channel {name}" for name in misfit]
    for verdict in misfits:
        assert (verdict.guard, verdict.status) == ("splitter", "flag")
        assert f"beyond the frame of {shape[0]} x {shape[1]} pixels" in verdict.meaning


def result_of(part: Frame, image: np.ndarray) -> Result:
    labels = (image > 0.5).astype(np.uint8)
    return Result(frame=part, photons=image, denoised=image, labels=labels)


@pytest.mark.parametrize("stated", [{}, {"channel": "488 nm"}], ids=["alone", "with the engine's channel"])
def test_channels_come_into_register_with_the_first(stated: dict) -> None:
    """One blob, seen by the second channel at another place, comes to lie on that of the first."""
    y, x = np.mgrid[:24, :33].astype(np.float32)
    blob = np.exp(-((y - 10) ** 2 + (x - 15) ** 2) / 18, dtype=np.float32)
    red, green = split(Frame(pixels=SENSOR, seq=0, axes=stated), (RED, GREEN))[0]
    seen = shift(blob, (1.25, -0.5), order=3).astype(np.float32)
    result = result_of(green, seen)
    denoised, labels = registered(result, (result.denoised, result.labels), (RED, GREEN))
    assert denoised.shape == labels.shape == (20, 30)
    assert (denoised.dtype, labels.dtype) == (np.float32, np.uint8)
    inside = np.isfinite(denoised)
    np.testing.assert_allclose(denoised[inside], blob[:20, :30][inside], atol=0.03)  # of interpolation
    assert not inside[:, 0].any()  # beyond the second channel's left edge
    assert inside[:, 1:].all()
    assert not labels[~inside].any()
    reference = result_of(red, blob[:20, :30])
    np.testing.assert_array_equal(
        registered(reference, (reference.denoised,), (RED, GREEN))[0], blob[:20, :30]
    )


def test_what_was_not_split_is_not_registered() -> None:
    image = np.ones((5, 5), np.float32)
    result = result_of(Frame(pixels=SENSOR, seq=0), image)
    assert registered(result, (image,), ())[0] is image
