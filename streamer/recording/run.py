"""The folder of one run, and `run.json`: what was run, with what, from when to when."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from streamer.errors import SourceError, UsageError
from streamer.recording.files import replace_file, writing
from streamer.recording.lock import LOCK_FILE, WriterLock

#: The layout that this version writes; it reads those before.
FORMAT_VERSION: Literal[2] = 2


class PackageUsed(BaseModel):
    """A model package as it was at the time of the run: id, folder, and the sha256 of each of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    folder: str = ""
    sha256: dict[str, str]


class Session(BaseModel):
    """A processor that went on in a recording: from which frame on, and with what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    started_wall_s: float = Field(default_factory=time.time)
    first_seq: int
    engine_keys: dict[str, JsonValue] = {}
    versions: dict[str, str] = {}


class Stacks(BaseModel):
    """Processed slices of z-stacks, and how many of them lie at a border that no signal supports."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slices: int
    border: int


class RunInfo(BaseModel):
    """Provenance of a run, `run.json`.

    Attributes:
        format_version: 1 had one raw and one annotated image, and `annotated_index` in its rows.
        state: running until every frame, row and table is written; a run killed half-way stays running.
        source: where the frames came from: engine or files, host, options.
        pixel_nm: size of a pixel in the specimen, None if nobody stated it.
        calibration: the numbers that turned grey levels into photons; `provisional` alone where nobody had
            measured any, and there were none.
        profile_sha256: hash of `profile` as canonical JSON, see `profile_hash`.
        engine_keys: engine key of each network by role (denoiser, segmenter).
        sessions: processors that went on after the first one had ended or died.
        stacks: of a closed run with z-stacks, sums of what the annotated images say by time point.
        notes: anything else worth knowing later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1, 2] = FORMAT_VERSION
    state: Literal["running", "closed"] = "running"
    started_wall_s: float = Field(default_factory=time.time)
    ended_wall_s: float | None = None
    source: dict[str, JsonValue] = {}
    overload_policy: Literal["lossless", "latest"] = "lossless"
    pixel_nm: float | None = None
    interval_s: float | None = None
    calibration: dict[str, bool | float] = {}
    profile: dict[str, JsonValue] = {}
    profile_sha256: str = ""
    packages: tuple[PackageUsed, ...] = ()
    engine_keys: dict[str, JsonValue] = {}
    thresholds: dict[str, JsonValue] = {}
    seeds: dict[str, int] = {}
    versions: dict[str, str] = {}
    sessions: tuple[Session, ...] = ()
    stacks: Stacks | None = None
    notes: dict[str, JsonValue] = {}


def profile_hash(profile: Mapping[str, Any]) -> str:
    """sha256 of a profile's canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(profile, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One recording on disk: the names of what lies in it.

    Attributes:
        path: the folder.
        lock: held by who writes; None for who reads.
    """

    path: Path
    lock: WriterLock | None = field(default=None, compare=False, repr=False)

    @property
    def raw(self) -> Path:
        """Camera frames, untouched; of a run with one position and one camera mode."""
        return self.path / "raw.ome.zarr"

    @property
    def annotated(self) -> Path:
        """Denoised frames and their labels; processed frames only, of one position and camera mode."""
        return self.path / "annotated.ome.zarr"

    @property
    def frames(self) -> Path:
        """One line a frame."""
        return self.path / "frames.jsonl"

    @property
    def table(self) -> Path:
        """The same as a table, once the run is closed."""
        return self.path / "frames.parquet"

    @property
    def decisions(self) -> Path:
        """One line for each decision other than to continue."""
        return self.path / "decisions.jsonl"

    @property
    def checkpoint(self) -> Path:
        """States of the guards at a frame, from which a resumed run goes on."""
        return self.path / "checkpoint.npz"

    @property
    def info(self) -> Path:
        """Provenance."""
        return self.path / "run.json"


def is_run(path: Path) -> bool:
    """Whether `path` is the folder of a run."""
    return (path / "run.json").is_file()


def create_run(path: Path, info: RunInfo) -> RunFolder:
    """Create the folder of a new run with its `run.json`; it is locked for writing.

    Raises:
        UsageError: the folder holds something already.
        RecordingError: it cannot be written.
    """
    with writing(path):
        if path.exists() and not (path.is_dir() and all(item.name == LOCK_FILE for item in path.iterdir())):
            raise UsageError(f"{path}: exists and is not empty; choose a new folder with --out")
        path.mkdir(parents=True, exist_ok=True)
        run = RunFolder(path, WriterLock(path))
        write_info(run, info)
    return run


def write_info(run: RunFolder, info: RunInfo) -> None:
    """Put `info` in place of the run's `run.json`."""
    with writing(run.info):
        replace_file(run.info, info.model_dump_json(indent=2).encode())


def read_info(run: RunFolder) -> RunInfo:
    """The run's provenance.

    Raises:
        SourceError: no run, or a `run.json` that this version cannot read.
    """
    try:
        return RunInfo.model_validate_json(run.info.read_bytes())
    except OSError as error:
        raise SourceError(f"{run.info}: {error.strerror}; give the folder of a recording") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise SourceError(
            f"{run.info}: {place}: {first['msg']}; restore it or read it with the version that wrote it"
        ) from error
