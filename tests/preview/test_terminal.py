"""The view fits a small terminal and says what matters."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from snapshots import STOPPED, fields, message

from streamer.preview import View, line, parse_snapshot, summary
from streamer.preview.sparkline import Sparkline
from streamer.preview.terminal import VERDICTS_SHOWN


def printed(view: View, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, height=24, color_system=None)
    console.print(view.render())
    return console.file.getvalue()


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
        "demo-0001 stopped",
        "frame 31/260",
        "3 dropped",
        "2 waiting",
        "lag 346 ms",
        "640 nm uJ/px 0.031",
        "21.5 (limit 8)",
        "0.93 (limit 0.8)",
        "median box sum 310 photons; the model was trained on 2-80",
        "stopped: signal is gone",
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


@pytest.mark.parametrize(("positions", "others"), [(3, []), (40, ["72 pass"]), (3000, ["4088 pass"])])
def test_of_many_views_some_are_shown_and_the_others_counted(positions: int, others: list[str]) -> None:
    lines = printed(scanned(positions, rejected=0)).splitlines()
    assert len(lines) <= 23
    assert max(cell_len(row) for row in lines) <= 80
    assert sum("so and so" in row for row in lines) == min(2 * positions, VERDICTS_SHOWN)
    counted = [row for row in lines if "of other guards and views" in row]
    assert [words in row for words, row in zip(others, counted, strict=True)] == [True] * len(others)


def test_of_many_views_the_worst_come_first() -> None:
    verdicts = [row for row in printed(scanned(40, rejected=2)).splitlines() if "so and so" in row]
    assert ["reject" in row for row in verdicts] == [True] * 2 + [False] * (VERDICTS_SHOWN - 2)
    assert "position 38: so and so" in verdicts[0]


def test_a_curve_is_that_of_one_view() -> None:
    curve = next(row for row in printed(scanned(3, rejected=0)).splitlines() if "photons per box" in row)
    assert sum(curve.count(block) for block in "▁▂▃▄▅▆▇█") == 3
    assert "0 (limit 8)" in curve


def test_before_the_first_news_it_waits() -> None:
    assert "waiting for the first news" in printed(View())


def test_a_frame_that_is_told_twice_counts_once_and_another_run_starts_afresh() -> None:
    view = View()
    for seq, run in ((0, "a"), (1, "a"), (1, "a"), (0, "b")):
        view.update(parse_snapshot(message(seq=seq, run=run)))
        drawn = next(row for row in printed(view).splitlines() if "photons per box" in row)
    assert sum(drawn.count(block) for block in "▁▂▃▄▅▆▇█") == 1


@pytest.mark.parametrize(
    ("values", "limits", "expected"),
    [
        ([], [], "nothing yet"),
        ([1.0], [None], "▁"),
        ([0.0, 1.0, 2.0, 7.0], [None] * 4, "▁▂▃█"),
        ([5.0, 5.0], [None, None], "▁▁"),
        ([4.0] * 50 + [8.0] * 50, [None] * 100, "▁" * 5 + "█" * 5),
    ],
    ids=["none", "one", "rising", "constant", "more than there is room for"],
)
def test_a_curve_in_one_line(values: list, limits: list, expected: str) -> None:
    console = Console(file=io.StringIO(), width=max(10, len(expected)), color_system=None)
    console.print(Sparkline(values, limits))
    assert console.file.getvalue().strip() == expected


def test_one_line_tells_a_pipe_what_matters() -> None:
    assert line(parse_snapshot(message())) == (
        "running: frame 31/260, similarity 0.93 (limit 0.8), photons per box 21.5 (limit 8), lag 346 ms, "
        "waiting 0, dropped 0, range flag, 2:18 left"
    )


def test_one_line_names_the_view() -> None:
    verdicts = [
        {**fields()["verdicts"][2], "view": "channel red"},
        {**fields()["verdicts"][3], "view": "z 3"},
    ]
    said = line(parse_snapshot(message(verdicts=verdicts)))
    assert "photons per box (channel red) 21.5 (limit 8)" in said
    assert "range (z 3) flag" in said


def test_the_summary_says_how_it_ended() -> None:
    assert summary(parse_snapshot(message(elapsed_s=3725.0, **STOPPED))).splitlines() == [
        "demo-0001: stopped after 1:02:05",
        "31 frames recorded, 31 processed, 0 dropped",
        "stopped: signal is gone: 6.1 photons per box",
    ]
