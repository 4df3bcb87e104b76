"""Simulated runs kept on disk: most of the study's time is their making, and guards change more often.

A film holds the counts of every frame, and the truth of the few that are compared with it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numcodecs import Blosc
from numpy.typing import NDArray

import streamer.simulation
from bench.guards_movies import Case, Shot, Shots

#: Raised when a case shows other frames with the same simulation: films made before are then made anew.
SHOWN = 1
_CODEC = Blosc("zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)

#: Counts [y, x] of a frame, and its truth where that is asked for.
Seen = tuple[NDArray[np.uint16], Shot | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Films:
    """A folder of films; None keeps none.

    Attributes:
        folder: where they are; made where it is missing.
    """

    folder: Path | None = None

    def show(self, name: str, case: Case, seed: int, shots: Shots, marks: Collection[int]) -> Iterator[Seen]:
        """The frames of a run, from its film if there is one; else as they are simulated, and filmed.

        Args:
            name: of the case.
            case, seed: of the run.
            shots: the simulation of it, which is not begun where there is a film.
            marks: frames of which the truth is asked for.
        """
        if self.folder is None:
            yield from _seen(shots, marks)
            return
        path = self.folder / f"{name}-{seed}-{_key(case, marks)}.zip"
        if not path.exists():
            yield from _filmed(path, _seen(shots, marks))
            return
        with zipfile.ZipFile(path) as film:
            for seq in range(case.frames):
                shape = (case.size_px, case.size_px)
                counts = np.frombuffer(_CODEC.decode(film.read(f"{seq}")), np.uint16).reshape(shape)
                yield counts, _truth(film, seq, counts) if seq in marks else None


def _seen(shots: Shots, marks: Collection[int]) -> Iterator[Seen]:
    for seq, shot in enumerate(shots):
        yield shot.counts, shot if seq in marks else None


def _filmed(path: Path, seen: Iterator[Seen]) -> Iterator[Seen]:
    """Write a film as it is shown; it gets its name when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w") as film:
        for seq, (counts, shot) in enumerate(seen):
            film.writestr(f"{seq}", _CODEC.encode(np.ascontiguousarray(counts)))
            if shot is not None:
                truth = io.BytesIO()
                np.savez_compressed(truth, signal=shot.signal, expected=shot.expected, labels=shot.labels)
                film.writestr(f"{seq}.npz", truth.getvalue())
            yield counts, shot
    unfinished.replace(path)


def _truth(film: zipfile.ZipFile, seq: int, counts: NDArray[np.uint16]) -> Shot:
    with np.load(io.BytesIO(film.read(f"{seq}.npz"))) as truth:
        return Shot(counts=counts, **{name: truth[name] for name in truth.files})


def _key(case: Case, marks: Collection[int]) -> str:
    """Of what decides the frames: the simulation's source, the case, and which truths are kept."""
    root = Path(streamer.simulation.__file__).parent
    source = b"".join(path.read_bytes() for path in sorted(root.rglob("*.py")))
    plain = {
        field.name: value
        for field in fields(case)
        if isinstance(value := getattr(case, field.name), int | bool)
    }
    told = json.dumps([SHOWN, plain, sorted(marks)], sort_keys=True).encode()
    return hashlib.sha256(source + told).hexdigest()[:12]
