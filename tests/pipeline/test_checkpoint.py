"""A run goes on from a checkpoint as if nothing had happened."""

from __future__ import annotations

import io

import numpy as np
import pytest
from views_of_a_run import GUARDS, interleaved, running

from streamer.core import Frame
from streamer.errors import SourceError
from streamer.guards import to_arrays
from streamer.pipeline import Checkpoints, Running, RunState, neighbours, past, policy, restored, views
from streamer.pipeline.checkpoint import EVERY_FRAMES, stored
from streamer.profile import Knob

PLACES = ({"position": 0, "channel": "red\0"}, {"position": "Ä", "z": 3}, {})
KNOBS = (Knob(quantity="interval_s", minimum=1.0, maximum=10.0, factor=2.0),)


def through_a_file(arrays: dict) -> dict:
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored_arrays:
        return dict(stored_arrays)


@pytest.mark.parametrize("cut", [1, 2, 20, 61, 119], ids=lambda cut: f"after {cut}")
def test_the_same_verdicts_follow_from_a_stored_state(cut: int) -> None:
    results = interleaved(*PLACES)
    judge = running()
    for result in results[:cut]:
        judge(result)
    arrays = through_a_file(stored(RunState(views=judge.state), GUARDS))
    assert arrays["seq"] == cut - 1
    again = running(restored(arrays, GUARDS, policy.start()).views)
    assert list(map(again, results[cut:])) == list(map(judge, results[cut:]))


def remembering(state: past.PastState) -> Running:
    return Running(lambda s, frame: past.step(s, frame, frame.pixels.astype(np.float32), frames=3), state)


@pytest.mark.parametrize("cut", [1, 2, 7, 20, 23, 24, 39], ids=lambda cut: f"after {cut}")
def test_a_denoiser_is_shown_the_same_past_from_a_stored_state(cut: int) -> None:
    """Three places by turns, and a gap in the numbers after 22 frames."""
    rng = np.random.default_rng(2)
    frames = [
        Frame(
            pixels=rng.integers(0, 9, (4, 6), np.uint8),
            seq=seq if seq < 22 else seq + 5,
            axes=PLACES[seq % 3],
        )
        for seq in range(40)
    ]
    show = remembering(past.PastState())
    for frame in frames[:cut]:
        show(frame)
    arrays = through_a_file(stored(RunState(past=show.state), GUARDS))
    again = remembering(restored(arrays, GUARDS, policy.start()).past)
    for frame in frames[cut:]:
        np.testing.assert_array_equal(again(frame), show(frame))
    assert again.state.views.keys() == show.state.views.keys()


@pytest.mark.parametrize("cut", [1, 2, 5, 6, 11], ids=lambda cut: f"after {cut}")
def test_a_slice_is_shown_the_one_below_from_a_stored_state(cut: int) -> None:
    """Stacks of three slices at two places by turns, and a gap in the numbers after 7 frames."""
    rng = np.random.default_rng(4)
    frames = [
        Frame(
            pixels=rng.integers(0, 9, (4, 6), np.uint8),
            seq=seq if seq < 7 else seq + 2,
            axes={"time": seq // 6, "z": seq // 2 % 3, "position": seq % 2},
        )
        for seq in range(18)
    ]

    def stacking(state: past.PastState) -> Running:
        return Running(lambda s, frame: neighbours.step(s, frame, frame.pixels.astype(np.float32)), state)

    show = stacking(past.PastState())
    for frame in frames[:cut]:
        show(frame)
    arrays = through_a_file(stored(RunState(past=show.state), GUARDS))
    again = stacking(restored(arrays, GUARDS, policy.start()).past)
    for frame in frames[cut:]:
        np.testing.assert_array_equal(again(frame), show(frame))


def test_the_policy_is_stored_beside_the_guards() -> None:
    state = policy.PolicyState(
        frames=7, views=("", "z 1"), recent=("ignore", "note stop"), stopped=True, asked=(2.5,)
    )
    arrays = through_a_file(stored(RunState(policy=state), GUARDS))
    assert restored(arrays, GUARDS, policy.start(KNOBS)) == RunState(policy=state)
    unasked = through_a_file(stored(RunState(policy=policy.start(KNOBS)), GUARDS))
    back = restored(unasked, GUARDS, policy.start(KNOBS)).policy
    for name, array in to_arrays(policy.start(KNOBS)).items():
        np.testing.assert_array_equal(to_arrays(back)[name], array)


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays.pop("seq"),
        lambda arrays: arrays.pop("views/1/photons/gauge.recent"),
        lambda arrays: arrays.pop("views/0/seq"),
        lambda arrays: arrays.update({"policy/mood": np.zeros(1)}),
        lambda arrays: arrays.update({"seq": np.zeros(3)}),
        lambda arrays: arrays.update({"views/0/pixels": np.asarray("many")}),
        lambda arrays: arrays.pop("past/seq"),
        lambda arrays: arrays.pop("past/views/2/photons/0"),
        lambda arrays: arrays.pop("past/views/0/place"),
        lambda arrays: arrays.update({"past/views/0/photons/0": np.zeros(24, np.float32)}),
        lambda arrays: arrays.update({"past/views/0/photons/0": np.zeros((4, 6))}),
    ],
    ids=[
        "no number",
        "a state without a field",
        "a view without a number",
        "a stranger",
        "a list",
        "words",
        "no past",
        "a past with a hole",
        "a past of nowhere",
        "a past without rows",
        "a past in another type",
    ],
)
def test_a_checkpoint_of_something_else_is_refused_in_one_line(damage) -> None:
    judge, show = running(), remembering(past.PastState())
    for result in interleaved(*PLACES, frames=2):
        judge(result)
        show(result.frame)
    state = RunState(views=judge.state, past=show.state, policy=policy.start(KNOBS))
    arrays = dict(stored(state, GUARDS))
    damage(arrays)
    with pytest.raises(SourceError, match=r"checkpoint: .*judge its frames from the first on") as caught:
        restored(arrays, GUARDS, policy.start(KNOBS))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("seen", "kept", "frames"),
    [(1, 0, EVERY_FRAMES), (12, 0, EVERY_FRAMES), (30, 0, 120), (10, 2, 120)],
    ids=["one view", "12 views", "30 views", "10 views with two past frames each"],
)
def test_checkpoints_are_rarer_the_more_images_they_hold(seen: int, kept: int, frames: int) -> None:
    view = views.ViewState(seq=0, pixels=1, states=tuple(guard.start() for guard in GUARDS))
    before = past.PastView(seq=0, pixels=1, photons=(np.zeros((1, 1), np.float32),) * kept)
    state = RunState(
        views=views.ViewsState(seq=9, views={str(number): view for number in range(seen)}),
        past=past.PastState(seq=9, views={str(number): before for number in range(seen)}),
    )
    due = Checkpoints(lambda: state, GUARDS)
    taken = [number for number in range(1, 2 * frames + 1) if due() is not None]
    assert taken == [frames, 2 * frames]
