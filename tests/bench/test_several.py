"""A model of several structures beside one of the ER, and what the page says of them."""

from __future__ import annotations

import json

import pytest

from bench.several import main
from bench.training_page import several
from streamer.simulation import STRUCTURES


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    out = tmp_path_factory.mktemp("several") / "several.json"
    main(out, frames=2, size=96, seed=6, data=None)
    found: dict[str, object] = json.loads(out.read_text())
    return found


def test_every_structure_has_a_row_with_both_models(results: dict[str, object]) -> None:
    parts = results["structures"]
    assert isinstance(parts, list)
    assert [part["structure"] for part in parts] == list(STRUCTURES)
    for part in parts:
        by_name = {row["method"]: row["metrics"]["psnr"]["value"] for row in part["rows"]}
        assert by_name["cell-denoise-live"] > by_name["raw"]
        assert by_name["er-denoise-live"] > by_name["raw"]
    assert results["learned"] == list(STRUCTURES)
    assert results["quick"]


def test_the_page_gives_the_gain_of_ours_with_its_sign(results: dict[str, object]) -> None:
    text = several(results)
    assert isinstance(results["structures"], list)
    for part in results["structures"]:
        by_name = {row["method"]: row["metrics"]["psnr"]["value"] for row in part["rows"]}
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {part['structure']} |"))
        gain = float(line.split("|")[5].split()[0])
        assert gain == pytest.approx(by_name["cell-denoise-live"] - by_name["er-denoise-live"], abs=0.02)
