"""Labels between segmented frames: carried, marked, the same in every replay, and bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import pytest

from streamer.core import Frame, Result
from streamer.errors import SourceError
from streamer.pipeline import Denoised, Running, RunState, policy, restored
from streamer.pipeline import views as of_views
from streamer.pipeline.carried import LabelsState, step
from streamer.pipeline.checkpoint import stored

SHAPE = (4, 6)
Axes = Mapping[str, int | str]


def denoised(seq: int, axes: Axes | None = None, shape: tuple[int, int] = SHAPE) -> Denoised:
    frame = Frame(pixels=np.full(shape, seq, np.uint8), seq=seq, axes=axes or {})
    image = frame.pixels.astype(np.float32)
    return Denoised(frame=frame, photons=image, image=image + 1, uncertainty=image + 2)


def drawn(one: Denoised) -> Result:
    """A segmenter that draws the frame's number."""
    return Result(
        frame=one.frame,
        photons=one.photons,
        denoised=one.image,
        labels=one.frame.pixels,
        uncertainty=one.uncertainty,
    )


def segmenting(every: int, state: LabelsState | None = None) -> Running[LabelsState, [Denoised], Result]:
    return Running(partial(step, every=every, segment=drawn), state or LabelsState())


def said(results: Iterable[Result]) -> list[tuple[int, int | None]]:
    """What is drawn in each, and from which frame they say that it is."""
    return [(int(result.labels[0, 0]), result.labels_seq) for result in results]


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (1, [(0, None), (1, None), (2, None), (3, None), (4, None)]),
        (2, [(0, None), (0, 0), (2, None), (2, 2), (4, None)]),
        (4, [(0, None), (0, 0), (0, 0), (0, 0), (4, None)]),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_labels_are_those_of_the_last_segmented_frame_and_say_so(
    every: int, expected: list[tuple[int, int | None]]
) -> None:
    assert said(map(segmenting(every), map(denoised, range(5)))) == expected


def test_only_labels_are_carried() -> None:
    segment = segmenting(3)
    segment(denoised(0))
    result = segment(denoised(1))
    assert result.uncertainty is not None
    numbers = (result.frame.seq, result.photons[0, 0], result.denoised[0, 0], result.uncertainty[0, 0])
    assert numbers == (1, 1, 2, 3)


def test_each_view_and_each_size_counts_its_own_frames() -> None:
    segment = segmenting(2)
    places: list[Axes] = [{"position": 0}, {"position": 1}]
    frames = [denoised(seq, places[seq % 2]) for seq in range(6)]
    # The second one begins in the middle of the count, so that they take turns.
    assert said(map(segment, frames)) == [(0, None), (1, None), (0, 0), (3, None), (4, None), (3, 3)]
    other = segment(denoised(6, places[0], shape=(8, 6)))
    assert (other.labels.shape, other.labels_seq) == ((8, 6), None)


def test_a_lost_frame_makes_the_labels_older_and_the_number_tells() -> None:
    assert said(map(segmenting(3), map(denoised, (0, 1, 9, 10)))) == [(0, None), (0, 0), (0, 0), (10, None)]


@pytest.mark.parametrize("cut", [1, 2, 3, 7], ids=lambda cut: f"after {cut}")
def test_a_run_that_goes_on_segments_the_same_frames(cut: int) -> None:
    frames = [denoised(seq, {"position": f"Ä{seq % 2}"}) for seq in range(16)]
    whole, first = segmenting(3), segmenting(3)
    before = [said([first(one)]) for one in frames[:cut]]
    arrays = stored(RunState(labels=first.state), ())
    again = segmenting(3, restored(arrays, (), policy.start()).labels)
    assert before + [said([again(one)]) for one in frames[cut:]] == [said([whole(one)]) for one in frames]


def test_an_older_checkpoint_has_no_labels_and_a_damaged_one_is_refused() -> None:
    segment = segmenting(3)
    segment(denoised(0))
    arrays = dict(stored(RunState(labels=segment.state), ()))
    older = {name: array for name, array in arrays.items() if not name.startswith("labels/")}
    assert restored(older, (), policy.start()).labels == LabelsState()
    with pytest.raises(SourceError, match="checkpoint: what was drawn is no image of classes"):
        restored(arrays | {"labels/0/labels": np.zeros(SHAPE)}, (), policy.start())


def test_views_beyond_what_can_be_remembered_are_segmented_every_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of_views, "PIXELS_MAX", 4 * SHAPE[0] * SHAPE[1])
    segment = Running(partial(step, every=9, segment=drawn, images=2), LabelsState())
    frames = [denoised(seq, {"position": seq % 3}) for seq in range(6)]
    assert [seq for _, seq in said(map(segment, frames))] == [None, None, None, 0, 1, None]
