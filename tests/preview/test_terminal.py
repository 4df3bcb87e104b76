"""The view fits a small terminal and says what matters."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console
from snapshots import STOPPED, fields, message

from streamer.preview import View, line, parse_snapshot, summary
from streamer.preview.blocks import UPPER_HALF, Picture
from streamer.preview.glance import Glance, Line, Trace, left_in_words
from streamer.preview.sparkline import Sparkline
from streamer.preview.terminal import VERDICTS_KEPT


def printed(view: View, width: int = 80, height: int = 24, colours: str | None = None) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        height=height,
        color_system=colours,
        force_terminal=colours is not None,
        legacy_windows=False,
    )
    console.print(view.render(console))
    return re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())


def glance(lines: int = 6, *, said: str = "photons: as it should be", **changes: Any) -> Glance:
    """A run that fades: two pictures, a curve with its forecast, a log."""
    pictures = [
        Picture(name=name, seq=30, values=np.eye(64, dtype=np.float32), width_um=1.28)
        for name in ("denoised, frame", "camera, frame")
    ]
    photons = Trace(
        seq=range(30),
        values=[28.0 - n / 2 for n in range(30)],
        limits=[8.0] * 30,
        ahead=[13, 8],
        ahead_frames=10,
    )
    return Glance(
        **{
            "traces": {"photons": photons, "resolution": Trace(unit="nm", values=[61.0], limits=[None])},
            "log": [Line(wall_time_s=1e9 + n, gravity="warning", text=f"{said} {n}") for n in range(lines)],
            "left": left_in_words(10, 8, 14, per_s=1.66),
            "pictures": pictures,
            **changes,
        }
    )


def fading(frames: int) -> View:
    view = View()
    for seq in range(frames):
        verdicts = [
            {"guard": "photons", "status": "pass", "measured": 28.0 - seq / 10, "limit": 8.0}
            | {"meaning": "as it should be " * 10, "values": {}, "view": ""}
        ]
        view.update(parse_snapshot(message(seq=seq, verdicts=verdicts)))
    return view


@pytest.mark.parametrize("changes", [{}, STOPPED, {"planned": None}], ids=["running", "stopped", "open end"])
def test_the_view_fits_80_by_24(changes: dict) -> None:
    view = View()
    view.update(parse_snapshot(message(**changes)))
    lines = printed(view).splitlines()
    assert len(lines) <= 23
    assert max(cell_len(row) for row in lines) <= 80


def test_long_runs_and_long_words_do_not_widen_it() -> None:
    lines = printed(fading(2000)).splitlines()
    assert len(lines) <= 23
    assert max(cell_len(row) for row in lines) <= 80


def test_the_view_shows_numbers_verdicts_and_decision() -> None:
    view = View()
    view.update(parse_snapshot(message(dropped=3, waiting=2, **STOPPED)))
    shown = printed(view, width=120)
    for words in (
        "demo-0001",
        "STOPPED  signal is gone: 6.1 photons per box",
        "frame 31/260",
        "3 dropped",
        "2 waiting",
        "346 ms",
        "640 nm uJ/px 0.031",
        "21.5 (min 8)",
        "0.93 (min 0.8)",
        "median box sum 310 photons; the model was trained on 2-80",
    ):
        assert words in shown


def scanned(positions: int, rejected: int) -> View:
    """A run over several positions, of which the last ones have lost their signal."""
    view = View()
    for seq in range(3 * positions):
        position = seq % positions
        status = "reject" if position >= positions - rejected else "pass"
        verdicts = [
            {"guard": guard, "status": status if guard == "photons" else "pass", "measured": float(position)}
            | {"limit": 8.0, "meaning": "so and so", "values": {}, "view": f"position {position}"}
            for guard in ("signal_map", "photons")
        ]
        view.update(parse_snapshot(message(seq=seq, verdicts=verdicts)))
    return view


@pytest.mark.parametrize("positions", [3, 40, 3000])
def test_of_many_views_some_are_shown_and_the_others_counted(positions: int) -> None:
    lines = printed(scanned(positions, rejected=0)).splitlines()
    assert len(lines) <= 23
    assert max(cell_len(row) for row in lines) <= 80
    shown = sum("so and so" in row for row in lines)
    counted = [int(found[1]) for row in lines if (found := re.search(r"and (\d+) pass", row))]
    assert shown >= 5
    assert shown + sum(counted) == min(2 * positions, VERDICTS_KEPT)


def test_of_many_views_the_worst_come_first() -> None:
    verdicts = [row for row in printed(scanned(40, rejected=2)).splitlines() if "so and so" in row]
    assert "WARNING" in verdicts[0]
    assert ["reject" in row for row in verdicts[1:5]] == [True, True, False, False]
    assert "position 38: so and so" in verdicts[1]


def test_a_curve_is_that_of_one_view() -> None:
    view = scanned(3, rejected=0)
    assert [list(trace.values) for trace in (view.traces["photons"],)] == [[0.0, 0.0, 0.0]]
    assert "0 (min 8)" in printed(view)


def test_before_the_first_news_it_waits() -> None:
    assert "waiting for the first news" in printed(View())


def test_a_frame_that_is_told_twice_counts_once_and_another_run_starts_afresh() -> None:
    view, lengths = View(), []
    for seq, run in ((0, "a"), (1, "a"), (1, "a"), (0, "b")):
        view.update(parse_snapshot(message(seq=seq, run=run)))
        lengths.append([len(trace.values) for trace in view.traces.values()])
    assert lengths == [[1] * 3, [2] * 3, [2] * 3, [1] * 3]


@pytest.mark.parametrize(
    ("changes", "head"),
    [
        ({"verdicts": fields()["verdicts"][:3]}, "RUNNING"),
        ({}, "WARNING  input: median box sum 310 photons"),
        ({"state": "stopping", "decision": STOPPED["decision"]}, "STOPPING  stopped: signal is gone"),
        (STOPPED, "STOPPED  signal is gone"),
        ({"state": "finished"}, "FINISHED"),
        ({"state": "failed"}, "FAILED"),
    ],
    ids=["well", "a guard flags", "stopping", "stopped", "finished", "failed"],
)
def test_the_state_is_said_first_with_its_reason(changes: dict, head: str) -> None:
    view = View()
    view.update(parse_snapshot(message(**changes)))
    assert printed(view).splitlines()[1].removeprefix("│").strip().startswith(head)


@pytest.mark.parametrize(
    ("silent_s", "fps", "warned"), [(5, 1.0, False), (11, 1.0, True), (11, 0.1, False), (60, 0.1, True)]
)
def test_silence_is_said_when_it_is_longer_than_usual(silent_s: float, fps: float, warned: bool) -> None:
    view = View()
    view.update(parse_snapshot(message(fps=fps)))
    view.silent_s = silent_s
    assert (f"no news for {silent_s:.0f} s" in printed(view)) is warned


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (132, 43), (220, 60)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("colours", ["truecolor", "256", "standard", None])
def test_with_everything_on_show_it_fits_every_terminal(size: tuple[int, int], colours: str | None) -> None:
    view = fading(100)
    view.look(glance(200, said="very long words " * 30, notice="nothing can be read " * 20))
    lines = printed(view, *size, colours=colours).splitlines()
    assert len(lines) == size[1] - 1
    assert max(cell_len(row) for row in lines) <= size[0]
    assert "RUNNING" in lines[1]
    pictures = sum("camera, frame" in row or "denoised, frame" in row for row in lines)
    assert bool(pictures) is (colours in ("truecolor", "256") and size[0] >= 80)


def test_80_by_24_shows_picture_curves_forecast_numbers_verdicts_and_log_at_once() -> None:
    view = View()
    view.update(parse_snapshot(message(verdicts=fields()["verdicts"][:3])))
    view.look(glance())
    shown = printed(view, colours="truecolor")
    assert UPPER_HALF * 26 in shown
    for words in (
        "denoised, frame 31",
        "13.5 (min 8)",
        "light for about 10 frames (8 to 14), 0:06",
        "61 nm",
        "346 ms",
        "31 recorded, 0 dropped, 0 waiting",
        "640 nm uJ/px 0.031",
        "light      pass",
        "━━━━ 0.2 µm",
        "photons: as it should be 5",
    ):
        assert words in shown


def test_a_wide_terminal_shows_the_camera_image_too() -> None:
    view = View()
    view.update(parse_snapshot(message()))
    view.look(glance())
    assert "camera, frame 31" in printed(view, 132, 43, colours="truecolor")
    assert "camera, frame" not in printed(view, colours="truecolor")


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((120, 90, 160, 2.0), "light for about 120 frames (90 to 160), 1:00"),
        ((120, 90, None, 0.0), "light for about 120 frames (90 or more)"),
        ((None, 500, None, 2.0), "enough"),
    ],
    ids=["band", "open above", "beyond the horizon"],
)
def test_how_long_the_signal_lasts_in_words(numbers: tuple, words: str) -> None:
    *band, per_s = numbers
    assert left_in_words(*band, per_s=per_s, otherwise="enough") == words


@pytest.mark.parametrize(
    ("values", "limits", "expected"),
    [
        ([], [], "nothing yet"),
        ([None], [None], "nothing yet"),
        ([1.0], [None], "█"),
        ([0.0, 1.0, 2.0, 7.0], [None] * 4, "▁▂▃█"),
        ([5.0, 5.0], [5.0, 5.0], "▁▁"),
        ([8.0, None, 15.0], [8.0] * 3, "▁█"),
        ([4.0] * 50 + [8.0] * 50, [4.0] * 100, "▁" * 5 + "█" * 5),
    ],
    ids=["none", "nothing measured", "one", "rising", "at its limit", "a gap", "more than there is room for"],
)
def test_a_curve_in_one_line(values: list, limits: list, expected: str) -> None:
    assert drawn(Sparkline(values, limits), max(10, len(expected)), None).strip() == expected


def test_a_curve_over_several_lines_goes_on_from_one_to_the_next() -> None:
    assert drawn(Sparkline([0.0, 7.0, 15.0], [0.0] * 3, rows=2), 10, None) == "  █\n▁██\n"


def test_what_is_expected_is_drawn_behind_in_its_own_colour() -> None:
    curve = Sparkline([28.0, 20.0], [8.0, 8.0], at=[0.0, 30.0], ahead=[18.0, 8.0], ahead_frames=15.0)
    coloured = drawn(curve, 20, "truecolor")
    assert coloured.count("\x1b[36m") == 7
    assert "\x1b" not in drawn(curve, 20, None)


def drawn(curve: Sparkline, width: int, colours: str | None) -> str:
    console = Console(
        file=io.StringIO(), width=width, color_system=colours, force_terminal=colours is not None
    )
    console.print(curve)
    return console.file.getvalue()


def test_one_line_tells_a_pipe_what_matters() -> None:
    assert line(parse_snapshot(message())) == (
        "running: frame 31/260, similarity 0.93 (limit 0.8), photons per box 21.5 (limit 8), lag 346 ms, "
        "waiting 0, dropped 0, input flag, 2:18 left"
    )


def test_one_line_names_the_view() -> None:
    verdicts = [
        {**fields()["verdicts"][2], "view": "channel red"},
        {**fields()["verdicts"][3], "view": "z 3"},
    ]
    said = line(parse_snapshot(message(verdicts=verdicts)))
    assert "photons per box (channel red) 21.5 (limit 8)" in said
    assert "input (z 3) flag" in said


def test_the_summary_says_how_it_ended() -> None:
    assert summary(parse_snapshot(message(elapsed_s=3725.0, **STOPPED))).splitlines() == [
        "demo-0001: stopped after 1:02:05",
        "31 frames recorded, 31 processed, 0 dropped",
        "stopped: signal is gone: 6.1 photons per box",
    ]
