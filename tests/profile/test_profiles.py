"""Profiles are read strictly, and what is wrong is said with value, place and cure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamer.core import Calibration
from streamer.errors import ProfileError
from streamer.profile import HardwareProfile, list_profiles, load_profile

LOW = list_profiles()["abberior_er_low"].read_text(encoding="utf-8").replace("abberior_er_low", "rig2")
CAMERA = LOW.replace('kind = "counting"', 'kind = "camera"\nbit_depth = 16')
CALIBRATION = "\n[detector.calibration]\ngain_e_per_adu = 0.5\noffset_adu = 100\nread_noise_e = 1.6\n"


#: What was wrong: the line as bundled, the line as written, the complaint.
PROBLEMS = {
    "below range": ("dwell_us = 0.5", "dwell_us = -1", "[scan] dwell_us = -1; use a value above 0"),
    "text for a number": ("dwell_us = 0.5", 'dwell_us = "0.5"', '[scan] dwell_us = "0.5"; use a number'),
    "not finite": ("dwell_us = 0.5", "dwell_us = nan", "[scan] dwell_us = NaN; use a finite number"),
    "missing": ("dwell_us = 0.5", "", "[scan] dwell_us is missing; add a value above 0"),
    "other unit": (
        "pixel_nm = 20",
        "pixel_um = 0.02",
        "[scan] pixel_um = 0.02; unknown key, did you mean pixel_nm?",
    ),
    "unit of a laser": (
        "power_uw = 4.8",
        "power_w = 4.8e-6",
        "[[lasers]] no. 1 power_w = 4.8e-06; unknown key, did you mean power_uw or power_mw?",
    ),
    "two powers": (
        "power_uw = 4.8",
        "power_uw = 4.8\npower_mw = 0.0048",
        '[[lasers]] no. 1 give the power once, as power_uw or power_mw (a number or "unknown")',
    ),
    "unknown word": (
        'psf = "donut"',
        'psf = "doughnut"',
        '[[lasers]] no. 2 psf = "doughnut"; use "donut" or "top-hat"',
    ),
    "no shape": (
        'psf = "donut"',
        "",
        '[[lasers]] no. 2 psf ("donut" or "top-hat") belongs to a depletion laser, and only there',
    ),
    "key given twice": ("wavelength_nm = 775", 'wavelength_nm = 640\nrole = "excitation"', "not TOML: "),
    "fraction of a line": (
        "line_accumulation = 1",
        "line_accumulation = 1.5",
        "[scan] line_accumulation = 1.5; use a whole number",
    ),
    "half a shape": (
        "shape_px = [600, 600]",
        "shape_px = [600]",
        "[scan] shape_px[1] is missing; add a value above 0",
    ),
    "empty shape": (
        "shape_px = [600, 600]",
        "shape_px = [600, 0]",
        "[scan] shape_px[1] = 0; use a value above 0",
    ),
    "closed window": (
        "gate_ns = [0.75, 8.75]",
        "gate_ns = [8.75, 0.75]",
        "[detector] gate_ns = [8.75, 0.75] is empty; give its lower end, then its upper end",
    ),
    "bit depth": (
        'kind = "counting"',
        'kind = "camera"\nbit_depth = 17',
        "[detector] bit_depth = 17; use 8-16",
    ),
    "thresholds crossed": (
        "signal_min = 25",
        "signal_min = 4",
        "[guards.signal_map] background_max = 5 is not below signal_min = 4; lower it",
    ),
    "another box": (
        "box_px = 10",
        "box_px = 20",
        "[guards.signal_map] box_px = 20; use 10",
    ),
    "a rate of one": (
        "signal_min = 25",
        "signal_min = 25\nfalse_pass_rate = 1",
        "[guards.signal_map] false_pass_rate = 1; use a value above 0 and up to 0.5",
    ),
    "out of reach": (
        "[guards.signal_map]",
        "[policy]\nsustained_frames = 5\n[guards.signal_map]",
        "[policy] sustained_frames = 5 is above window_frames = 4; lower it",
    ),
    "unknown guard": (
        "signal_min = 25",
        "signal_min = 25\n[guards.actions.signal_mop]\nflag = 'note'",
        "did you mean signal_map?",
    ),
    "unknown action": (
        "signal_min = 25",
        "signal_min = 25\n[guards.actions.photons]\nreject = 'halt'",
        '[guards.actions.photons] reject = "halt"; use "ignore", "note" or "stop"',
    ),
    "frame shorter than its dwell": (
        "frame_ms = 600",
        "frame_ms = 1",
        "[scan] frame_ms = 1 is shorter than the dwell of all pixels, 180 ms; give the time of a whole frame",
    ),
    "impossible power": ("power_uw = 4.8", "power_uw = 4.8e9", "beyond any laser; check the unit"),
    "name of another file": ('name = "rig2"', 'name = "rig3"', 'name = "rig3"; use "rig2"'),
    "misspelt table": ("[scan]", "[scam]", "[scam] = "),
    "not TOML": ("[scan]", "[scan", "not TOML: "),
}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hardware_profiles" / "rig2.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_table_1_stands_in_the_bundled_profile() -> None:
    rig = load_profile("abberior_er_ground_truth")
    excitation, depletion = rig.laser("excitation"), rig.laser("depletion")
    assert excitation is not None
    assert depletion is not None
    assert (excitation.wavelength_nm, excitation.power_uw, excitation.measured_at) == (
        640,
        56.3,
        "back focal plane",
    )
    assert (depletion.wavelength_nm, depletion.power_mw, depletion.psf) == (775, 166, "donut")
    assert (rig.scan.dwell_us, rig.scan.line_accumulation, rig.scan.pixel_nm) == (0.5, 6, 20)
    assert rig.detector.window_nm == (650, 760)
    assert rig.detector.gate_ns == (0.75, 8.75)
    assert rig.detector.pinhole_au == 0.81


def test_what_nobody_measured_stays_unknown() -> None:
    rig = load_profile("abberior_er_ground_truth")
    assert rig.scan.frame_ms is None
    assert [laser.transmission_to_sample for laser in rig.lasers] == [None, None]
    assert rig.to_dict()["scan"] == {
        "dwell_us": 0.5,
        "line_accumulation": 6,
        "pixel_nm": 20,
        "shape_px": [600, 600],
        "frame_ms": "unknown",
    }


@pytest.mark.parametrize("name", list_profiles())
def test_a_stored_profile_reads_back_as_it_was(name: str) -> None:
    rig = load_profile(name)
    assert HardwareProfile.model_validate(rig.to_dict()) == rig


def test_a_counting_detector_needs_no_calibration() -> None:
    assert load_profile("abberior_er_low").calibration() == Calibration()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(CAMERA, None, id="absent"),
        pytest.param(CAMERA + CALIBRATION.replace("0.5", '"unknown"'), None, id="gain unknown"),
        pytest.param(
            CAMERA + CALIBRATION,
            Calibration(gain_e_per_adu=0.5, offset_adu=100, read_noise_e=1.6),
            id="measured",
        ),
    ],
)
def test_a_camera_has_photons_only_with_a_calibration(
    tmp_path: Path, text: str, expected: Calibration | None
) -> None:
    assert load_profile(write(tmp_path, text)).calibration() == expected


@pytest.mark.parametrize(("old", "new", "complaint"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_wrong_profile_says_where_and_how_to_mend_it(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert old in LOW
    with pytest.raises(ProfileError) as refused:
        load_profile(write(tmp_path, LOW.replace(old, new)))
    message = str(refused.value)
    assert "hardware_profiles/rig2.toml: " in message
    assert complaint in message
    assert len(message.splitlines()) == 1, message


def test_every_problem_gets_its_line(tmp_path: Path) -> None:
    text = LOW.replace("dwell_us = 0.5", "dwell_us = 0").replace("power_uw = 4.8", "")
    with pytest.raises(ProfileError) as refused:
        load_profile(write(tmp_path, text))
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        pytest.param("aberior_er_low", "did you mean abberior_er_low?", id="misspelt"),
        pytest.param("zzz", "known: abberior_er_ground_truth, abberior_er_low", id="unknown"),
        pytest.param("nowhere/rig.toml", "no such file", id="missing file"),
    ],
)
def test_an_unknown_profile_names_the_known_ones(name: str, complaint: str) -> None:
    with pytest.raises(ProfileError, match=r"profiles list|known:") as refused:
        load_profile(name)
    assert complaint in str(refused.value)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="larger than"):
        load_profile(write(tmp_path, LOW + "#" * 1_000_000))


def test_profiles_stay_light() -> None:
    code = (
        "import sys, streamer.profile; print({'torch','numba','zarr','scipy','skimage'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
