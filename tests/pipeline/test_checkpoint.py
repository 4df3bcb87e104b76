"""A run goes on from a checkpoint as if nothing had happened."""

from __future__ import annotations

import io

import numpy as np
import pytest
from views_of_a_run import GUARDS, interleaved, running

from streamer.errors import SourceError
from streamer.guards import to_arrays
from streamer.pipeline import Checkpoints, policy, restored, views
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
    arrays = through_a_file(stored(judge.state, policy.start(KNOBS), GUARDS))
    assert arrays["seq"] == cut - 1
    again = running(restored(arrays, GUARDS, policy.start(KNOBS))[0])
    assert list(map(again, results[cut:])) == list(map(judge, results[cut:]))


def test_the_policy_is_stored_beside_the_guards() -> None:
    state = policy.PolicyState(
        frames=7, views=("", "z 1"), recent=("ignore", "note stop"), stopped=True, asked=(2.5,)
    )
    arrays = through_a_file(stored(views.ViewsState(), state, GUARDS))
    assert restored(arrays, GUARDS, policy.start(KNOBS)) == (views.ViewsState(), state)
    unasked = through_a_file(stored(views.ViewsState(), policy.start(KNOBS), GUARDS))
    _, back = restored(unasked, GUARDS, policy.start(KNOBS))
    for name, array in to_arrays(policy.start(KNOBS)).items():
        np.testing.assert_array_equal(to_arrays(back)[name], array)


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays.pop("seq"),
        lambda arrays: arrays.pop("views/1/photons/recent"),
        lambda arrays: arrays.pop("views/0/seq"),
        lambda arrays: arrays.update({"policy/mood": np.zeros(1)}),
        lambda arrays: arrays.update({"seq": np.zeros(3)}),
        lambda arrays: arrays.update({"views/0/pixels": np.asarray("many")}),
    ],
    ids=["no number", "a state without a field", "a view without a number", "a stranger", "a list", "words"],
)
def test_a_checkpoint_of_something_else_is_refused_in_one_line(damage) -> None:
    judge = running()
    for result in interleaved(*PLACES, frames=2):
        judge(result)
    arrays = dict(stored(judge.state, policy.start(KNOBS), GUARDS))
    damage(arrays)
    with pytest.raises(SourceError, match=r"checkpoint: .*judge its frames from the first on") as caught:
        restored(arrays, GUARDS, policy.start(KNOBS))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("seen", "frames"), [(1, EVERY_FRAMES), (12, EVERY_FRAMES), (30, 120)], ids=str)
def test_checkpoints_are_rarer_the_more_views_they_hold(seen: int, frames: int) -> None:
    view = views.ViewState(seq=0, pixels=1, states=tuple(guard.start() for guard in GUARDS))
    state = views.ViewsState(seq=9, views={str(number): view for number in range(seen)})
    due = Checkpoints(lambda: state, policy.start, GUARDS)
    taken = [number for number in range(1, 2 * frames + 1) if due() is not None]
    assert taken == [frames, 2 * frames]
