"""The recorder of a product: what a splitter saw comes out in register."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamer.apps.recorder import open_recorder
from streamer.core import Frame, Outcome, Result
from streamer.pipeline import split
from streamer.profile import Channel, load_profile
from streamer.recording import RunInfo, create_run, open_annotated, open_labels, open_raw, read_frames

SHIFT_YX = (3, -2)
CHANNELS = (
    Channel(name="red", window_nm=(600, 650), region_px=(0, 0, 40, 50)),
    Channel(
        name="far red",
        window_nm=(660, 720),
        region_px=(0, 50, 40, 50),
        to_reference=((1, 0, SHIFT_YX[0]), (0, 1, SHIFT_YX[1])),
    ),
)


def test_channels_of_a_splitter_are_recorded_in_register_and_counts_as_they_came(tmp_path: Path) -> None:
    specimen = np.random.default_rng(1).poisson(4, (40, 50)).astype(np.uint16)
    sensor = np.concatenate([specimen, np.roll(specimen, SHIFT_YX, (0, 1))], axis=1)
    frame = Frame(pixels=sensor, seq=0)
    parts, misfits = split(frame, CHANNELS)
    assert misfits == ()
    results = tuple(
        Result(
            frame=part,
            photons=part.pixels.astype(np.float32),
            denoised=part.pixels.astype(np.float32),
            labels=(part.pixels % 3).astype(np.uint8),
        )
        for part in parts
    )
    run = create_run(tmp_path / "run", RunInfo())
    profile = load_profile("abberior_er_low")
    recorder = open_recorder(run, profile, pixel_nm=None, dose=lambda frame: ({}, {}), channels=CHANNELS)
    with recorder:
        recorder.put_raw(frame)
        recorder.put(Outcome(frame=frame, results=results))
    (row,) = read_frames(run)
    assert row["annotated_channels"] == ["denoised red", "trust red", "denoised far red", "trust far red"]
    np.testing.assert_array_equal(open_raw(run)[0, 0, 0], sensor)
    red, _, far_red, _ = np.asarray(open_annotated(run)[0, :, 0])
    inside = np.isfinite(far_red)
    np.testing.assert_array_equal(red, specimen)
    np.testing.assert_array_equal(far_red[inside], red[inside])
    np.testing.assert_array_equal(
        ~inside, np.isnan(np.pad(np.zeros((37, 48)), ((0, 3), (2, 0)), constant_values=np.nan))
    )
    labels = np.asarray(open_labels(run, "segmentation")[0, ::2, 0])
    np.testing.assert_array_equal(labels[1][inside], labels[0][inside])
    assert not labels[1][~inside].any()
