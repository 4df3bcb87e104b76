"""Half-blocks keep the proportions of a picture, its contrast, and what is doubtful in it."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from streamer.preview.blocks import DOUBTFUL_RGB, UPPER_HALF, HalfBlocks, Picture, fitting, painted, shrunk


def picture(values: np.ndarray, doubtful: np.ndarray | None = None) -> Picture:
    return Picture(name="denoised", seq=0, values=values.astype(np.float32), doubtful=doubtful)


def printed(shown: Picture, colours: str | None, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    console = Console(file=file, width=80, color_system=colours, force_terminal=True, legacy_windows=False)
    console.print(HalfBlocks(shown, 20, 10))
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("shape", "box", "expected"),
    [
        ((256, 256), (28, 14), (28, 28)),
        ((256, 256), (100, 14), (28, 28)),
        ((256, 512), (40, 30), (20, 40)),
        ((512, 256), (40, 20), (40, 20)),
        ((8, 8), (20, 10), (20, 20)),
        ((1, 5000), (40, 20), (2, 40)),
        ((5000, 1), (40, 20), (40, 1)),
    ],
)
def test_a_picture_fits_its_box_and_keeps_its_proportions(
    shape: tuple[int, int], box: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fitting(shape, *box) == expected


def test_scaled_down_a_pixel_is_the_mean_of_what_it_covers() -> None:
    plane = np.arange(24, dtype=np.float32).reshape(4, 6)
    assert shrunk(plane, 2, 3).tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    assert shrunk(plane[:1, :2], 2, 4).tolist() == [[0, 0, 1, 1]] * 2


def test_a_few_bright_pixels_do_not_hide_the_rest() -> None:
    values = np.tile(np.linspace(0, 10, 64), (64, 1))
    values[0, 0] = 1e6
    colours = painted(picture(values), 64, 64)
    assert colours[32, 0].tolist() == [0, 0, 0]
    assert 120 < int(colours[32, 32, 0]) < 136


@pytest.mark.parametrize("values", [np.zeros((6, 6)), np.full((6, 6), 3.0)], ids=["dark", "even"])
def test_a_picture_of_nothing_is_painted(values: np.ndarray) -> None:
    assert painted(picture(values), 6, 6).max() <= 255


def test_what_no_photon_supports_is_orange() -> None:
    doubtful = np.zeros((8, 8), np.float32)
    doubtful[2:4, 2:4] = 1
    colours = painted(picture(np.ones((8, 8)), doubtful), 4, 4)
    assert tuple(colours[1, 1]) == DOUBTFUL_RGB
    assert len({tuple(colour) for colour in colours.reshape(-1, 3)}) == 2


def test_a_cell_shows_two_pixels_in_their_colours() -> None:
    values = np.zeros((20, 20))
    values[::2] = 100
    shown = printed(picture(values), "truecolor")
    assert shown.count(UPPER_HALF) == 200
    assert set(re.findall(r"38;2;(\d+);", shown)) == {"255"}
    assert set(re.findall(r"48;2;(\d+);", shown)) == {"0"}


@pytest.mark.parametrize(
    ("colours", "encoding", "shown"),
    [("256", "utf-8", 200), ("standard", "utf-8", 0), (None, "utf-8", 0), ("truecolor", "ascii", 0)],
)
def test_where_it_could_not_be_seen_there_is_none(colours: str | None, encoding: str, shown: int) -> None:
    assert printed(picture(np.eye(20)), colours, encoding).count(UPPER_HALF) == shown
