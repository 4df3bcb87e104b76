"""The shipped denoiser on specimens that nobody has seen: their seeds are drawn when the test runs."""

from __future__ import annotations

import luck

from bench.models_methods import Method, Packaged, raw_and_filters, tuning_frames
from streamer.analysis import held_out
from streamer.metrics.quality import linear_fit_psnr

FRAMES, SIZE_PX = 4, 240
#: Median photons of foreground boxes at the low dose of Rahm et al.
LOW_DOSE = 28.0


def test_the_shipped_denoiser_beats_raw_by_6_db_and_every_tuned_filter() -> None:
    seed = luck.seed(2**20)
    frames = held_out("er", FRAMES, seed, LOW_DOSE, SIZE_PX)
    ours = Method(name="ours", kind="ours", setting="", denoise=Packaged("er-denoise-live"))
    methods = [*raw_and_filters(tuning_frames(LOW_DOSE, 2, seed, SIZE_PX)), ours]
    truths = [frame.truth for frame in frames]
    psnr_db = {
        method.name: linear_fit_psnr([method.denoise(frame.counts)[0] for frame in frames], truths).psnr_db
        for method in methods
    }
    model_db = psnr_db.pop("ours")
    assert model_db >= psnr_db["raw"] + 6, psnr_db
    assert model_db > max(psnr_db.values()), psnr_db
