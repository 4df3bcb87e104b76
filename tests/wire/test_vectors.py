"""The test vectors of docs/wire.md: what another implementation sends is understood, and ours is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.core import Frame
from streamer.wire import decode, encode

VECTORS = json.loads((Path(__file__).parent / "vectors" / "version-3.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_is_understood_and_is_what_we_send(vector: dict[str, Any]) -> None:
    parts = [bytes.fromhex(part) for part in vector["parts_hex"]]
    message = decode(parts)
    for name, value in vector["fields"].items():
        if name != "pixels":
            assert getattr(message, name) == value
    if isinstance(message, Frame):
        np.testing.assert_array_equal(message.pixels, np.array(vector["fields"]["pixels"]))
    ours = [bytes(part) for part in encode(message)]
    assert [ours[0], json.loads(ours[1]), *ours[2:]] == [parts[0], json.loads(parts[1]), *parts[2:]]
