"""The shipped denoiser on specimens that nobody has seen: their seeds are drawn when the test runs."""

from __future__ import annotations

import numpy as np

from bench.denoise import compare, draw_seeds, held_out_frames, packaged_denoiser

FRAMES, SHAPE = 4, (240, 240)


def test_the_shipped_denoiser_beats_raw_by_6_db_and_every_tuned_filter() -> None:
    seeds = draw_seeds(FRAMES)
    print("seeds", seeds)
    frames = held_out_frames(seeds, SHAPE)
    assert 20 <= np.median([frame.median_box_sum for frame in frames]) <= 40
    scores = compare(frames, ("er-denoise-live", packaged_denoiser("er-denoise-live")), seed=1)
    gains = {score.method: score.gain_db for score in scores}
    model = gains.pop("er-denoise-live")
    assert model >= 6, gains
    assert model > max(gains.values()), gains
