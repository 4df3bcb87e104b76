"""Two channels on one simulated sensor, through the whole path: they come out apart and in register."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.apps.children import Child
from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.microscope import MicroscopeSettings, microscope_process, scene_settings
from streamer.profile import load_profile
from streamer.recording import RunFolder, open_annotated, open_raw, read_frames

PROFILE = "simulated_splitter"


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


@pytest.mark.live
def test_a_splitter_recording_comes_out_as_two_registered_channels(tmp_path: Path) -> None:
    profile = load_profile(PROFILE)
    first, second = profile.detector.channels
    settings = ProcessorSettings(profile=PROFILE, out=tmp_path / "run", endpoint="tcp://127.0.0.1:*")
    with processor_child(settings) as processor:
        imaging = MicroscopeSettings(
            profile=PROFILE,
            scene=scene_settings(profile, seed=3),
            endpoint=processor.expect("ready")["endpoint"],
            frames=4,
            frame_ms=40,
        )
        with Child("microscope", microscope_process, imaging, if_it_dies="") as microscope:
            seen, summary = microscope.expect("report"), processor.expect("summary")
    assert seen["exposed"] == summary["recorded"] == summary["processed"] == 4

    run = RunFolder(tmp_path / "run")
    sensor, annotated = open_raw(run), open_annotated(run)
    assert sensor.shape == (4, 1, 1, 256, 512)
    assert annotated.shape == (4, 6, 1, 256, 256)
    for row in read_frames(run):
        assert row["annotated_channels"] == [
            f"{image} {channel.name}"
            for channel in (first, second)
            for image in ("denoised", "uncertainty", "trust")
        ]
        assert {verdict["view"] for verdict in row["verdicts"]} == {"channel yellow", "channel red"}
    yellow, red = (np.asarray(annotated[:, c, 0]).mean(axis=0) for c in (0, 3))
    inside = np.isfinite(red)
    assert 0.9 < inside.mean() < 1  # what the second channel does not see is no number
    together = correlation(yellow, red)
    shifted = [correlation(yellow, np.roll(red, by, (0, 1))) for by in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    print("correlation in register", together, "a pixel off", shifted)
    assert together > 0.9
    assert together > max(shifted)
