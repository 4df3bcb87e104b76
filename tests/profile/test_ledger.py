"""The ledger adds up what the engine really did, and says what it does not know."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core import Frame
from streamer.profile import HardwareProfile, Ledger, dose, load_profile

EXCITATION, DEPLETION = "excitation 640 nm uJ/px", "depletion 775 nm uJ/px"
#: Of one frame as planned, in uJ per pixel: 4.8 uW and 166 mW for 0.5 us.
PLANNED = {EXCITATION: 4.8 * 0.5e-6, DEPLETION: 166e3 * 0.5e-6}


def frame(*, exposure_ms: float | None = None, channel: str = "", **state: str | float) -> Frame:
    """A frame; `Excitation_Power_uW=3` stands for the property `Excitation-Power_uW`."""
    return Frame(
        pixels=np.zeros((2, 2), np.uint16),
        seq=0,
        axes={"channel": channel} if channel else {},
        exposure_ms=exposure_ms,
        state={name.replace("_", "-", 1): value for name, value in state.items()},
    )


def rig(**changes: object) -> HardwareProfile:
    """The simulated rig with some of its tables changed."""
    return HardwareProfile.model_validate(load_profile("simulated_sted").to_dict() | changes)


def lasers(**changes: object) -> list[dict[str, object]]:
    """Its lasers, the excitation changed; a key that is None is left out."""
    first, second = (laser.model_dump(mode="json") for laser in load_profile("simulated_sted").lasers)
    changed = first | changes
    return [{key: value for key, value in changed.items() if value is not None}, second]


def test_what_nobody_states_is_as_planned() -> None:
    ledger = Ledger(rig())
    for _ in range(3):
        light, so_far = ledger.step(frame())
    assert light == pytest.approx(PLANNED)
    assert so_far == pytest.approx({line: 3 * energy for line, energy in PLANNED.items()})
    assert ledger.assumed == {"excitation 640 nm": 3, "depletion 775 nm": 3}


@pytest.mark.parametrize("power", [pytest.param(9.6, id="number"), pytest.param("9.6000", id="text")])
def test_the_power_that_is_really_set_counts(power: str | float) -> None:
    light, _ = (ledger := Ledger(rig())).step(frame(Excitation_Power_uW=power, Depletion_Power_mW=0))
    assert light == pytest.approx({EXCITATION: 2 * PLANNED[EXCITATION], DEPLETION: 0})
    assert ledger.assumed == {}


@pytest.mark.parametrize("nonsense", ["Off", "", "nan", "inf", -3.0])
def test_a_power_that_is_no_power_is_not_believed(nonsense: str | float) -> None:
    light, _ = (ledger := Ledger(rig())).step(frame(Excitation_Power_uW=nonsense))
    assert light[EXCITATION] == pytest.approx(PLANNED[EXCITATION])
    assert ledger.assumed["excitation 640 nm"] == 1


def test_the_knob_tells_the_power_where_the_laser_does_not() -> None:
    light, _ = Ledger(rig(lasers=lasers(stated_by=None))).step(frame(Excitation_Power_uW=2.4))
    assert light[EXCITATION] == pytest.approx(PLANNED[EXCITATION] / 2)


def test_the_dwell_that_is_really_set_counts() -> None:
    knob = {"quantity": "dwell_us", "set_by": ["Scanner", "Dwell"], "minimum": 0.1, "maximum": 9, "factor": 2}
    light, _ = Ledger(rig(control={"knobs": [knob]})).step(frame(Scanner_Dwell="1.0"))
    assert light == pytest.approx({line: 2 * energy for line, energy in PLANNED.items()})


def camera(**changes: object) -> HardwareProfile:
    """A spinning disk of which everything is known: 2 mW on 1e4 um2 for 50 ms make 1 J/cm2."""
    stated = load_profile("zhanghao_m1").to_dict()
    known = {"model": "any", "exposure_ms": 50, "pixel_nm": 65, "illuminated_um2": 1e4}
    laser = {"role": "excitation", "wavelength_nm": 488, "power_mw": 2, "measured_at": "sample"}
    stated["camera"] = known | {"shape_px": "unknown", "frame_ms": "unknown"}
    stated["lasers"] = [laser | {"transmission_to_sample": 1} | changes]
    return HardwareProfile.model_validate(stated)


@pytest.mark.parametrize(
    ("exposure_ms", "expected"),
    [pytest.param(None, 1.0, id="as planned"), pytest.param(25.0, 0.5, id="as the frame says")],
)
def test_the_exposure_that_was_really_taken_counts(exposure_ms: float | None, expected: float) -> None:
    light, _ = Ledger(camera()).step(frame(exposure_ms=exposure_ms))
    assert light["excitation 488 nm J/cm2"] == pytest.approx(expected)


def test_a_line_is_dark_in_channels_that_are_not_its_own() -> None:
    ledger = Ledger(camera(channels=["GFP"]))
    light = [ledger.step(frame(channel=name))[0]["excitation 488 nm J/cm2"] for name in ("GFP", "RFP", "")]
    assert light == pytest.approx([1, 0, 1])


def test_an_unknown_power_is_named_and_never_a_number() -> None:
    ledger = Ledger(rig(lasers=lasers(power_uw="unknown")))
    assert f"{EXCITATION}: power unknown" in ledger.unknown
    light, so_far = ledger.step(frame())
    assert EXCITATION not in light
    assert so_far == pytest.approx({DEPLETION: PLANNED[DEPLETION]})
    assert f"{EXCITATION}: power unknown" in ledger.unknown


def test_a_power_that_only_the_engine_knows_is_known() -> None:
    ledger = Ledger(rig(lasers=lasers(power_uw="unknown")))
    assert EXCITATION in ledger.step(frame(Excitation_Power_uW=4.8))[1]
    assert not any(EXCITATION in words for words in ledger.unknown)


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    ledger = Ledger(rig(lasers=lasers(power_uw="unknown")))
    stated = frame(Excitation_Power_uW=4.8)
    has_sum = [EXCITATION in ledger.step(each)[1] for each in (stated, frame(), stated)]
    assert has_sum == [True, False, False]


def test_a_run_that_goes_on_adds_to_what_it_had() -> None:
    first = Ledger(rig())
    _, so_far = first.step(frame())
    _, total = Ledger(rig(), so_far).step(frame())
    assert total == pytest.approx({line: 2 * energy for line, energy in PLANNED.items()})


def test_what_was_unknown_before_a_crash_stays_unknown() -> None:
    ledger = Ledger(rig(), {DEPLETION: 1.0})
    assert set(ledger.step(frame())[1]) == {DEPLETION}
    assert f"{EXCITATION}: unknown earlier in the run" in ledger.unknown


@pytest.mark.parametrize("name", ["abberior_er_ground_truth", "abberior_er_low", "democamera"])
def test_ledger_and_plan_agree(name: str) -> None:
    profile = load_profile(name)
    planned = {f"{line.line} uJ/px": line.energy_pj * 1e-6 for line in dose(profile) if line.energy_pj}
    assert Ledger(profile).step(frame())[0] == pytest.approx(planned)
