"""The plugin as napari meets it: manifest, viewer model, layers that follow a run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from with_napari import need
from written_run import counts, growing_run, outcome, write_run

from streamer.viewer import LiveLayers, follow, read_run
from streamer.viewer.live import News


def test_everything_is_imported_without_napari() -> None:
    program = (
        "import sys; sys.modules['napari'] = sys.modules['magicgui'] = sys.modules['qtpy'] = None\n"
        "import streamer.viewer, streamer.viewer.widget, streamer.viewer.window, streamer.cli.view"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_without_napari_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ({"time": 0},)).path
    program = (
        "import sys; sys.modules['napari'] = None\n"
        "from pathlib import Path\n"
        "from streamer.errors import RunError\n"
        "from streamer.viewer.window import open_window\n"
        "try:\n    open_window(Path(sys.argv[1]))\n"
        "except RunError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(run)], check=True, timeout=60, capture_output=True, text=True
    )
    assert "pip install 'scope-streamer[napari]'" in done.stdout


def test_the_manifest_names_what_exists() -> None:
    npe2 = need("npe2")
    manifest = npe2.PluginManifest.from_file(str(resources.files("streamer.viewer").joinpath("napari.yaml")))
    manifest.validate_imports()
    assert [widget.display_name for widget in manifest.contributions.widgets] == ["Watch a run"]
    (reader,) = manifest.contributions.readers
    assert reader.accepts_directories
    assert reader.filename_patterns == ["run.json"]


def test_napari_reads_a_recording_by_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npe2 = need("npe2")
    run = write_run(tmp_path / "run", tuple({"time": n} for n in range(3))).path
    manager = npe2.PluginManager()
    monkeypatch.setattr(npe2.PluginManager, "instance", lambda: manager)
    manager.register(
        npe2.PluginManifest.from_file(str(resources.files("streamer.viewer").joinpath("napari.yaml")))
    )
    for path in (run, run / "run.json"):
        layers = npe2.read([str(path)], stack=False)
        assert [kind for _, _, kind in layers] == ["image"] * 3 + ["labels"] * 2
    assert not list(manager.iter_compatible_readers([str(run / "other.tif")]))


def test_the_layers_of_a_recording_enter_a_viewer(tmp_path: Path) -> None:
    components = need("napari.components")
    layers = need("napari.layers")
    viewer = components.ViewerModel()
    run = write_run(tmp_path / "run", tuple({"time": n} for n in range(3))).path
    for each in read_run(run):
        viewer.add_layer(layers.Layer.create(*each))
    assert [layer.name for layer in viewer.layers if layer.visible] == ["denoised", "trust"]
    assert viewer.dims.axis_labels == ("t", "y", "x")
    viewer.dims.set_current_step(0, 2)
    assert tuple(viewer.layers["trust"].get_color(3)[:3]) == pytest.approx((1.0, 0.55, 0.0))
    assert tuple(viewer.layers["denoised"].extent.step) == (1.0, 0.02, 0.02)


class Woken:
    """A feed that brings one more frame with each look; after the last one the run is closed."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)

    def newest(self, timeout_s: float) -> None:
        if self.steps:
            self.steps.pop(0)()
        else:
            time.sleep(0.01)


def test_live_layers_follow_a_run_to_its_end(tmp_path: Path) -> None:
    components = need("napari.components")
    viewer = components.ViewerModel()
    live = LiveLayers(viewer)
    going = growing_run(tmp_path / "run")
    run, put = going.__enter__()
    steps = [lambda seq=seq: put(outcome(seq, {"time": seq})) for seq in range(4)]
    feed = Woken(*steps, lambda: going.__exit__(None, None, None))
    seen = []
    for news in follow(run.path, hear=lambda: nullcontext(feed)):
        live.show(news)
        seen.append(news.seq)
    assert seen == sorted(seen)
    assert seen[-1] == 3
    assert [layer.name for layer in viewer.layers] == [
        "live camera",
        "live denoised",
        "live uncertainty",
        "live segmentation",
        "live trust",
    ]
    np.testing.assert_array_equal(viewer.layers["live camera"].data, counts(3))
    assert viewer.layers["live denoised"].metadata["frame"] == 3
    assert viewer.canvas.overlays.text.text == "finished, frame 4"
    live.close()
    assert not viewer.layers


def test_what_a_user_changed_or_removed_stays_so(tmp_path: Path) -> None:
    components = need("napari.components")
    viewer = components.ViewerModel()
    live = LiveLayers(viewer)
    (news,) = (one for one in follow(write_run(tmp_path / "run").path) if one.planes)
    live.show(news)
    viewer.layers["live denoised"].contrast_limits = (1.0, 2.0)
    viewer.layers.remove("live trust")
    live.show(news)
    assert tuple(viewer.layers["live denoised"].contrast_limits) == (1.0, 2.0)
    assert "live trust" not in viewer.layers


@pytest.mark.parametrize("damage", ["layout", "pixels"])
def test_what_is_wrong_with_a_recording_is_said_and_not_raised(tmp_path: Path, damage: str) -> None:
    run = write_run(tmp_path / "run", tuple({"time": n} for n in range(3)))
    if damage == "layout":
        run.info.write_text('{"format_version": 99}')
    else:
        for chunk in (run.annotated / "0" / "c" / "2").rglob("*"):
            if chunk.is_file():
                chunk.write_bytes(b"no pixels")
    looks: list[News] = []
    for news in follow(run.path, stop=lambda: len(looks) > 0):
        looks.append(news)
    assert ("newer" if damage == "layout" else "damaged") in looks[0].state


def test_a_run_that_has_not_begun_is_waited_for(tmp_path: Path) -> None:
    feed = Woken(lambda: write_run(tmp_path / "run", ({"time": 0},)))
    states = [news.state for news in follow(tmp_path / "run", hear=lambda: nullcontext(feed))]
    assert states == ["waiting", "running", "stopped"]
