"""Which view a page gets, where not every position has every channel and every height."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.preview.server.views import AXES, Choice
from streamer.reading import View


def view(position: Any = None, channel: str = "", z: Any = None) -> View:
    return View(position=position, channel=channel, z=z)


#: Position 0 is a stack in red; position 1 has one height of its own, in green, and one that it shares.
RAGGED = (
    *(view(0, "red", z) for z in (0, 1, 2)),
    view(1, "green", 5),
    view(1, "green", 2),
)


def test_what_exists_is_what_one_gets() -> None:
    choice = Choice()
    for wanted in RAGGED:
        assert choice.among(RAGGED, wanted) == wanted


@pytest.mark.parametrize(
    ("before", "wanted", "found"),
    [
        pytest.param(view(0, "red", 0), view(1, "red", 0), view(1, "green", 2), id="position"),
        pytest.param(view(0, "red", 1), view(0, "green", 1), view(1, "green", 2), id="channel"),
        pytest.param(view(0, "red", 1), view(0, "red", 5), view(1, "green", 5), id="height"),
        pytest.param(view(1, "green", 5), view(0, "green", 5), view(0, "red", 2), id="nearest height"),
    ],
)
def test_what_was_just_changed_is_kept(before: View, wanted: View, found: View) -> None:
    choice = Choice()
    choice.among(RAGGED, before)
    assert choice.among(RAGGED, wanted) == found
    assert choice.among(RAGGED, wanted) == found  # asked again, by a page that has zoomed
    later = (*RAGGED, wanted)
    assert choice.among(later, wanted) == wanted  # it has come to be


def test_a_page_that_does_not_say_what_it_wants_gets_the_first() -> None:
    assert Choice().among(RAGGED, view()) == RAGGED[0]


@pytest.mark.parametrize("wanted", [view(7, "red", 0), view(0, "blue", 0), view(0, "red", 9)])
def test_what_no_view_has_is_refused_and_what_was_looked_at_stays(wanted: View) -> None:
    choice = Choice()
    choice.among(RAGGED, RAGGED[1])
    with pytest.raises(ValueError, match="is not in this run"):
        choice.among(RAGGED, wanted)
    assert choice.view == RAGGED[1]


_EVERY = tuple(view(*axes) for axes in product((0, 1, 2), ("red", "green"), (0, 1, 2)))


@given(
    views=st.lists(st.sampled_from(_EVERY), min_size=1, max_size=8, unique=True),
    pick=st.integers(0, 7),
    start=st.integers(0, 7),
    order=st.sampled_from(list(permutations(AXES))),
)
def test_every_view_is_reached_by_one_change_after_the_other(
    views: list[View], pick: int, start: int, order: tuple[str, ...]
) -> None:
    target, choice = views[pick % len(views)], Choice()
    chosen = shown = choice.among(views, views[start % len(views)])
    for axis in order:
        values = {name: getattr(chosen, name) for name in AXES}
        is_changed = values[axis] != getattr(target, axis)
        chosen = View(**{**values, axis: getattr(target, axis)})
        shown = choice.among(views, chosen)
        assert getattr(shown, axis) == getattr(target, axis) or not is_changed
    assert shown == target
