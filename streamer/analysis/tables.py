"""An evaluation as files that a spreadsheet or a script reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamer.analysis.measures import MEASURES

_METRICS = ("structure", "level", "method", "metric", "value", "low_95", "high_95", "frames", "undefined")
_COMPARED = (
    *("structure", "level", "first", "second", "metric", "difference", "low_95", "high_95", "standing"),
    *("mann_whitney_u", "p", "p_holm", "effect", "p_method"),
)


def write_tables(evaluation: Mapping[str, Any], folder: Path) -> None:
    """Write evaluation.json, metrics.csv and comparisons.csv into `folder`."""
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1) + "\n", encoding="utf-8")
    _write(folder / "metrics.csv", _METRICS, _metric_rows(evaluation))
    _write(folder / "comparisons.csv", _COMPARED, _comparison_rows(evaluation))


def _metric_rows(evaluation: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for level in evaluation["levels"]:
        for method, report in level["methods"].items():
            for name in (name for name in MEASURES if name in report["metrics"]):
                found = report["metrics"][name]
                ends = found["interval_95"] or (None, None)
                yield (
                    *(level["structure"], level["level"], method, name, found["value"], *ends),
                    *(len(found["per_frame"]), found["undefined"]),
                )


def _comparison_rows(evaluation: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for level in evaluation["levels"]:
        for pair in level["comparisons"]:
            for name, found in pair["metrics"].items():
                test = found.get("mann_whitney", {})
                yield (
                    *(level["structure"], level["level"], pair["first"], pair["second"]),
                    *(name, found["difference"]),
                    *(*(found["interval_95"] or (None, None)), found["standing"]),
                    *(test.get(key) for key in ("u", "p", "p_holm", "effect", "method")),
                )


def _write(path: Path, heads: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)
