"""The runs of the study on disk: one JSON line each, so that the study can be done in parts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A file of records.

    Attributes:
        path: of the file; it need not exist yet.
    """

    path: Path

    def add(self, record: Record) -> None:
        """Append one run; after a line that broke off, on a line of its own."""
        with self.path.open("a+b") as file:
            file.seek(max(file.seek(0, 2) - 1, 0))
            begins = b"" if file.read(1) in (b"", b"\n") else b"\n"
            file.write(begins + json.dumps(record).encode() + b"\n")

    def read(self) -> tuple[Record, ...]:
        """All runs so far; of several with one case and seed the newest, a torn last line is left out."""
        if not self.path.exists():
            return ()
        newest = {(record["case"], record["seed"]): record for record in self._lines()}
        return tuple(newest.values())

    def _lines(self) -> Iterator[Record]:
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def usable(
    records: tuple[Record, ...], thresholds: Mapping[bool, str], every: Mapping[str, bool]
) -> list[Record]:
    """Those that were judged with the present thresholds.

    Args:
        records: of a store.
        thresholds: hash of those of all guards (True), and of those that need only photons (False).
        every: by name of the case, whether all guards judge it.
    """
    return [
        record
        for record in records
        if record["case"] in every and record["thresholds"] == thresholds[every[record["case"]]]
    ]
