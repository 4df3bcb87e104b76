"""A snapshot as the processor publishes it."""

from __future__ import annotations

import json
from typing import Any


def fields(**changes: Any) -> dict[str, Any]:
    """The fields of a healthy run at its 31st frame, with changes."""
    verdicts = [
        ("signal_map", "pass", 5.1, 1.07, "12% of the field holds signal, 36% is uncertain"),
        ("similarity", "pass", 0.93, 0.8, "similarity 0.930, at the start 0.940 ± 0.003"),
        ("photons", "pass", 21.5, 8.0, "21.5 photons per foreground box against a floor of 8"),
        ("range", "flag", 310.0, 80.0, "median box sum 310 photons; the model was trained on 2-80"),
    ]
    names = ("guard", "status", "measured", "limit", "meaning")
    return {
        "run": "demo-0001",
        "state": "running",
        "seq": 30,
        "planned": 260,
        "received": 31,
        "recorded": 31,
        "processed": 31,
        "dropped": 0,
        "waiting": 0,
        "lag_ms": 345.6,
        "fps": 1.66,
        "timings_ms": {"denoise": 310.0, "segment": 41.0, "guards": 7.2},
        "dose": {"640 nm uJ/px": 0.031, "775 nm uJ/px": 1.2},
        "verdicts": [
            {**dict(zip(names, row, strict=True)), "values": {"evidence": 0.0}, "view": ""}
            for row in verdicts
        ],
        "decision": {"action": "continue", "reason": ""},
        "elapsed_s": 18.6,
        **changes,
    }


def message(**changes: Any) -> bytes:
    """The same as bytes on the wire."""
    return json.dumps(fields(**changes)).encode()


STOPPED = {
    "state": "stopped",
    "decision": {"action": "stop", "reason": "stopped: signal is gone: 6.1 photons per box"},
}
