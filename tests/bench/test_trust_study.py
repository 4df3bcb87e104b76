"""The study of trust on a few small fields: it runs, and its parts agree with each other."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from bench.trust import main
from bench.trust_measures import (
    MEASURES,
    Judged,
    by_model,
    discrimination,
    fitted,
    frames_calibrated,
    spread,
)
from streamer.guards.belief import SHIPPED, SPREAD

RESULTS = Path(__file__).parents[2] / "bench" / "results"


def looks(count: int = 8) -> list[Judged]:
    """Made-up fields, in which the first measure tells right from wrong and nothing else does."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        measures = rng.normal(size=(300, len(MEASURES)))
        right = rng.binomial(10, 1 / (1 + np.exp(-2 - 3 * measures[:, 0])))
        cells = np.stack([10 - right, right]).astype(float)
        truth = np.repeat(np.tile([False, True], 300), cells.T.ravel().astype(int))
        score = np.repeat(measures[:, 0], 10).astype(np.float32)
        scores = dict.fromkeys(("trust", "box sum", "signal map"), score)
        one = Judged(box_sum=10.0, right=truth, labelled=truth, scores=scores, measures=measures, cells=cells)
        found.append(one)
    return found


def test_the_measure_that_tells_gets_the_weight() -> None:
    model = fitted(looks())
    assert model.contrast == pytest.approx(3.0, abs=0.3)
    assert abs(model.level) < 0.2
    assert fitted(looks(), ["level"]).contrast == 0.0


def test_stated_and_true_shares_agree_where_the_model_holds() -> None:
    seen = looks()
    model = fitted(seen)
    stated = by_model(seen, model)
    assert all(each.size == one.right.size for each, one in zip(stated, seen, strict=True))
    low, high = spread(seen, model)
    assert -0.1 < low < high < 0.1


def test_equal_scores_lose_equally() -> None:
    found = discrimination(looks(), seed=1)
    assert found["lost_over_that_of"]["box sum"]["ratio"] == 1.0
    assert found["auroc"]["trust"]["auroc"] > 0.85


def test_frames_are_paired() -> None:
    seen = [
        Judged(
            box_sum=1.0,
            right=np.arange(1_000) < good,
            labelled=np.arange(1_000) < good,
            scores={"trust": np.full(1_000, share, np.float32)},
            measures=np.zeros((0, len(MEASURES))),
            cells=np.zeros((2, 0)),
        )
        for good, share in ((900, 0.8), (700, 0.6))
    ]
    found = frames_calibrated(seen)
    assert found["pairs"] == [[0.8, 0.9], [0.6, 0.7]]
    assert found["rms_difference"] == pytest.approx(0.1, abs=1e-3)


def test_the_short_form_runs(tmp_path: Path) -> None:
    main(out=tmp_path / "trust.json", pictures=tmp_path, quick=True, only_fit=False, seed=1, threads=1)
    report = json.loads((tmp_path / "trust.json").read_text(encoding="utf-8"))
    assert report["quick"]
    assert 0.5 < report["test"]["auroc"]["trust"]["auroc"] <= 1.0
    assert {path.name for path in tmp_path.glob("*.png")} == {"trust-field.png", "trust-reliability.png"}


def test_what_is_shipped_is_what_was_fitted_and_measured() -> None:
    stored = json.loads((RESULTS / "trust.json").read_text(encoding="utf-8"))
    assert not stored["quick"]
    assert stored["shipped"]["model"] == asdict(SHIPPED)
    assert stored["fit"]["model"] == pytest.approx(asdict(SHIPPED), abs=1e-3)
    assert stored["fit"]["spread"] == pytest.approx(SPREAD, abs=1e-3)
