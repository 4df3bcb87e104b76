"""Every drawn pixel is as good as its box."""

from __future__ import annotations

import numpy as np
import pytest
from specimens import as_result

from streamer.guards import trust


@pytest.mark.parametrize(
    ("photons_per_box", "drawn", "expected"),
    [(100, 1, 2), (100, 2, 2), (20, 1, 1), (0, 2, 3), (100, 0, 0), (0, 0, 0)],
    ids=["tubule on signal", "sheet on signal", "uncertain", "invented", "signal not drawn", "nothing"],
)
def test_trust_of_a_pixel(photons_per_box: int, drawn: int, expected: int) -> None:
    counts = np.zeros((40, 40), np.uint16)
    counts[20, 20] = photons_per_box
    result = as_result(0, counts, np.full((40, 40), drawn, np.uint8))
    image = trust(result, background_max=5, signal_min=25)
    assert image.dtype == np.uint8
    assert image[20, 20] == expected
