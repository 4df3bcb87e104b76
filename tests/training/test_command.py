"""`streamer train` as a user types it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from streamer.apps import train as training
from streamer.apps.train_packages import package_notes
from streamer.cli.main import app
from streamer.cli.train import _next
from streamer.errors import SourceError, StreamerError
from streamer.package import ModelPackage, load_package
from streamer.training import export

WritePairs = Callable[..., Path]

TINY = [
    *("--steps", "2", "--fields", "1", "--field-px", "96", "--patch-px", "32"),
    *("--batch", "1", "--test-frames", "2", "--threads", "1"),
]
SHORT = ["--steps", "2", "--patch-px", "32", "--batch", "1", "--threads", "1"]
COUNTS = ["--offset", "0", "--gain", "1"]


def refused(told: list[str]) -> str:
    """The one line with which a command is refused."""
    result = CliRunner().invoke(app, ["train", *told])
    assert isinstance(result.exception, StreamerError), result.exception
    assert result.exception.exit_code == 2
    line = str(result.exception)
    assert "\n" not in line
    return line


def test_train_writes_a_package_and_prints_its_scores(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    told = ["train", "--kind", "denoiser", "--out", str(out), "--seed", "9", *TINY, "--json"]
    result = CliRunner().invoke(app, told, catch_exceptions=False)
    assert result.exit_code == 0
    scores = json.loads(result.stdout)
    assert scores["frames"] == 2
    assert scores["structures"]["er"]["metrics"]["coverage_all"]["value"] is not None
    package = load_package(out)
    assert package.description.outputs[0].channel_names == ("photons", "standard deviation")
    card = (out / "README.md").read_text()
    assert "streamer train --out mine --kind denoiser --seed 9 --steps 2 --fields 1" in card
    assert "# ER denoiser for live STED" in card
    assert "| PSNR, dB |" in card
    assert "no scale and no offset" in card
    assert str(tmp_path) not in card


@pytest.mark.usefixtures("no_graph")
def test_the_last_line_tells_what_to_type_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = ["train", "--simulate", "puncta", "--no-uncertainty", *TINY]
    result = CliRunner().invoke(app, told, catch_exceptions=False)
    assert result.stdout.splitlines()[-1] == "next: streamer evaluate puncta-denoiser"
    card = (tmp_path / "puncta-denoiser" / "README.md").read_text()
    assert "# Puncta denoiser for live STED" in card
    assert "density_per_um2" in card
    assert "endoplasmic" not in card


@pytest.mark.usefixtures("no_graph")
def test_pairs_are_learned_from(write_pairs: WritePairs, tmp_path: Path) -> None:
    told = ["train", "--pairs", str(write_pairs()), *COUNTS, *SHORT, "--out", str(tmp_path / "p")]
    result = CliRunner().invoke(app, told, catch_exceptions=False)
    words = " ".join(result.stdout.split())
    assert "6 pairs: few" in words
    assert "shifts of 6 pairs: median" in words
    card = (tmp_path / "p" / "README.md").read_text()
    assert "parted by acquisition day (3 days, by folder)" in card
    assert "one scale for the model" in card
    low, high = load_package(tmp_path / "p").trained_box_sum or (0, 0)
    assert 0 < low < high < 200


@pytest.mark.usefixtures("no_graph")
@pytest.mark.parametrize(
    ("context", "channels"),
    [
        ("time", ("photons", "photons 1 before", "photons 2 before")),
        ("z", ("photons", "photons below", "photons above")),
    ],
)
def test_frames_with_context_are_learned_from(
    context: str, channels: tuple[str, ...], tmp_path: Path
) -> None:
    told = ["train", "--frames", "3", "--context", context, "--no-uncertainty", *TINY]
    CliRunner().invoke(app, [*told, "--out", str(tmp_path / "c")], catch_exceptions=False)
    package = load_package(tmp_path / "c")
    assert package.description.inputs[0].channel_names == channels
    assert package.config.context == context
    assert package.test_input().shape[1] == 3
    card = (tmp_path / "c" / "README.md").read_text()
    if context == "time":
        assert "With it the gain over" in card
    else:
        assert "# ER denoiser for STED z-stacks" in card
        assert "6 slices 140 nm apart" in card
        assert "intervals by bootstrap over stacks" in card
        assert "**For z-stacks only**" in card


@pytest.mark.usefixtures("no_graph")
@pytest.mark.parametrize("method", ["thinned", "noise2void"])
def test_noisy_images_alone_are_learned_from(method: str, write_pairs: WritePairs, tmp_path: Path) -> None:
    low = write_pairs(days=("monday",), per_day=3) / "low"
    told = ["train", "--noisy", str(low), "--method", method, *COUNTS, *SHORT, "--out", str(tmp_path / "n")]
    result = CliRunner().invoke(app, told, catch_exceptions=False)
    assert "all 3 images are of one day (monday)" in " ".join(result.stdout.split())
    card = (tmp_path / "n" / "README.md").read_text()
    assert "**all of one day**" in card
    assert f"--method {method}" in card


@pytest.mark.usefixtures("no_graph")
def test_fine_tuning_goes_on_from_a_package(
    tiny_denoiser: ModelPackage, write_pairs: WritePairs, tmp_path: Path
) -> None:
    told = ["train", "--start", str(tiny_denoiser.folder), "--pairs", str(write_pairs()), *COUNTS, *SHORT]
    CliRunner().invoke(app, [*told, "--out", str(tmp_path / "f")], catch_exceptions=False)
    package = load_package(tmp_path / "f")
    assert package.config.training["recipe"]["learning_rate"] == 1e-4
    card = (tmp_path / "f" / "README.md").read_text()
    assert "- started from: tiny-denoiser, weights.pt sha256" in card
    assert package.description.outputs[0].channel_names == ("photons",)


@pytest.mark.usefixtures("no_graph")
def test_a_search_chooses_options_and_leaves_its_table(write_pairs: WritePairs, tmp_path: Path) -> None:
    out = tmp_path / "s"
    told = ["train", "--pairs", str(write_pairs()), *COUNTS, *SHORT, "--search", "2", "--search-steps", "1"]
    result = CliRunner().invoke(app, [*told, "--out", str(out)], catch_exceptions=False)
    assert "the search chose" in result.stdout
    assert len(json.loads((out / "search" / "search.json").read_text())["runs"]) == 2
    assert load_package(out).config.training["recipe"]["steps"] == 2


@pytest.mark.usefixtures("no_graph")
def test_a_training_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "mine"
    told = ["train", "--out", str(out), *TINY, "--no-uncertainty", "--every", "1"]

    def pull_the_plug(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as plug:
        plug.setattr(training, "export_package", pull_the_plug)
        result = CliRunner().invoke(app, told)
    assert result.exit_code == 130
    assert "goes on from the newest checkpoint" in result.stderr
    CliRunner().invoke(app, told, catch_exceptions=False)
    assert load_package(out).kind == "denoiser"
    assert not (out / "checkpoint.pt").exists()
    assert len(json.loads((out / "training.json").read_text())["history"]["validation"]) == 2


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--steps", "5", "--minutes", "1"], "give one of them"),
        (["--simulate", "er", "--pairs", "x"], "learn from one of them"),
        (["--simulate", "unicorns"], "--simulate unicorns: use er, microtubules"),
        (["--method", "thinned"], "is for --noisy images"),
        (["--max-shift-px", "3"], "is for pairs"),
        (["--pairs", "x", "--low", "y", "--high", "z"], "both name the pairs"),
        (["--low", "y"], "pairs need both"),
        (["--noisy", "x", "--low", "y", "--high", "z"], "--noisy with pairs"),
        (["--kind", "segmenter"], "name its package with --denoiser"),
        (["--kind", "segmenter", "--denoiser", "x", "--pairs", "y"], "leave images out"),
        (["--kind", "segmenter", "--denoiser", "x", "--simulate", "puncta"], "its classes are the ER's"),
        (["--kind", "segmenter", "--denoiser", "x", "--loss", "poisson"], "leave --loss out"),
        (["--offset", "3"], "simulated ones are photons already"),
        (["--pairs", "x", "--fields", "3"], "is for simulated specimens"),
        (["--pairs", "x", "--frames", "3", *COUNTS], "needs simulated movies"),
        (["--noisy", "x", "--search", "3", *COUNTS], "which noisy images lack"),
        (["--pairs", "x", "--uncertainty", *COUNTS], "learns it from a known truth"),
        (["--architecture", "unet-rcan", "--frames", "3"], "takes one; use live, live-small or care-unet"),
        (["--context", "z"], "shows a slice with the ones below and above; use 3"),
        (["--device", "cpu", "--precision", "f16"], "needs an NVIDIA GPU"),
        (["--start", "x", "--architecture", "live"], "a package has its own"),
        (["--search-steps", "5"], "is for --search"),
        (["--patch-px", "33", "--field-px", "96"], "use a multiple of 16, at most"),
        (["--patch-px", "128", "--field-px", "64"], "use a multiple of 16, at most"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_do_not_go_together_are_refused(told: list[str], words: str, tmp_path: Path) -> None:
    assert words in refused([*told, "--out", str(tmp_path / "x")])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([], "grey levels are not photons: give --profile, or --offset and --gain"),
        (["--gain", "1"], "grey levels are not photons"),
        (["--profile", "simulated_sted", "--gain", "1"], "each states the gain"),
        (["--profile", "zhanghao_m1"], "states no [detector.calibration]; give --offset and --gain"),
    ],
    ids=["nothing", "half", "twice", "uncalibrated profile"],
)
def test_photons_are_never_guessed(
    told: list[str], words: str, write_pairs: WritePairs, tmp_path: Path
) -> None:
    line = refused(["--pairs", str(write_pairs(per_day=1)), *told, "--out", str(tmp_path / "x")])
    assert words in line


def test_swapped_doses_are_refused(write_pairs: WritePairs, tmp_path: Path) -> None:
    root = write_pairs(per_day=1)
    swapped = ["--low", str(root / "high"), "--high", str(root / "low")]
    line = refused([*swapped, *COUNTS, "--out", str(tmp_path / "x")])
    assert line.endswith("times the photons of the low-dose ones; swap --low and --high")


def test_a_folder_that_cannot_be_made_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "simulated_lesson", lambda *_: pytest.fail("simulated before the check"))
    taken = tmp_path / "taken"
    taken.write_text("a file")
    assert f"--out {taken}: is a file; name another folder" in refused(["--out", str(taken), *TINY])
    assert "cannot be written" in refused(["--out", str(taken / "inside"), *TINY])


def test_nothing_that_lies_there_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "simulated_lesson", lambda *_: pytest.fail("simulated before the check"))
    out = tmp_path / "mine"
    out.mkdir()
    (out / "README.md").write_text("my notes")
    assert "holds README.md, which the package would overwrite" in refused(["--out", str(out), *TINY])
    (out / "bioimageio.yaml").write_text("a package")
    line = refused(["--out", str(out), *TINY])
    assert f"--out {out}: holds a trained package; name another folder" in line
    assert (out / "README.md").read_text() == "my notes"


@pytest.mark.usefixtures("no_graph")
def test_a_package_that_cannot_be_written_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine"
    told = ["train", "--out", str(out), *TINY, "--no-uncertainty", "--every", "1"]

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as plug:
        plug.setattr(export, "model_card", full)
        assert isinstance(CliRunner().invoke(app, told).exception, OSError)
    assert not (out / "weights.pt").exists()
    result = CliRunner().invoke(app, told, catch_exceptions=False)
    assert "going on from" in result.output
    assert load_package(out).kind == "denoiser"
    assert not (out / "package.partial").exists()


def of_three_frames(package: ModelPackage, folder: Path) -> Path:
    """A copy of a package that says it is shown three frames."""
    shutil.copytree(package.folder, folder)
    described = yaml.safe_load((folder / "bioimageio.yaml").read_text())
    names = ["photons", "photons 1 before", "photons 2 before"]
    next(axis for axis in described["inputs"][0]["axes"] if axis["type"] == "channel")["channel_names"] = (
        names
    )
    described["config"]["streamer"] |= {"context": "time"}
    described["config"]["streamer"]["architecture"]["frames"] = 3
    (folder / "bioimageio.yaml").write_text(yaml.safe_dump(described))
    return folder


def test_a_package_of_several_frames_is_refused_where_images_are_single(tmp_path: Path) -> None:
    shipped = load_package("er-denoise-live")
    three, out = of_three_frames(shipped, tmp_path / "three"), ["--out", str(tmp_path / "x")]
    line = refused(["--kind", "segmenter", "--denoiser", str(three), *out])
    assert "is shown 3 frames, a segmenter learns from single ones" in line
    line = refused(["--start", str(three), "--noisy", "images", *COUNTS, *out])
    assert "is shown 3 frames, recorded images are learned from singly" in line
    assert "give --frames 3" in refused(["--start", str(three), *out])
    line = refused(["--start", str(three), "--frames", "3", "--context", "z", *out])
    assert "give --context time" in line
    assert not (tmp_path / "x").exists()


def test_it_is_said_which_package_a_name_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "er-denoise-live"
    shutil.copytree(load_package("er-denoise-live").folder, here)
    options = training.TrainOptions(out=Path("x"), start="er-denoise-live")
    (line,) = package_notes(options)
    assert line == (
        f"--start er-denoise-live: takes {load_package('er-denoise-live').folder}; "
        "for the folder here type ./er-denoise-live"
    )
    assert load_package("./er-denoise-live").folder == here
    assert not list(package_notes(replace(options, start="./er-denoise-live")))
    (line,) = package_notes(replace(options, start=None, segmenter="er-segmnt"))
    assert "--segmenter er-segmnt: no such package yet" in line
    assert not list(package_notes(replace(options, start=None, segmenter="er-segment-live")))


def test_the_next_command_judges_on_images_of_its_own_kind(tmp_path: Path) -> None:
    out, told = Path("mine"), {"offset": 100.0, "gain": 0.5}
    (tmp_path / "low").mkdir()
    (tmp_path / "high").mkdir()
    doses = {"low": tmp_path / "low", "high": tmp_path / "high"}
    assert _next(out, {}) == "streamer evaluate mine"
    together = f"streamer evaluate mine --pairs {tmp_path} --offset 100.0 --gain 0.5 --pixel-nm NM"
    assert _next(out, {**doses, **told}) == _next(out, {"pairs": tmp_path, **told}) == together
    noisy = _next(out, {"noisy": ["images"], "profile": "rig"})
    assert noisy.startswith("streamer evaluate mine --pairs FOLDER --profile rig (noisy images hold no truth")


def test_one_pair_is_too_few(write_pairs: WritePairs, tmp_path: Path) -> None:
    root = write_pairs(days=("monday",), per_day=1)
    assert "1 usable image: too few" in refused(["--pairs", str(root), *COUNTS, "--out", str(tmp_path / "x")])


def test_a_foreign_package_is_nothing_to_start_from(tiny_denoiser: ModelPackage, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    shutil.copytree(tiny_denoiser.folder, foreign)
    described = yaml.safe_load((foreign / "bioimageio.yaml").read_text())
    del described["config"]["streamer"]
    (foreign / "bioimageio.yaml").write_text(yaml.safe_dump(described))
    assert "was not made by `streamer train`" in refused(
        ["--start", str(foreign), "--out", str(tmp_path / "x")]
    )


def test_a_damaged_image_is_named(write_pairs: WritePairs, tmp_path: Path) -> None:
    root = write_pairs(per_day=1)
    path = next((root / "low").rglob("*.tif"))
    path.write_bytes(path.read_bytes()[:200])
    result = CliRunner().invoke(app, ["train", "--pairs", str(root), *COUNTS, "--out", str(tmp_path / "x")])
    assert isinstance(result.exception, SourceError)
    assert path.name in str(result.exception)
