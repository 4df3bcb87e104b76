"""A profile begun from a Micro-Manager configuration says what that says, and no more."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest

from streamer.errors import ProfileError
from streamer.profile import load_profile, profile_from_mm

CONFIG = """\
Device,Cam,PVCAM,Camera-1
Device,OBIS 488,CoherentOBIS,OBIS
Device,Wheel,ASI,FilterWheel
Property,Core,Camera,Cam
ConfigGroup,System,Startup,Cam,Binning,2
ConfigGroup,System,Startup,Cam,Exposure,25.0
Label,Wheel,0,Quad 405/488/561/640
ConfigPixelSize,Res60x,Objective,Label,60x
PixelSize_um,Res60x,0.11
ConfigPixelSize,Res100x,Objective,Label,100x
PixelSize_um,Res100x,0.065
"""
AT_60X = "ConfigGroup,System,Startup,Objective,Label,60x\n"


def begun(tmp_path: Path, content: str | bytes) -> str:
    """The text of a sound profile, made from a configuration of that content."""
    config = tmp_path / "rig.cfg"
    config.write_bytes(content.encode() if isinstance(content, str) else content)
    text = profile_from_mm(config, "rig2")
    path = tmp_path / "rig2.toml"
    path.write_text(text, encoding="utf-8")
    load_profile(path)
    return text


def test_the_demo_configuration_gives_its_camera(tmp_path: Path) -> None:
    adapters = pytest.importorskip("mm_test_adapters").device_adapter_path()
    text = begun(tmp_path, (Path(adapters) / "MMConfig_demo.cfg").read_bytes())
    stated = tomllib.loads(text)
    assert stated["camera"]["model"] == "DemoCamera DCam"
    assert (stated["camera"]["binning"], stated["camera"]["pixel_nm"]) == (1, 1000)
    assert stated["detector"]["bit_depth"] == 16
    assert stated["lasers"] == []
    assert [f"# wavelength_nm = {nm}" in text for nm in (385, 470, 550, 635)] == [True] * 4
    unknown = {key for key, value in stated["camera"].items() if value == "unknown"}
    assert unknown == {"exposure_ms", "shape_px", "frame_ms", "illuminated_um2"}


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        pytest.param(CONFIG + AT_60X, "pixel_nm", 220, id="pixel of the preset at start-up, binned"),
        pytest.param(CONFIG, "pixel_nm", "unknown", id="no preset holds"),
        pytest.param(CONFIG + AT_60X, "binning", 2, id="binning"),
        pytest.param(CONFIG.replace("Binning,2", "Binning,2x2"), "binning", 2, id="binning in words"),
        pytest.param(CONFIG.replace("Binning,2", "Binning,all"), "binning", "unknown", id="no binning"),
        pytest.param(CONFIG, "exposure_ms", 25, id="exposure"),
        pytest.param(CONFIG.replace("25.0", "-1"), "exposure_ms", "unknown", id="impossible exposure"),
        pytest.param(CONFIG.replace("25.0", "nan"), "exposure_ms", "unknown", id="no number"),
        pytest.param(CONFIG, "model", "PVCAM Camera-1", id="camera"),
        pytest.param(CONFIG.replace("Core,Camera", "Core,Shutter"), "model", "unknown", id="no camera"),
    ],
)
def test_what_is_read(tmp_path: Path, content: str, key: str, expected: object) -> None:
    assert tomllib.loads(begun(tmp_path, content))["camera"][key] == expected


def test_light_sources_are_suggested_and_never_stated(tmp_path: Path) -> None:
    text = begun(tmp_path, CONFIG)
    assert "# wavelength_nm = 488" in text
    assert "561" not in text  # a filter wheel is no light source
    assert tomllib.loads(text)["lasers"] == []


def test_a_damaged_configuration_gives_a_sound_profile_or_a_reason(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    draw = random.Random(seed)
    print("seed", seed)
    reasons = set()
    for _ in range(200):
        content = bytearray((CONFIG + AT_60X).encode())
        for _ in range(draw.randrange(1, 30)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        del content[draw.randrange(len(content)) :]
        try:
            begun(tmp_path, bytes(content))
        except ProfileError as error:
            reasons.add(str(error).partition("rig.cfg: ")[2])
    assert reasons <= {"has no Device lines; give the .cfg file that Micro-Manager loads"}


@pytest.mark.parametrize("label", ['a"b', "a\\b", "{name}", "\x00\x07Ω", "a]\u2028b", "'''", '"""'])
def test_strange_labels_do_no_harm(tmp_path: Path, label: str) -> None:
    text = begun(tmp_path, CONFIG.replace("Cam,", f"{label},").replace("Camera,Cam", f"Camera,{label}"))
    assert tomllib.loads(text)["profile"]["name"] == "rig2"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "has no Device lines; give the .cfg file", id="empty"),
        pytest.param(b"\x89PNG\r\n" * 100, "has no Device lines", id="a picture"),
        pytest.param(b"#" * 1_000_001, "larger than 1000000 bytes", id="huge"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint):
        begun(tmp_path, content)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"nowhere.cfg: No such file"):
        profile_from_mm(tmp_path / "nowhere.cfg", "rig2")
