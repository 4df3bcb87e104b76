"""Profiles are read strictly, and what is wrong is said with value, place and cure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamer.core import Calibration
from streamer.errors import ProfileError
from streamer.profile import HardwareProfile, list_profiles, load_profile, state_key

LOW = list_profiles()["abberior_er_low"].read_text(encoding="utf-8").replace("abberior_er_low", "rig2")
CAMERA = LOW.replace('kind = "counting"', 'kind = "camera"\nbit_depth = 16')
CALIBRATION = "\n[detector.calibration]\ngain_e_per_adu = 0.5\noffset_adu = 100\nread_noise_e = 1.6\n"


CAMERA_TABLE = """[camera]
model = "any"
exposure_ms = 50
pixel_nm = 65
shape_px = "unknown"
frame_ms = 100
"""
REGION = "window_nm = 'unknown'\nregion_px = {}"
KNOB = """
[[control.knobs]]
quantity = "{}"
minimum = {}
maximum = {}
factor = {}
"""


def channels(*each: str) -> str:
    """Detection channels named 0, 1, ..."""
    heads = (f"\n[[detector.channels]]\nname = '{number}'\n{text}\n" for number, text in enumerate(each))
    return "".join(heads) + "\n[guards.signal_map]"


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
        '[guards.actions.photons] reject = "halt"; use "ignore", "note", "pause", "adjust" or "stop"',
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
    "no lasers": ("[[lasers]]", "[[lazers]]", "[lazers] = "),
    "scan and camera": (
        "[detector]",
        f"{CAMERA_TABLE}[detector]",
        "give [scan] for a point scanner or [camera] for a camera, one of them",
    ),
    "lost at the sample": (
        'measured_at = "back focal plane"\ntransmission_to_sample = "unknown"\n\n[[lasers]]',
        'measured_at = "sample"\ntransmission_to_sample = 0.5\n\n[[lasers]]',
        '[[lasers]] no. 1 transmission_to_sample = 0.5; use 1 where measured_at = "sample"',
    ),
    "no window": ("window_nm = [650, 760]", "", 'window_nm is missing; add [lower, upper] or "unknown"'),
    "closed window of a channel": (
        "[guards.signal_map]",
        channels("window_nm = [705, 665]\nregion_px = 'unknown'"),
        "[detector] 0: window_nm = [705.0, 665.0] is empty",
    ),
    "a misspelt unknown": (
        "frame_ms = 600",
        "frame_ms = 'unknwon'",
        '[scan] frame_ms = "unknwon"; use a number or "unknown"',
    ),
    "half a region": (
        "[guards.signal_map]",
        channels("window_nm = 'unknown'\nregion_px = [0, 0, 10]"),
        "region_px[3] is missing",
    ),
    "region off the sensor": (
        "[guards.signal_map]",
        channels(REGION.format([400, 0, 300, 600])),
        "[[detector.channels]] 0: region_px = [400, 0, 300, 600] leaves the frame, shape_px = [600, 600]",
    ),
    "regions that overlap": (
        "[guards.signal_map]",
        channels(REGION.format([0, 0, 600, 301]), REGION.format([0, 300, 600, 300])),
        "the regions of 0 and 1, [0, 0, 600, 301] and [0, 300, 600, 300], overlap; move one",
    ),
    "one name for two channels": (
        "[guards.signal_map]",
        channels(REGION.format("'unknown'"), REGION.format("'unknown'")).replace("'1'", "'0'"),
        'the channel name "0" is given twice',
    ),
    "a reference that refers": (
        "[guards.signal_map]",
        channels(REGION.format("'unknown'") + "\nto_reference = [[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]"),
        "the first channel is the reference",
    ),
    "a channel of another size": (
        "[guards.signal_map]",
        channels(REGION.format("'unknown'") + "\nto_reference = [[1.0, 0.0, 0.0], [0.0, 1.5, 0.0]]"),
        "scales by 1 to 1.5; channels of one sensor differ by less, use 0.9-1.1",
    ),
    "a matrix without inverse": (
        "[guards.signal_map]",
        channels(REGION.format("'unknown'") + "\nto_reference = [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]"),
        "[[detector.channels]] no. 1 to_reference = [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]] scales by 0 to 2",
    ),
    "nothing to adjust": (
        "signal_min = 25",
        "signal_min = 25\n[guards.actions.photons]\nflag = 'adjust'",
        '[guards.actions.photons] asks to "adjust"; add [[control.knobs]] to turn',
    ),
    "limits crossed": (
        "signal_min = 25",
        KNOB.format("interval_s", 2, 1, 2),
        "[[control.knobs]] no. 1 minimum = 2 is not below maximum = 1; lower it",
    ),
    "a factor of one": (
        "signal_min = 25",
        KNOB.format("interval_s", 0.1, 9, 1),
        "factor = 1 changes nothing",
    ),
    "a knob without a device": (
        "signal_min = 25",
        KNOB.format("excitation_uw", 1, 9, 2),
        "set_by is missing; add the [device, property] of the engine that sets excitation_uw",
    ),
    "a start outside the limits": (
        "signal_min = 25",
        KNOB.format("excitation_uw", 5, 9, 2) + "\nset_by = ['Laser', 'Power']",
        "[[control.knobs]] excitation_uw: the run begins at 4.8, outside of 5-9; widen the limits",
    ),
    "two knobs for one": (
        "signal_min = 25",
        KNOB.format("interval_s", 0.1, 9, 2) + KNOB.format("interval_s", 0.1, 8, 3),
        "[control] [[control.knobs]] interval_s is given twice; keep one",
    ),
    "a careless watchdog": (
        "signal_min = 25",
        "signal_min = 25\n[watchdog]\nunwatched = 'hope'",
        '[watchdog] unwatched = "hope"; use "go on" or "make safe"',
    ),
    "half a property": (
        "signal_min = 25",
        "signal_min = 25\n[recorded]\nproperties = [['PFS']]",
        "[recorded] properties[0][1] is missing",
    ),
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
    assert rig.detector.window_nm == (650, 760)
    assert rig.detector.gate_ns == (0.75, 8.75)


#: Rahm, Table 1: excitation uW, depletion mW, its PSF, line accumulation, dwell us, pinhole AU, pixel nm.
TABLE_1 = {
    "abberior_er_ground_truth": (56.3, 166, "donut", 6, 0.5, 0.81, 20),
    "abberior_er_low": (4.8, 166, "donut", 1, 0.5, 0.81, 20),
    "abberior_er_low_zstack": (4.8, 166, "top-hat", 1, 0.5, 0.81, 20),
    "abberior_er_ground_truth_tophat": (56.3, 166, "top-hat", 6, 0.5, 0.81, 20),
    "abberior_er_low_tophat": (4.8, 166, "top-hat", 1, 0.5, 0.81, 20),
    "abberior_er_low_zstack_series": (4.8, 166, "top-hat", 1, 0.5, 0.81, 35),
}


@pytest.mark.parametrize("name", TABLE_1)
def test_every_row_of_table_1_is_bundled(name: str) -> None:
    rig = load_profile(name)
    excitation, depletion, scan = rig.laser("excitation"), rig.laser("depletion"), rig.scan
    assert excitation
    assert depletion
    assert scan
    light = (excitation.power_uw, depletion.power_mw, depletion.psf)
    taken = (scan.line_accumulation, scan.dwell_us, rig.detector.pinhole_au, scan.pixel_nm)
    assert (*light, *taken) == TABLE_1[name]


@pytest.mark.parametrize(
    ("name", "wavelength_nm", "camera", "windows"),
    [
        pytest.param(
            "zhanghao_m1",
            488,
            "Photometrics Prime 95B",
            {"green": (500, 550), "yellow": (580.5, 653.5), "red": (665, 705)},
            id="M1",
        ),
        pytest.param(
            "zhanghao_m2",
            470,
            "Photometrics Prime BSI",
            {"blue": (460, 500), "green": (500, 550), "yellow": (580.5, 653.5), "red": (665, 705)},
            id="M2",
        ),
    ],
)
def test_the_spinning_disks_state_what_their_source_states(
    name: str, wavelength_nm: float, camera: str, windows: dict[str, tuple[float, float]]
) -> None:
    rig = load_profile(name)
    assert [(laser.wavelength_nm, laser.microwatts) for laser in rig.lasers] == [(wavelength_nm, None)]
    assert rig.camera
    assert rig.camera.model == camera
    stated = {each.name: each.window_nm for each in rig.detector.filters}
    stated |= {each.name: each.window_nm for each in rig.detector.channels}
    assert stated == windows
    assert (rig.pixel_nm, rig.shape_px, rig.frame_ms, rig.camera.exposure_ms) == (None,) * 4
    assert rig.calibration() is None


def test_a_splitter_of_unknown_regions_is_sound_but_does_not_split() -> None:
    assert len(load_profile("zhanghao_m2").detector.channels) == 4
    assert not load_profile("zhanghao_m2").detector.splits
    assert load_profile("simulated_splitter").detector.splits


def test_what_is_read_for_each_frame() -> None:
    rig = load_profile("simulated_sted")
    stated = rig.to_dict() | {"recorded": {"properties": [["PFS", "State"], ["Excitation", "Power_uW"]]}}
    read = HardwareProfile.model_validate(stated).properties
    assert read == (("PFS", "State"), ("Excitation", "Power_uW"), ("Depletion", "Power_mW"))
    assert state_key(read[1]) == "Excitation-Power_uW"


@pytest.mark.parametrize("quantity", ["excitation_uw", "interval_s"])
def test_the_simulated_rig_begins_inside_its_limits(quantity: str) -> None:
    rig = load_profile("simulated_sted")
    (knob,) = (knob for knob in rig.control.knobs if knob.quantity == quantity)
    begins = rig.planned(quantity)
    assert begins is not None
    assert knob.minimum <= begins < knob.maximum
    assert rig.guards.actions.asking_for("adjust") == ()  # off unless a user turns it on


def test_a_row_that_states_one_reaction_keeps_the_other() -> None:
    stated = load_profile("simulated_sted").to_dict()
    stated["guards"]["actions"] = {"photons": {"flag": "pause"}}
    actions = HardwareProfile.model_validate(stated).guards.actions
    assert (actions.photons.flag, actions.photons.reject) == ("pause", "stop")


def test_what_nobody_measured_stays_unknown() -> None:
    rig = load_profile("abberior_er_ground_truth")
    assert rig.frame_ms is None
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


def test_a_frame_must_hold_its_exposure(tmp_path: Path) -> None:
    text = LOW.replace(LOW[LOW.index("[scan]") : LOW.index("[detector]")], CAMERA_TABLE)
    assert load_profile(write(tmp_path, text)).frame_ms == 100
    with pytest.raises(ProfileError, match=r"\[camera\] frame_ms = 40 is shorter than exposure_ms = 50"):
        load_profile(write(tmp_path, text.replace("frame_ms = 100", "frame_ms = 40")))


def test_every_problem_gets_its_line(tmp_path: Path) -> None:
    text = LOW.replace("dwell_us = 0.5", "dwell_us = 0").replace("power_uw = 4.8", "")
    with pytest.raises(ProfileError) as refused:
        load_profile(write(tmp_path, text))
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        pytest.param("aberior_er_low", "did you mean abberior_er_low?", id="misspelt"),
        pytest.param("zzz", "known: abberior_er_ground_truth, abberior_er_g", id="unknown"),
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
