"""The slices below and above: who is shown with whom, who waits for whom, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from views_of_a_run import GUARDS

from streamer.apps.processor import RAM_BYTES
from streamer.core import Frame, Result
from streamer.pipeline import SLICES, Running, Turns, neighbours, past, views
from streamer.pipeline.neighbours import Cut, above, most_further
from streamer.pipeline.turns import Turn
from streamer.sources.intake import Intake
from streamer.wire import MAX_PIXEL_BYTES

Axes = dict[str, int | str]
#: Number of a frame, of the slice below it and of the one above it; its own where there is none.
Shown = tuple[int, int, int]


def frame(seq: int, axes: Axes, **known: object) -> Frame:
    """A frame of which every pixel says its number."""
    return Frame(pixels=np.full((2, 3), seq, np.uint8), seq=seq, axes=axes, **known)


def run(*places: Axes) -> list[Frame]:
    return [frame(seq, axes) for seq, axes in enumerate(places)]


def whole(frame: Frame) -> Cut:
    return Cut(frame=frame, parts=(frame,))


def uncut(frame: Frame) -> Cut:
    return Cut(frame=frame, parts=())


def shown(turns: Iterable[Turn], show: Running) -> list[Shown]:
    """What the network would be shown of each frame, in the order of their turns."""
    told = []
    for turn in turns:
        for part, *higher in turn.parts if turn.cut.is_processed else ():
            stack = show(part, *(one.pixels.astype(np.float32) for one in (part, *higher)))
            told.append(tuple(int(image[0, 0]) for image in stack))
    return told


def stacking() -> Running:
    return Running(neighbours.step, past.PastState())


def seen(frames: Iterable[Frame], take=whole) -> dict[int, tuple[int, int]]:
    """By number, the slices below and above."""
    return {own: (low, high) for own, low, high in shown(Turns(above)(frames, take), stacking())}


def stack(slices: int = 3, **axes: int | str) -> list[Axes]:
    return [{**axes, "z": z} for z in range(slices)]


def test_a_slice_is_shown_with_the_ones_below_and_above_and_stands_in_at_the_borders() -> None:
    assert seen(run(*stack(4))) == {0: (0, 1), 1: (0, 2), 2: (1, 3), 3: (2, 3)}


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (stack(time=0) + stack(time=1), {2: (1, 2), 3: (3, 4)}),
        (stack(channel="a") + stack(channel="b"), {2: (1, 2), 3: (3, 4), 4: (3, 5)}),
        (stack(2, channel="a") + stack(2, channel="b"), {1: (0, 1), 2: (2, 3)}),
        (stack(2) + stack(2), {0: (0, 1), 1: (0, 1), 2: (2, 3), 3: (2, 3)}),
        (stack(position=0) + stack(position=1), {2: (1, 2), 3: (3, 4)}),
        ([{"z": z, "channel": c} for z in range(3) for c in "ab"], {0: (0, 2), 3: (1, 5), 5: (3, 5)}),
        ([{"z": z, "position": p} for z in range(3) for p in "abc"], {0: (0, 3), 4: (1, 7), 8: (5, 8)}),
        ([{"z": z, "time": t} for z in range(2) for t in range(2)], {0: (0, 0), 3: (3, 3)}),
        ([{"z": 0}, {"z": 2}, {"z": 3}], {0: (0, 0), 1: (1, 2), 2: (1, 2)}),
        ([{"z": z} for z in (2, 1, 0)], {0: (0, 0), 1: (1, 1), 2: (2, 2)}),
        ([{"z": 0}, {"z": 0}, {"z": 1}], {0: (0, 0), 1: (1, 2)}),
        ([{"time": 0}, {"time": 0}], {0: (0, 0), 1: (1, 1)}),
        ([{"z": "low"}, {"z": "high"}], {0: (0, 0), 1: (1, 1)}),
        ([{"z": 0}, {}, {"z": 1}], {0: (0, 0), 1: (1, 1), 2: (2, 2)}),
        ([{"z": 0}, {"channel": "b"}, {"z": 1}], {0: (0, 2), 1: (1, 1), 2: (0, 2)}),
        ([{"z": -1}, {"z": 0}], {0: (0, 1), 1: (0, 1)}),
    ],
    ids=[
        *("time after time", "channel after channel", "two slices a channel", "no time stated", "positions"),
        *("channels at each z", "positions at each z", "times at each z", "a slice left out", "downwards"),
        *("the same again", "no z", "z in words", "no z between", "another channel without z", "below 0"),
    ],
)
def test_neighbours_are_of_one_stack(places: list[Axes], expected: dict[int, tuple[int, int]]) -> None:
    told = seen(run(*places))
    assert {seq: told[seq] for seq in expected} == expected


@pytest.mark.parametrize(
    ("lost", "take"),
    [
        (lambda frames: [one for one in frames if one.seq != 3], whole),
        (lambda frames: [replace(one, superseded=one.seq == 3) for one in frames], whole),
        (lambda frames: frames, lambda one: uncut(one) if one.seq == 3 else whole(one)),
    ],
    ids=["lost", "passed over", "cannot be cut"],
)
def test_what_nobody_knows_parts_the_slices_around_it_in_every_view(lost, take) -> None:
    """Two channels by turns; frame 3 is of the second one, and frame 4 is above frame 2."""
    frames = run(*({"z": z, "channel": c} for z in range(4) for c in "ab"))
    told = seen(lost(frames), take)
    assert told[0] == (0, 2)
    assert (told[1], told[2], told[4], told[5]) == ((1, 1), (0, 2), (4, 6), (5, 7))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, exposure_ms=20.0),
        lambda one: replace(one, pixels=np.repeat(one.pixels, 2, axis=1)),
    ],
    ids=["exposure", "size"],
)
def test_a_new_camera_mode_is_another_stack(change) -> None:
    frames = run(*stack(4))
    assert seen([*frames[:2], *map(change, frames[2:])]) == {0: (0, 1), 1: (0, 1), 2: (2, 3), 3: (2, 3)}


def test_each_part_of_a_frame_has_its_own_neighbours() -> None:
    def halves(one: Frame) -> Cut:
        sides = np.array_split(one.pixels, 2, axis=0)
        names = ("red", "green")
        return Cut(
            frame=one,
            parts=tuple(
                replace(one, pixels=side + np.uint8(10 * number), axes={**one.axes, "channel": names[number]})
                for number, side in enumerate(sides)
            ),
        )

    told = seen(run(*stack(3)), halves)
    assert told == {0: (0, 1), 10: (10, 11), 1: (0, 2), 11: (10, 12), 2: (1, 2), 12: (11, 12)}


def held_after_each(frames: list[Frame]) -> list[int]:
    """How many are held when the next one is asked for."""
    given: list[int] = []
    held = []

    def asked() -> Iterator[Frame]:
        for number, one in enumerate(frames):
            held.append(number - len(given))
            yield one

    for turn in Turns(above)(asked(), whole):
        given.append(turn.cut.frame.seq)
    assert given == [one.seq for one in frames]
    return held[1:]


def test_a_slice_waits_for_one_frame_and_what_has_no_z_for_none() -> None:
    assert held_after_each(run(*stack(3, time=0), *stack(3, time=1))) == [1] * 5
    assert held_after_each(run({"time": 0}, {"time": 1}, {"time": 2})) == [0, 0]
    assert held_after_each(run(*({"z": z, "channel": c} for z in range(3) for c in "ab"))) == [1, 2, 2, 2, 2]
    # The top of a stack waits for the next frame, wherever the stage has gone.
    assert held_after_each(run(*stack(3, position=0), *stack(3, position=1))) == [1] * 5


def test_what_never_comes_is_not_waited_for_beyond_a_number_of_frames_and_a_flag_says_so() -> None:
    frames = run(*({"z": z, "position": p} for z in range(2) for p in range(20)))
    turns = list(Turns(above)(frames, whole))
    assert [turn.cut.frame.seq for turn in turns] == list(range(40))
    assert max(held_after_each(frames)) == neighbours.FURTHER_MAX
    (said,) = turns[0].verdicts
    assert (said.guard, said.status, said.view) == ("neighbours", "flag", "position 0, z 0")
    assert said.meaning == (
        "denoised without a slice above: none was among the next 12 frames, no more are waited for"
    )
    assert turns[0].above.cut is None
    assert turns[30].verdicts == () or turns[30].verdicts[0].status == "pass"


@pytest.mark.parametrize(
    "size", [1, 720_000, 8 << 20, 20 << 20, 33 << 20, 60 << 20, 100 << 20, MAX_PIXEL_BYTES]
)
def test_the_link_lets_as_many_frames_come_as_a_slice_may_wait_for(size: int) -> None:
    """Nothing is recorded meanwhile: the hook may send only what it has credit for."""
    intake = Intake(profile="rig", recorded=None, ram_bytes=RAM_BYTES)
    pixels = np.broadcast_to(np.uint8(0), (1, size))
    until = seq = 0
    intake._until = until = intake._window  # as the welcome says
    while seq < until:
        assert intake.take_in(Frame(pixels=pixels, seq=seq), in_ram=True)
        seq += 1
        if credit := intake.credit():
            until = credit.until
    assert seq >= 1 + most_further(Frame(pixels=pixels, seq=0))


def test_frames_that_stay_out_let_go_what_is_held_and_a_replay_does_alike() -> None:
    """The source gives its next frame only when all before it have had their turn, as a paused run does."""
    frames = run(*({"z": z, "channel": c} for z in range(3) for c in "ab"))
    given, changed = [], threading.Condition()

    def paused_at_3() -> Iterator[Frame]:
        for one in frames:
            with changed:
                assert one.seq != 3 or changed.wait_for(lambda: len(given) == 3, timeout=60)
            yield one

    live = []
    for turn in Turns(above, patience_s=0.2)(paused_at_3(), whole):
        with changed:
            given.append(turn)
            live.append(turn)
            changed.notify_all()
    marked = [turn.cut.frame for turn in live]
    told = shown(live, stacking())
    assert told[:4] == [(0, 0, 2), (1, 1, 1), (2, 0, 2), (3, 1, 5)]
    said = "denoised without a slice above: none had come by the time it was judged"
    assert [turn.verdicts[0].meaning if turn.verdicts else "" for turn in live] == [
        "",
        said,
        said,
        "",
        said,
        said,
    ]
    assert all(turn.verdicts[0].status == "pass" for turn in (live[1], live[5]))

    replayed = list(Turns(above)(marked, whole))
    assert shown(replayed, stacking()) == told
    assert [turn.verdicts for turn in replayed] == [turn.verdicts for turn in live]


def test_the_trouble_of_a_source_that_is_waited_for_in_time_is_the_pipelines() -> None:
    def failing() -> Iterator[Frame]:
        yield from run(*stack(2))
        raise OSError("no link")

    turns = Turns(above, patience_s=60.0)(failing(), whole)
    assert next(turns).cut.frame.seq == 0
    with pytest.raises(OSError, match="no link"):
        next(turns)


def odd_run(rng: np.random.Generator) -> list[Frame]:
    """Two positions, two channels, stacks and single frames, in an order that no experiment has."""
    frames, seq = [], 0
    for _ in range(40):
        axes: Axes = {"position": int(rng.integers(2)), "channel": "ab"[rng.integers(2)]}
        axes |= {"time": int(rng.integers(2))} if rng.random() < 0.8 else {}
        for z in range(int(rng.integers(1, 5))):
            frames.append(frame(seq, axes | ({"z": z} if rng.random() < 0.95 else {})))
            seq += 1 + (rng.random() < 0.05)
    return [replace(one, superseded=bool(rng.random() < 0.03)) for one in frames]


@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_was_cut_off_anywhere_goes_on_as_if_it_had_not_been(seed: int) -> None:
    """Of what had come by then, only what had its turn is recorded; the rest comes again."""
    rng = np.random.default_rng(seed)
    frames = odd_run(rng)
    whole_run = shown(Turns(above)(frames, whole), stacking())
    for cut in rng.integers(1, len(frames), 12):
        recorded = []
        turns = Turns(above)(unended(frames[:cut]), whole)
        with pytest.raises(InterruptedError):
            recorded.extend(turn.cut.frame for turn in iter(partial(next, turns), None))
        turns, show = Turns(above), stacking()
        again = shown(turns.again(recorded, whole), show)
        assert again + shown(turns(frames[len(recorded) :], whole), show) == whole_run


def unended(frames: list[Frame]) -> Iterator[Frame]:
    yield from frames
    raise InterruptedError


def test_no_more_than_the_newest_slice_of_each_stack_is_kept() -> None:
    show = stacking()
    for one in run(*stack(5, time=0), *stack(5, time=1)):
        show(one, one.pixels.astype(np.float32))
    (view,) = show.state.views.values()
    assert [image[0, 0] for image in view.photons] == [9]


def test_stacks_that_nobody_can_remember_are_those_that_the_guards_flag(monkeypatch) -> None:
    monkeypatch.setattr(views, "VIEWS_MAX", 4)
    show, flagged = stacking(), set()
    judge = Running(partial(views.step, guards=GUARDS, images=2), views.ViewsState())
    for one in run(*(axes for position in range(6) for axes in stack(2, position=position))):
        photons = one.pixels.astype(np.float32)
        show(one, photons)
        said = judge(Result(frame=one, photons=photons, denoised=photons, labels=one.pixels))
        flagged |= {one.axes["position"]} if said[0].guard == "views" else set()
    assert len(show.state.views) == 4
    assert flagged == {2, 3, 4, 5}


def test_slices_have_the_names_that_training_gives_them() -> None:
    pytest.importorskip("torch")
    from streamer.training.describe import SLICE_NAMES

    assert SLICES == SLICE_NAMES
