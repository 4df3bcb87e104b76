"""A run that segments every third frame: what it records, how it goes on, and its replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from apps_cli import Cli

from streamer.apps import compose
from streamer.apps.compose import Composer, ModelSettings
from streamer.apps.recorder import open_recorder
from streamer.core import Frame, Outcome
from streamer.pipeline import process
from streamer.profile import HardwareProfile, Ledger, load_profile
from streamer.recording import RunFolder, close_run, create_run, iter_frames

SHAPE, EVERY = (48, 64), 3


@pytest.fixture(scope="module")
def models() -> compose.Models:
    return compose.load_models(ModelSettings(precision="f32", threads=1))


def profile() -> HardwareProfile:
    fields: dict[str, Any] = load_profile("abberior_er_low").to_dict()
    fields["scan"]["shape_px"] = list(SHAPE)
    return compose.with_segment_every(EVERY, HardwareProfile.model_validate(fields))


def frames(count: int) -> list[Frame]:
    """Two positions by turns, of stripes that move; always the same."""
    rng, (y, x) = np.random.default_rng(4), np.mgrid[: SHAPE[0], : SHAPE[1]]
    stripes = (0.05 + 2.0 * ((x + 2 * y + 3 * seq) % 30 < 10) for seq in range(count))
    return [
        Frame(pixels=rng.poisson(each).astype(np.uint8), seq=seq, axes={"position": seq % 2})
        for seq, each in enumerate(stripes)
    ]


class Kept(list[Outcome]):
    """A sink that keeps what it is handed."""

    def put(self, outcome: Outcome) -> None:
        self.append(outcome)

    def close(self) -> None:
        """Nothing to close."""


def recorded(composer: Composer, path: Path, count: int) -> tuple[RunFolder, Kept]:
    composer.warm_up(SHAPE)  # the replay takes the engines that are recorded
    run = create_run(path, composer.provenance(source={"kind": "test", "planned": 60}, pixel_nm=20.0))
    kept, dose = Kept(), Ledger(composer.profile).step
    recorder = open_recorder(run, composer.profile, pixel_nm=20.0, dose=dose, further=(kept,))
    with recorder:
        stages = composer.stages(planned=60).as_arguments()
        process(
            frames(count), record=recorder.put_raw, sinks=(recorder,), lag=lambda frame: (0.0, 0), **stages
        )
    close_run(run)
    return run, kept


def test_rows_say_whose_labels_they_have_and_a_replay_and_a_checkpoint_agree(
    models: compose.Models, cli: Cli, tmp_path: Path
) -> None:
    composer = Composer(profile(), models)
    run, outcomes = recorded(composer, tmp_path / "run", 60)
    # Each position counts its own, the second one a frame ahead: 0 and 1 are drawn, then 5, 6, 11, 12, ...
    drawn = {0: [*range(0, 60, 6)], 1: [1, *range(5, 60, 6)]}
    newest = [max(each for each in drawn[seq % 2] if each <= seq) for seq in range(60)]
    expected = [[None if each == seq else each] for seq, each in enumerate(newest)]
    rows = list(iter_frames(run))
    assert [row["labels_seq"] for row in rows] == expected
    assert pq.read_table(run.table).column("labels_seq").to_pylist() == expected
    words = {v.guard: v.meaning for v in outcomes[3].verdicts}
    assert words["scene"] == "not taken for the baseline: the labels are those of frame 1"
    assert words["trust"].endswith("drawn in frame 1")

    done = cli("replay", run.path, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    assert done.json["comparison"]["identical"] == 60
    assert [row["labels_seq"] for row in iter_frames(RunFolder(tmp_path / "again"))] == expected
    place = "annotated.p-1.ome.zarr/labels/segmentation/0"
    old, new = (zarr.open_array(folder / place, mode="r")[:] for folder in (run.path, tmp_path / "again"))
    np.testing.assert_array_equal(old, new)

    checkpoint = next(outcome.checkpoint for outcome in outcomes if outcome.checkpoint is not None)
    cut, resumed = int(checkpoint["seq"]) + 1, Kept()
    stages = composer.stages(planned=60, checkpoint=checkpoint).as_arguments()
    rest = frames(60)[cut:]
    process(rest, record=lambda frame: None, sinks=(resumed,), lag=lambda frame: (0.0, 0), **stages)
    for one, other in zip(outcomes[cut:], resumed, strict=True):
        assert one.verdicts == other.verdicts
        np.testing.assert_array_equal(one.results[0].labels, other.results[0].labels)


def test_an_old_recording_is_read_and_another_choice_is_told_on_the_command_line(
    models: compose.Models, cli: Cli, tmp_path: Path
) -> None:
    run, _ = recorded(Composer(profile(), models), tmp_path / "run", 6)
    old = [{k: v for k, v in row.items() if k != "labels_seq"} for row in iter_frames(run)]
    run.frames.write_text("".join(json.dumps(row) + "\n" for row in old))
    info = json.loads((run.path / "run.json").read_text())
    del info["profile"]["processing"]  # as if it was made before there was a choice
    (run.path / "run.json").write_text(json.dumps(info))
    options = ("--out", tmp_path / "again", "--segment-every", "2", "--json")
    done = cli("replay", run.path, *options)
    assert done.code == 0, done.err
    recorded_as = json.loads((tmp_path / "again" / "run.json").read_text())["profile"]["processing"]
    assert recorded_as["segment_every"] == 2
    assert "segment_every 1, now 2" in done.json["comparison"]["engines_changed"]
    again = [row["labels_seq"] for row in iter_frames(RunFolder(tmp_path / "again"))]
    assert again == [[None], [None], [0], [None], [None], [3]]


def test_a_run_goes_on_as_it_began(cli: Cli, tmp_path: Path) -> None:
    done = cli("live", "--resume", tmp_path, "--segment-every", "4")
    assert done.code == 2
    assert f"--segment-every 4: {tmp_path} goes on as it began; leave it out" in done.err
