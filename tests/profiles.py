"""Profiles for tests: the low-dose row, with tables of the test's own."""

from __future__ import annotations

from pathlib import Path

from streamer.resources import entries

KNOBS = """
[control]
pause_s = 0

[[control.knobs]]
quantity = "excitation_uw"
set_by = ["Excitation", "Power_uW"]
minimum = 1.0
maximum = 10.0
factor = 0.5

[[control.knobs]]
quantity = "exposure_ms"
minimum = 1.0
maximum = 50.0
factor = 0.5

[[control.knobs]]
quantity = "interval_s"
minimum = 0.01
maximum = 10.0
factor = 2.0
"""


def written_profile(folder: Path, more: str = "") -> str:
    """Path of a profile `rig` with `more` tables at its end."""
    bundled = next(path for path in entries("hardware_profiles") if path.stem == "abberior_er_low")
    text = bundled.read_text().replace('name = "abberior_er_low"', 'name = "rig"')
    path = folder / "rig.toml"
    path.write_text(text + more)
    return str(path)
