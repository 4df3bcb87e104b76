"""Photons dealt into halves: independent, the same in every replay, and only when it is a frame's turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, chisquare

from streamer.apps import compose
from streamer.core import CONTINUE, Frame, Outcome, Result
from streamer.core.result import Halves
from streamer.metrics.thinning import halves
from streamer.pipeline import Denoised, RunState, Turns, policy, process, restored
from streamer.pipeline.checkpoint import stored
from streamer.pipeline.halves import Halver, HalvesState, Partner
from streamer.pipeline.neighbours import nothing_above
from streamer.profile import HardwareProfile, load_profile

SHAPE = (16, 32)


def summing(shape_yx: tuple[int, int]) -> Any:
    """A denoiser that adds up what it is shown, and a further output that nobody needs."""
    return lambda images: np.stack([images.sum(axis=1), np.zeros_like(images[:, 0])], axis=1)


def two_classes(shape_yx: tuple[int, int]) -> Any:
    """A segmenter that draws wherever there is a photon."""
    return lambda images: np.concatenate([np.full_like(images, 0.5), images], axis=1)


def halver(every: int = 3, state: HalvesState | None = None, read_noise_e: float = 0.0) -> Halver:
    denoiser, segmenter = (Partner(network_for=net, size_multiple=16) for net in (summing, two_classes))
    return Halver(denoiser, segmenter, every=every, read_noise_e=read_noise_e, state=state or HalvesState())


def frame(seq: int, axes: Mapping[str, int | str] | None = None) -> Frame:
    pixels = np.random.default_rng((3, seq)).poisson(2.0, SHAPE).astype(np.uint16)
    return Frame(pixels=pixels, seq=seq, axes=axes or {})


def of(one: Frame, halving: Halver, *beside: NDArray[np.float32]) -> Halves | None:
    """The halves of a frame, whose denoiser is shown further images beside it."""
    photons = one.pixels.astype(np.float32)
    denoised = Denoised(frame=one, photons=photons, image=photons, shown=np.stack([photons, *beside]))
    result = Result(frame=one, photons=photons, denoised=photons, labels=one.pixels.astype(np.uint8))
    return halving(denoised, result).halves if halving.due(one) else None


def ran(frames: Iterable[Frame], halving: Halver) -> list[Outcome]:
    """What `process` makes of frames."""

    class Kept(list[Outcome]):
        put = list.append

    def denoise(one: Frame) -> Denoised:
        return Denoised(frame=one, photons=one.pixels.astype(np.float32), image=one.pixels * np.float32(1))

    def segment(one: Denoised) -> Result:
        labels = np.zeros(SHAPE, np.uint8)
        return Result(frame=one.frame, photons=one.photons, denoised=one.image, labels=labels)

    kept = Kept()
    process(
        frames,
        record=lambda one: None,
        split=lambda one: ((one,), ()),
        turns=Turns(nothing_above),
        denoise=denoise,
        segment=segment,
        judge=lambda result: (),
        policy=lambda one, verdicts: CONTINUE,
        checkpoint=lambda: None,
        sinks=(kept,),
        lag=lambda one: (0.0, 0),
        halves=halving,
    )
    return kept


@pytest.mark.parametrize(("every", "turns"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (0, [])])
def test_every_so_many_frames_have_halves_and_a_stage_of_their_own(every: int, turns: list[int]) -> None:
    outcomes = ran(map(frame, range(7)), halver(every))
    assert [outcome.frame.seq for outcome in outcomes if outcome.results[0].halves] == turns
    assert [outcome.frame.seq for outcome in outcomes if "halves" in outcome.timings_ms] == turns


def test_each_view_counts_its_own_frames() -> None:
    halving = halver(2)
    frames = [frame(seq, {"position": seq % 2}) for seq in range(8)]
    assert [halving.due(one) for one in frames] == [True, True, False, False] * 2


def test_halves_sum_to_the_photons_and_the_networks_see_each() -> None:
    one = of(frame(0), halver())
    assert one is not None
    np.testing.assert_array_equal(one.photons_a + one.photons_b, frame(0).pixels)
    np.testing.assert_array_equal(one.denoised_a, one.photons_a)
    np.testing.assert_array_equal(one.denoised_b, one.photons_b)
    np.testing.assert_array_equal(one.labels_a, one.photons_a > 0.5)


def test_what_is_beside_a_frame_is_dealt_out_too_and_alike_where_it_is_the_same() -> None:
    own, other = frame(0).pixels.astype(np.float32), frame(9).pixels.astype(np.float32)
    alone, twice, both = (of(frame(0), halver(), *beside) for beside in ((), (own,), (other,)))
    assert alone is not None
    assert twice is not None
    assert both is not None
    np.testing.assert_array_equal(twice.denoised_a, 2 * alone.photons_a)
    beside_a = both.denoised_a - both.photons_a
    assert (beside_a <= other).all()
    np.testing.assert_array_equal(beside_a + both.denoised_b - both.photons_b, other)


def test_a_replay_and_a_resumed_run_have_the_same_halves() -> None:
    frames = [frame(seq, {"position": f"Ä{seq % 2}"}) for seq in range(20)]
    halving = halver()
    whole = [of(one, halving) for one in frames]
    for cut in (1, 7, 12):
        first = halver()
        again = [of(one, first) for one in frames[:cut]]
        arrays = stored(RunState(halves=first.state), ())
        resumed = halver(state=restored(arrays, (), policy.start()).halves)
        again += [of(one, resumed) for one in frames[cut:]]
        for one, other in zip(whole, again, strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                np.testing.assert_array_equal(one.photons_a, other.photons_a)
                np.testing.assert_array_equal(one.labels_a, other.labels_a)


def test_frames_and_views_are_dealt_out_differently() -> None:
    pixels = np.full(SHAPE, 9, np.uint16)
    places: tuple[tuple[int, dict[str, int | str]], ...] = ((0, {}), (1, {}), (0, {"position": 1}))
    dealt = [of(Frame(pixels=pixels, seq=seq, axes=axes), halver()) for seq, axes in places]
    firsts = [one.photons_a for one in dealt if one is not None]
    assert not any((a == b).all() for a, b in zip(firsts, [*firsts[1:], firsts[0]], strict=True))


def test_the_coins_fall_as_they_ever_did() -> None:
    """Recordings replay to the bit on any machine and with any numpy: these numbers must never change."""
    first, second = halves(np.arange(130, dtype=np.float32)[::10], 7)
    assert first.tolist() == [0, 2, 13, 16, 23, 26, 33, 26, 43, 40, 47, 51, 62]
    assert (first + second).tolist() == list(range(0, 130, 10))


@pytest.mark.parametrize("count", [1, 3, 64, 100])
def test_every_photon_falls_to_either_half_alike(count: int) -> None:
    first, _ = halves(np.full(40_000, count, np.float32), 11)
    found = np.bincount(first.astype(int), minlength=count + 1)
    expected = 40_000 * binom.pmf(np.arange(count + 1), count, 0.5)
    few = expected < 5
    pooled = [np.append(each[~few], each[few].sum()) for each in (found, expected)]
    pooled = [each[pooled[1] > 0] for each in pooled]
    assert chisquare(*pooled, sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize("photons", [0.0, 0.05, 0.3, 3.0])
@pytest.mark.parametrize("read_noise_e", [0.3, 0.7, 1.0, 1.6, 3.0])
def test_halves_of_a_camera_image_share_no_noise(photons: float, read_noise_e: float) -> None:
    """Dealing alone leaves a correlation of 0.5 and more in the dark; 60,000 pixels tell 0.016."""
    rng = np.random.default_rng(5)
    image = rng.poisson(photons, 60_000) + rng.normal(0.0, read_noise_e, 60_000)
    first, second = halves(image.astype(np.float32), 3, read_noise_e)
    np.testing.assert_allclose(first + second, image, atol=1e-4)
    lowest = -0.06 if read_noise_e >= 1 or photons >= 1 else -0.22
    assert lowest < float(np.corrcoef(first, second)[0, 1]) < 0.016
    assert first.mean() == pytest.approx(photons / 2, abs=0.03)
    assert first.var() == pytest.approx((photons + read_noise_e**2) / 2, rel=0.3)


def test_a_wrong_read_noise_correlates_the_halves() -> None:
    """The approximation stands and falls with the calibration: a fifth too little shows at once."""
    image = np.random.default_rng(6).normal(0.0, 1.6, 60_000).astype(np.float32)
    first, second = halves(image, 3, 1.6 / 1.2)
    assert float(np.corrcoef(first, second)[0, 1]) > 0.1


def test_a_result_without_halves_keeps_none() -> None:
    result = ran([frame(0)], halver(0))[0].results[0]
    assert result.halves is None
    assert replace(result, follows=False).halves is None


def test_the_stages_of_a_run_give_the_same_halves_after_a_crash() -> None:
    fields = load_profile("abberior_er_low").to_dict()
    networks = compose.load_models(compose.ModelSettings(precision="f32", threads=1))
    composer = compose.Composer(HardwareProfile.model_validate(fields), networks)
    rng, (y, x) = np.random.default_rng(4), np.mgrid[:48, :64]
    frames = [
        Frame(pixels=rng.poisson(0.05 + 0.8 * ((x + 2 * y + seq) % 30 < 10)).astype(np.uint8), seq=seq)
        for seq in range(70)
    ]

    class Kept(list[Outcome]):
        put = list.append

    def processed(stages: compose.Stages, frames: Iterable[Frame]) -> Kept:
        kept, rest = Kept(), stages.as_arguments()
        process(frames, record=lambda one: None, sinks=(kept,), lag=lambda one: (0.0, 0), **rest)
        return kept

    whole = processed(composer.stages(planned=100), frames)
    checkpoint = next(outcome.checkpoint for outcome in whole if outcome.checkpoint is not None)
    seq = int(checkpoint["seq"])
    rest = processed(composer.stages(planned=100, checkpoint=checkpoint), frames[seq + 1 :])
    dealt = {outcome.frame.seq: outcome.results[0].halves for outcome in whole if outcome.results[0].halves}
    assert list(dealt) == list(range(0, 70, 20))
    again = {outcome.frame.seq: outcome.results[0].halves for outcome in rest if outcome.results[0].halves}
    assert list(again) == [each for each in dealt if each > seq]
    for number, one in again.items():
        for name in ("photons_a", "photons_b", "denoised_a", "denoised_b", "labels_a"):
            np.testing.assert_array_equal(getattr(one, name), getattr(dealt[number], name))
