"""The picture in a real browser: images, divider, overlays, contrast, zoom."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import THIN
from fake_run import SIDE, FakeRun


def views(run: FakeRun) -> list[dict[str, Any]]:
    return [said for said in run.said if said["type"] == "view"]


def test_a_new_frame_changes_the_picture_and_is_acknowledged(run: FakeRun, watched: Any) -> None:
    before = watched.pixels()
    run.seq += 9
    watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq)
    assert watched.pixels() != before
    timing = watched.until("window.streamer.timings.at(-1)", lambda last: last and last["seq"] == run.seq)
    assert 0 <= timing["drawn_wall_s"] - timing["wall_time_s"] < 30
    watched.until("1", lambda _: {"type": "drawn", "seq": run.seq} in run.said)
    assert f"frame {run.seq}" in watched.text("when-text")
    assert watched.errors == []


def test_carried_structure_is_said_to_be_that_of_an_earlier_frame(run: FakeRun, watched: Any) -> None:
    assert "structure of" not in watched.text("when-text")
    run.carries, run.seq = True, run.seq + 8 + run.seq % 2 + 1
    watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq)
    assert f"frame {run.seq} · structure of frame {run.seq - 1}" in watched.text("when-text")


def test_the_divider_moves_by_pointer_and_by_keys(watched: Any) -> None:
    left, right = {"left": 0.26, "width": 0.2}, {"left": 0.54, "width": 0.2}
    raw_left, denoised_right = watched.pixels(**left), watched.pixels(**right)
    box = watched.page.locator("#stage").bounding_box()
    middle = box["y"] + box["height"] / 2
    watched.page.mouse.move(box["x"] + box["width"] / 2, middle)
    watched.page.mouse.down()
    watched.page.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=3)
    watched.page.mouse.up()
    watched.until("document.getElementById('divider').getAttribute('aria-valuenow')", lambda at: at == "20")
    assert watched.pixels(**left) != raw_left  # is denoised now
    assert np.allclose(watched.pixels(**right), denoised_right, atol=3)
    watched.page.focus("#divider")
    watched.press("End", "ArrowLeft")
    watched.until("document.getElementById('divider').getAttribute('aria-valuenow')", lambda at: at == "98")
    assert np.allclose(watched.pixels(**left), raw_left, atol=3)
    assert watched.pixels(**right) != denoised_right


@pytest.mark.parametrize("name", ["segmentation", "trust", "outline"])
def test_an_overlay_changes_the_pixels_and_goes_again(watched: Any, name: str) -> None:
    if watched.page.locator(f"#on-{name}").is_checked():
        watched.page.click(f"#on-{name}")
    without = watched.pixels()
    watched.page.click(f"#on-{name}")
    full = watched.pixels()
    assert full != without
    if name != "outline":
        watched.get(
            f"(() => {{ const s = document.getElementById('op-{name}'); s.value = 5;"
            " s.dispatchEvent(new Event('input')); })()"
        )
        faint = watched.pixels()
        change = [np.abs(np.subtract(one, without)).sum() for one in (faint, full)]
        assert 0 < change[0] < change[1] / 3
    watched.press({"segmentation": "s", "trust": "t", "outline": "o"}[name])
    assert np.allclose(watched.pixels(), without, atol=3)


def test_unsupported_structure_is_outlined_where_it_is(run: FakeRun, watched: Any) -> None:
    watched.page.click("#on-outline")
    watched.press("3")
    without = np.reshape(watched.pixels(0, 0, 1, 1), (-1, 3))
    watched.page.click("#on-outline")
    outlined = np.reshape(watched.pixels(0, 0, 1, 1), (-1, 3))
    width, height = watched.get("[stage.clientWidth, stage.clientHeight]")
    changed = THIN * np.flatnonzero((without != outlined).any(axis=1))
    rows, columns = changed // width, changed % width
    scale = height / SIDE
    trust = run.cell.planes(run.seq)["trust"]
    y, x = np.nonzero(trust == 3)
    slack = 5  # the line runs around it at a distance
    assert y.min() - slack <= rows.min() / scale <= y.min() + 6
    assert y.max() + 1 + slack >= rows.max() / scale >= y.max() - 6
    assert x.min() - slack <= (columns.min() - (width - height) / 2) / scale <= x.min() + 6


def test_contrast_is_automatic_until_somebody_fixes_it(watched: Any) -> None:
    watched.press("3", "d")
    automatic = watched.pixels(0.2, 0.3, 0.2, 0.4)
    assert watched.page.locator("#auto-denoised").is_checked()
    watched.page.focus("#high-denoised")
    watched.press("Home", *["ArrowRight"] * 5)
    assert not watched.page.locator("#auto-denoised").is_checked()
    bright = watched.pixels(0.2, 0.3, 0.2, 0.4)
    assert np.mean(bright) > 2 * np.mean(automatic)
    watched.page.check("#auto-denoised")
    assert np.allclose(watched.pixels(0.2, 0.3, 0.2, 0.4), automatic, atol=3)
    watched.page.select_option("#map-denoised", "viridis")
    red, _, blue = np.reshape(watched.pixels(0.2, 0.3, 0.2, 0.4), (-1, 3)).mean(axis=0)
    assert blue > red  # the dark end of viridis is violet
    assert watched.errors == []


def test_colour_maps_are_those_of_matplotlib(watched: Any) -> None:
    colormaps = pytest.importorskip("matplotlib").colormaps
    tables = watched.get(
        """import("/static/js/colormaps.js").then(({ COLOUR_MAPS, colourMap }) =>
        Object.fromEntries(COLOUR_MAPS.map((name) => [name, Array.from(colourMap(name))])))"""
    )
    assert list(tables) == ["gray", "viridis", "magma", "cividis", "inferno"]
    for name, packed in tables.items():
        stored = np.array(packed, np.uint32).view(np.uint8).reshape(256, 4)
        original = np.rint(colormaps[name](np.arange(256)) * 255)
        assert np.abs(stored.astype(float) - original).max() <= 3, name


def test_zooming_asks_for_the_part_at_full_resolution(run: FakeRun, watched: Any) -> None:
    assert views(run)[-1]["region"] is None
    bar = watched.text("scale-text")
    box = watched.page.locator("#stage").bounding_box()
    point = (box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.3)
    watched.page.mouse.move(*point)
    for _ in range(4):
        watched.page.mouse.wheel(0, -240)
    region = watched.until("window.streamer.shown.region", lambda region: region[2] < SIDE / 2)
    asked = views(run)[-1]
    assert asked["region"] == region
    y, x, h, w = region
    scale = watched.get("window.streamer.shown.scale")
    assert asked["height"] >= min(h, box["height"] / scale)
    assert watched.text("scale-text") != bar
    # the field under the pointer stayed there, so the upper right part is shown
    assert y + h / 2 < SIDE / 2 < x + w / 2
    watched.page.dblclick("#stage", position={"x": 20, "y": box["height"] / 2})
    watched.until("window.streamer.shown.region", lambda region: region == [0, 0, SIDE, SIDE])
    assert watched.text("zoom-value") == "fit"


def test_raw_and_denoised_stay_in_register(watched: Any) -> None:
    """Side by side, both panes show the same place: structure has the same columns in both."""
    watched.page.click("#on-outline")
    watched.page.focus("#stage")
    watched.press("4", "+", "+", "+", "ArrowRight", "ArrowUp")
    watched.until("window.streamer.shown.region", lambda region: region[2] < SIDE)
    watched.page.click("#on-segmentation")
    watched.settled()
    raw, denoised = watched.get(
        """(() => { const c = document.getElementById("canvas"), half = Math.floor(c.width / 2);
        const rows = (from) => {
          const { data, width, height } = c.getContext("2d").getImageData(from, 0, half - 4, c.height);
          const sums = new Array(height).fill(0);
          for (let i = 0; i < width * height; i++) sums[Math.floor(i / width)] += data[4 * i + 2];
          return sums; };
        return [rows(0), rows(half + 2)]; })()"""
    )
    assert np.corrcoef(raw, denoised)[0, 1] > 0.9
    assert np.corrcoef(raw[12:], denoised[:-12])[0, 1] < np.corrcoef(raw, denoised)[0, 1]


def test_two_fingers_zoom(watched: Any) -> None:
    box = watched.page.locator("#stage").bounding_box()
    x, y = box["x"] + box["width"] / 2 - 150, box["y"] + box["height"] / 2
    scale = watched.get("window.streamer.shown.scale")
    touch = watched.page.context.new_cdp_session(watched.page)

    def fingers(kind: str, apart: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x + by * apart, "y": y, "id": by + 1} for by in (-1, 1)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 30)
    for apart in (40, 60, 80, 90):
        fingers("touchMove", apart)
    fingers("touchEnd", 90)
    watched.until("window.streamer.shown.scale", lambda now: now > 2 * scale)


def test_what_there_is_to_choose_is_offered(run: FakeRun, open_page: Any) -> None:
    run.views = {"positions": ["well A", 2], "channels": ["green", "red"], "z": [None]}
    watched = open_page()
    assert watched.page.locator("#choices select").count() == 2
    watched.page.get_by_label("Channel").select_option(label="red")
    watched.page.get_by_label("Position").select_option(label="2")
    watched.until("1", lambda _: (views(run)[-1]["position"], views(run)[-1]["channel"]) == (2, "red"))
    assert views(run)[-1]["z"] is None


def test_the_value_under_the_pointer_is_that_of_the_frame(run: FakeRun, watched: Any) -> None:
    planes = run.cell.planes(run.seq)
    y, x = np.unravel_index(np.argmax(planes["raw"]), planes["raw"].shape)
    box = watched.page.locator("#canvas").bounding_box()
    scale = watched.get("window.streamer.shown.scale")
    left = (box["width"] - SIDE * scale) / 2
    watched.page.mouse.move(box["x"] + left + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    words = watched.until("document.getElementById('readout').textContent")
    assert f"raw {planes['raw'].max():.0f}" in words
    assert f"{(x + 0.5) * 0.02:.2f}, {(y + 0.5) * 0.02:.2f} µm" in words


def test_a_damaged_image_is_said_and_the_next_one_is_shown(run: FakeRun, watched: Any) -> None:
    before = run.seq
    run.damaged = True
    run.seq += 1
    watched.until("document.getElementById('toasts').textContent", lambda text: "incomplete" in text)
    assert watched.get("window.streamer.shown.seq") == before
    run.damaged = False
    run.seq += 1
    watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq)
