"""What a viewer is sent while a recording grows, and looking back at one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pages import LAYERS, PLANE, TOKEN, Growing, Page, Speaking, Viewer, counts, served

from streamer.errors import UsageError
from streamer.preview.server import pictures, watcher
from streamer.preview.server.messages import ViewWanted
from streamer.preview.server.publisher import BEHIND_AFTER
from streamer.reading import WatchedRun


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Growing]:
    run = Growing(tmp_path / "run")
    yield run
    run.leave()


@pytest.fixture
def page(run: Growing) -> Iterator[Page]:
    """The page of a recording that nobody announces."""
    with served(run.folder.path) as page:
        yield page


def test_everything_so_far_comes_first(run: Growing, page: Page) -> None:
    run.put(5)
    with page.viewer() as viewer:
        hello = viewer.hear("hello")
        viewer.until(lambda: viewer.states())
    assert hello["protocol"] == 1
    assert hello["run"] | {"state": "running"} == {
        "name": "run",
        "path_name": "run",
        "state": "running",
        "profile": "a rig",
        "pixel_um": 0.02,
        "planned": None,
        "started_wall_s": run.info.started_wall_s,
        "model": "",
        "guards": ["photons"],
        "version": "",
        "simulated": False,
    }
    assert hello["control"]["allowed"] is False
    assert "--control" in hello["control"]["why_not"]


def test_points_and_log_grow_without_gaps_or_repeats(run: Growing, page: Page) -> None:
    with page.viewer() as viewer:
        viewer.hear("hello")
        for _ in range(6):
            last = run.put(7)
            viewer.until(lambda last=last: (_points(viewer.texts, "photons") or [-1])[-1] == last)
        run.put(1, stop="the light is gone")
        viewer.until(lambda: any(e["kind"] == "decision" for t in viewer.states() for e in t["log"]))
    assert _points(viewer.texts, "photons") == list(range(len(_points(viewer.texts, "photons"))))
    assert [e["kind"] for e in _log(viewer.texts)].count("decision") == 1
    assert [e["kind"] for e in _log(viewer.texts)].count("begun") == 1


def test_live_images_follow_the_newest_frame(run: Growing, page: Page) -> None:
    run.put(3)
    with page.viewer() as viewer:
        viewer.look()
        viewer.image_of(2)
        run.put(4)
        viewer.image_of(6)
    seen = [image.seq for image in viewer.images]
    assert seen == sorted(set(seen))


def test_images_are_the_recordings_pixels(run: Growing, page: Page) -> None:
    run.put(2)
    with page.viewer() as viewer:
        viewer.look()
        image = viewer.image_of(1)
    header = image.header
    assert (header["width"], header["height"], header["full"]) == (PLANE[1], PLANE[0], list(PLANE))
    assert (header["live"], header["pixel_um"]) == (True, 0.02)
    assert [layer["name"] for layer in header["layers"]] == list(LAYERS)
    raw = counts(1)
    for name, expected in (("raw", raw), ("denoised", raw / 4), ("uncertainty", np.sqrt(raw / 4))):
        layer = next(each for each in header["layers"] if each["name"] == name)
        full = layer["high"] - layer["low"]
        share = (np.minimum(expected, layer["high"]) - layer["low"]) / full
        step = full * (2 * np.sqrt(share) / 255 + 1 / 255**2)  # of the square root, in values
        assert (np.abs(image.values(name) - np.minimum(expected, layer["high"])) <= step / 2 + 1e-6).all()
        assert layer["low"] <= layer["auto"][0] < layer["auto"][1] <= layer["high"]
    assert (image.pixels("segmentation") == raw % 3).all()
    assert (image.pixels("trust") == 2 * (raw % 3 > 0)).all()


def test_a_region_and_a_small_window(run: Growing, page: Page) -> None:
    run.put(1)
    with page.viewer() as viewer:
        viewer.look(region=[8, 16, 20, 32], layers=["segmentation"])
        part = viewer.image()
        viewer.look(width=32, height=32, layers=["raw"])
        small = viewer.image()
        viewer.look(region=[400, 400, 10, 10], layers=["raw"])
        outside = viewer.image()
    assert part.header["region"] == [8, 16, 20, 32]
    assert (part.pixels("segmentation") == (counts(0) % 3)[8:28, 16:48]).all()
    assert (small.header["height"], small.header["width"]) == (24, 32)
    means = counts(0).reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(small.values("raw") - np.minimum(means, small.header["layers"][0]["high"])).max() < 0.1
    assert outside.header["region"] == [0, 0, *PLANE]


def test_one_frame_of_the_past_is_sent_once(run: Growing, page: Page) -> None:
    run.put(8)
    with page.viewer() as viewer:
        viewer.until(lambda: 7 in _points(viewer.texts, "photons"))
        viewer.look(seq=3)
        assert viewer.image().header["live"] is False
        run.put(3)
        viewer.until(lambda: 10 in _points(viewer.texts, "photons"))
        viewer.drain()
        assert [image.seq for image in viewer.images] == [3]
        viewer.look(seq=None)
        viewer.image_of(10)


def test_a_viewer_that_never_draws_gets_one_image_and_others_get_theirs(run: Growing, page: Page) -> None:
    run.put(1)
    with page.viewer() as asleep, page.viewer() as awake:
        asleep.look()
        asleep.image(drawn=False)
        awake.draws = True
        awake.look()
        for _ in range(5):
            last = run.put(1)
            awake.until(lambda last=last: awake.images and awake.images[-1].seq == last)
        asleep.until(lambda: last in _points(asleep.texts, "photons"))
        asleep.drain()
        assert len(asleep.images) == 1
        asleep.say("drawn", seq=asleep.images[0].seq)
        assert asleep.image().seq == last  # the newest, not the next
        assert len(asleep.images) == 2


def test_a_viewer_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    run = Growing(tmp_path / "run", (256, 256))
    run.put(33)
    with (
        served(run.folder.path) as page,
        page.viewer(max_queue=1) as deaf,
        page.viewer() as awake,
    ):
        awake.draws = True
        awake.look()
        for _ in range(8):
            deaf.say("strip", count=64, width=256)  # 2 MB each, more than the system takes in between
            last = run.put(1)
            awake.until(lambda last=last: awake.images and awake.images[-1].seq == last)
        deaf.until(lambda: last in _points(deaf.texts, "photons"))
    assert _points(deaf.texts, "photons") == list(range(last + 1))
    run.leave()


def test_live_pictures_leave_the_machine_to_the_run(
    run: Growing, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "SHARE", dict.fromkeys((False, True), 1e-6))
    monkeypatch.setattr(pictures, "REST_MAX_S", dict.fromkeys((False, True), 1e6))  # hours of rest after each
    run.put(1)
    with page.viewer() as viewer:
        viewer.look()
        viewer.image()
        last = run.put(3)
        viewer.until(lambda: last in _points(viewer.texts, "photons"))
        viewer.drain()
        assert [image.seq for image in viewer.images] == [0]
        viewer.look(seq=1)  # somebody clicked: at once
        assert viewer.image().seq == 1
        with page.viewer() as other:
            other.look()
            assert other.image().seq == last
            viewer.look(width=600)
            assert viewer.image().seq == last  # made already


def test_pictures_of_a_run_that_is_behind_rest_longer(run: Growing, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hundredth of a second each: 0.8 % of a core are one and a quarter seconds, 15 % a fifteenth."""
    clocks = SimpleNamespace(thread_time=count(0.0, 0.01).__next__, monotonic=lambda: 0.0)
    monkeypatch.setattr(pictures, "time", clocks)
    run.put(2)
    watched = WatchedRun(run.folder.path)
    watched.update()
    wanted = ViewWanted(
        position=None, channel="", z=None, seq=None, box=(64, 64), region=None, layers=("raw",)
    )
    made = pictures.Pictures(watched)
    view = watched.index.views()[0]
    for seq, (is_behind, rest_s) in enumerate(
        [(False, 0.01 * (1 / 0.15 - 1)), (True, 0.01 * (1 / 0.008 - 1))]
    ):
        made.is_behind = is_behind
        made.picture(wanted, watched.index.at(view, seq))
        assert made.rested_s == pytest.approx(rest_s)


def test_however_long_a_picture_took_the_next_one_comes(
    run: Growing, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "SHARE", dict.fromkeys((False, True), 1e-6))
    monkeypatch.setattr(pictures, "REST_MAX_S", dict.fromkeys((False, True), 0.1))
    with page.viewer() as viewer:
        viewer.look()
        for _ in range(3):
            viewer.image_of(run.put(1))


def test_a_strip_shows_the_run_from_its_beginning(run: Growing, page: Page) -> None:
    run.put(20)
    with page.viewer() as viewer:
        viewer.until(lambda: 19 in _points(viewer.texts, "photons"))
        viewer.say("strip", count=12, width=32)
        told = viewer.hear("strip")
        thumbnails = viewer.image()
    seqs = [entry["seq"] for entry in told["entries"]]
    assert seqs == list(range(0, 20, 2))
    assert thumbnails.header == {"kind": "strip", "count": 10, "width": 32, "height": 24, "seqs": seqs}
    assert (told["width"], told["height"]) == (32, 24)
    assert len(thumbnails.body) == 10 * 24 * 32
    assert len(set(thumbnails.body)) > 10


def test_channels_and_positions_are_looked_at_one_by_one(run: Growing, page: Page) -> None:
    for number in range(8):
        run.put(1, axes={"time": number, "position": number % 2, "channel": "red" if number < 4 else "green"})
    with page.viewer() as viewer:
        expected = {"positions": [0, 1], "channels": ["red", "green"], "z": [None]}
        viewer.until(lambda: [text["views"] for text in viewer.texts if "views" in text][-1:] == [expected])
        viewer.look(position=1, channel="red")
        image = viewer.image()
        assert (image.seq, image.header["view"]) == (3, {"position": 1, "channel": "red", "z": None})
        viewer.look(position=7)
        assert "position 7 is not in this run" in viewer.hear("error")["text"]


def test_light_that_is_left_is_forecast(run: Growing, page: Page) -> None:
    run.put(40)
    with page.viewer() as viewer:
        found = viewer.until(
            lambda: next(
                (s for s in viewer.states() if (s.get("forecast") or {"seq": [0]})["seq"][0] == 39), None
            )
        )
    ahead, left = found["forecast"], found["left"]
    assert ahead["key"] == "photons"
    assert ahead["floor"] == 8.0
    assert len(ahead["seq"]) == len(ahead["median"]) == len(ahead["low"]) == len(ahead["high"])
    expected = np.log(8 / (20 * 0.99**39)) / np.log(0.99)
    assert left["frames"] == pytest.approx(expected, rel=0.3)
    assert left["seconds"] == pytest.approx(left["frames"], rel=0.01)  # a frame a second


def test_a_damaged_frame_is_said_and_the_next_one_shown(run: Growing) -> None:
    run.put(2)
    chunk = next((run.folder.raw / "0" / "c").rglob("1/0/0/0/0"))
    chunk.write_bytes(b"\x00" * 7)
    with served(run.folder.path) as page, page.viewer() as viewer:
        viewer.look()
        assert "frame 1 cannot be shown" in viewer.hear("error")["text"]
        last = run.put(1)
        assert viewer.image().seq == last


@pytest.mark.parametrize("announced", [True, False])
def test_a_closed_run_is_looked_back_at(run: Growing, announced: bool) -> None:
    run.put(4)
    run.put(1, stop="the light is gone")
    run.close()
    publisher = "tcp://127.0.0.1:9" if announced else None
    with served(run.folder.path, publisher=publisher) as page, page.viewer() as viewer:
        viewer.look(seq=1)
        assert viewer.image().seq == 1
        state = viewer.until(lambda: next((s for s in viewer.states() if s["link"] == "closed"), None))
    assert state["snapshot"]["state"] == "stopped"
    assert state["snapshot"]["recorded"] == 5
    assert "the light is gone" in state["snapshot"]["decision"]["reason"]


def test_the_end_of_an_unannounced_run_is_noticed(run: Growing, page: Page) -> None:
    run.put(2)
    with page.viewer() as viewer:
        viewer.until(lambda: "running" in _states(viewer))
        run.close()
        viewer.until(lambda: "finished" in _states(viewer))


def test_a_report_is_offered_once_the_run_is_over_and_it_is_there(run: Growing, page: Page) -> None:
    run.put(1)
    report = run.folder.path / "report.html"
    report.write_text("of an earlier attempt")
    with page.viewer() as viewer:
        viewer.until(lambda: "running" in _states(viewer))
        assert viewer.states()[-1]["report"] is False
        report.unlink()
        run.close()
        viewer.until(lambda: "finished" in _states(viewer))
        assert viewer.states()[-1]["report"] is False
        report.write_text("of this one")
        viewer.until(lambda: viewer.states()[-1]["report"])


def test_snapshots_wake_and_their_publisher_is_missed(run: Growing) -> None:
    speaking = Speaking()
    with served(run.folder.path, publisher=speaking.endpoint) as page, page.viewer() as viewer:
        viewer.look()
        _say_until(speaking, viewer, seq=run.put(1))
        assert viewer.states()[-1]["link"] == "live"
        speaking.say_bytes(b"no snapshot")
        _say_until(speaking, viewer, seq=run.put(1))
        speaking.close()
        viewer.until(lambda: viewer.states()[-1]["link"] == "lost")
        assert viewer.states()[-1]["snapshot"]["seq"] == 1
        run.put(1)  # nobody announces it, and it is seen all the same
        viewer.until(lambda: 2 in _points(viewer.texts, "photons"))
        viewer.until(lambda: viewer.states()[-1]["link"] == "live")
        assert viewer.states()[-1]["snapshot"]["seq"] == 2


def test_a_run_whose_frames_wait_is_looked_at_less_often(
    run: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "BEHIND_S", 1e6)
    speaking = Speaking()
    with served(run.folder.path, publisher=speaking.endpoint) as page, page.viewer() as viewer:
        _say_until(speaking, viewer, seq=run.put(2))
        for waiting in range(2, 2 + BEHIND_AFTER):
            speaking.say(seq=1, waiting=waiting)
            viewer.until(lambda waiting=waiting: viewer.states()[-1]["snapshot"]["waiting"] == waiting)
        speaking.say(seq=run.put(3))
        viewer.look(seq=0)  # somebody clicked: at once
        assert viewer.image_of(0)
        viewer.drain()
        assert _points(viewer.texts, "photons") == [0, 1]
    speaking.close()


def test_one_frame_that_took_longer_is_no_reason_to_look_less(
    run: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "BEHIND_S", 1e6)
    speaking = Speaking()
    with served(run.folder.path, publisher=speaking.endpoint) as page, page.viewer() as viewer:
        for waiting in (1, 0, 1, 0, 1, 0):
            last = run.put(1)
            speaking.say(seq=last, waiting=waiting)
            viewer.until(lambda last=last: last in _points(viewer.texts, "photons"))
    speaking.close()


def test_a_run_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    speaking = Speaking()
    with served(tmp_path / "run", publisher=speaking.endpoint) as page, page.viewer() as viewer:
        viewer.look()
        viewer.say("strip", count=5, width=32)
        assert viewer.hear("hello")["run"]["state"] == "waiting"
        viewer.until(lambda: viewer.states())
        run = Growing(tmp_path / "run")
        run.put(1)
        assert viewer.image().seq == 0
        assert [t["run"]["profile"] for t in viewer.texts if t["type"] == "hello"] == ["", "a rig"]
        run.leave()
    speaking.close()


def test_a_run_of_another_version_is_refused_or_said(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format_version": 99}')
    with pytest.raises(UsageError, match="newer"), served(tmp_path):
        pass
    with served(tmp_path, publisher="tcp://127.0.0.1:9") as page, page.viewer() as viewer:
        hello = viewer.hear("hello")
        assert "newer" in hello["log"][0]["text"]
        viewer.until(lambda: viewer.states())


def test_nothing_that_is_no_recording_is_served(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no recording"), served(tmp_path):
        pass


def test_a_page_comes_back_at_the_same_port_with_the_same_cookie(run: Growing) -> None:
    run.put(1)
    with served(run.folder.path) as page:
        port = int(page.place.split(":")[1])
        with page.viewer() as viewer:
            viewer.hear("hello")
    with served(run.folder.path, port=port) as again, again.viewer() as viewer:
        assert viewer.hear("hello")["type"] == "hello"
        assert again.url == page.url
        assert TOKEN in again.url


def _say_until(speaking: Speaking, viewer: Viewer, **changes: object) -> None:
    """Say it again and again: who subscribes late has not heard the first."""
    seq = changes["seq"]
    while True:
        speaking.say(**changes)
        heard = len(viewer.states())
        viewer.until(lambda heard=heard: len(viewer.states()) > heard)
        shown = viewer.states()[-1]["snapshot"]
        if shown is not None and shown["run"] == "told" and shown["seq"] == seq:
            return


def _states(viewer: Viewer) -> list[str]:
    return [state["snapshot"]["state"] for state in viewer.states() if state["snapshot"]]


def _points(texts: list[dict], key: str) -> list[int]:
    """Frames of a curve, as a page that takes every message knows them."""
    seqs: list[int] = []
    for text in texts:
        if text["type"] in ("hello", "curves"):
            seqs = [seq for curve in text["curves"] if curve["key"] == key for seq in curve["seq"]]
        for points in text.get("points", []):
            if points["key"] == key:
                assert len(points["seq"]) == len(points["value"]) == len(points["time_s"])
                seqs += points["seq"]
    return seqs


def _log(texts: list[dict]) -> list[dict]:
    entries: list[dict] = []
    for text in texts:
        entries = text["log"] if text["type"] == "hello" else entries + text.get("log", [])
    return entries
