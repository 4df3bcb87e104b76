"""The start of a profile from a Micro-Manager configuration; what it does not say is "unknown"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from streamer.errors import ProfileError

_MAX_BYTES = 1_000_000

#: Names of light sources tell their wavelength: `Laser 488`, `470nm`, `OBIS_640`.
_WAVELENGTH = re.compile(r"(?<!\d)(3[5-9]\d|[4-9]\d\d)(?!\d)")
_LIGHT = re.compile(
    r"laser|led\b|obis|cube|celesta|lumencor|spectra|ldi\b|coherent|toptica|vortran|omicron", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MMConfig:
    """What a Micro-Manager configuration says, as far as a profile has use for it.

    Attributes:
        devices: adapter (`library DeviceName`) of each device label.
        properties: value of each (device, property) after start-up.
        state_labels: (device, label) of the positions of wheels and switches.
        pixel_um: size of a pixel without binning, by preset.
        pixel_conditions: (device, property) and value at which a pixel-size preset holds.
    """

    devices: dict[str, str] = field(default_factory=dict)
    properties: dict[tuple[str, str], str] = field(default_factory=dict)
    state_labels: list[tuple[str, str]] = field(default_factory=list)
    pixel_um: dict[str, float] = field(default_factory=dict)
    pixel_conditions: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)


def profile_from_mm(path: Path, name: str) -> str:
    """A sound profile in TOML from a configuration file: what it says, and what is left to measure.

    Raises:
        ProfileError: the file cannot be read, or is no configuration.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ProfileError(
                f"{path}: larger than {_MAX_BYTES} bytes; a configuration is a short text file"
            )
        config = read_config(path.read_bytes())
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}; give a Micro-Manager configuration (.cfg)") from None
    if not config.devices:
        raise ProfileError(f"{path}: has no Device lines; give the .cfg file that Micro-Manager loads")
    printable = "".join(character for character in path.name if character.isprintable())
    return profile_text(config, name=name, source=f"Micro-Manager configuration {printable}")


def read_config(content: bytes) -> MMConfig:
    """Whatever of a configuration can be understood; damaged lines are passed over."""
    config = MMConfig()
    for line in content.decode("utf-8", errors="replace").splitlines():
        printable = "".join(character for character in line if character.isprintable())
        match [word.strip() for word in printable.split(",")]:
            case ["Device", label, library, name] if label:
                config.devices[label] = f"{library} {name}"
            case ["Property", device, name, value]:
                config.properties[device, name] = value
            case ["ConfigGroup", "System", "Startup", device, name, value]:
                config.properties[device, name] = value
            case ["Label", device, _, label]:
                config.state_labels.append((device, label))
            case ["PixelSize_um", preset, value] if _number(value):
                config.pixel_um[preset] = float(value)
            case ["ConfigPixelSize", preset, device, name, value]:
                config.pixel_conditions.setdefault(preset, {})[device, name] = value
    return config


def profile_text(config: MMConfig, *, name: str, source: str) -> str:
    """The text of the file, commented for whoever completes it."""
    camera = config.properties.get(("Core", "Camera"), "")
    binning = _whole(config.properties.get((camera, "Binning"), ""), 1, 16)
    exposure_ms = _number(config.properties.get((camera, "Exposure"), ""))
    bit_depth = _whole(config.properties.get((camera, "BitDepth"), ""), 8, 16)
    pixel_nm, pixel_words = _pixel_nm(config, binning)
    depth = (
        f"bit_depth = {bit_depth}" if bit_depth else "# bit_depth = 16           # bits of the camera's scale"
    )
    return f"""\
# Begun from a Micro-Manager configuration. Replace every "unknown" by what was measured on this rig;
# what stays unknown is left out of doses, and guards that need it say that they are off.

# One [[lasers]] table per line below, then delete this line; without them there is no dose.
lasers = []

[profile]
name = {_text(name)}
description = {_text(f"Camera rig with {camera or 'an unnamed camera'}.")}
source = {_text(source)}

{_laser_suggestions(config)}
[camera]
model = {_text(config.devices.get(camera, "unknown"))}
exposure_ms = {_known(exposure_ms)}    # of the runs that are planned
binning = {_known(binning)}
pixel_nm = {_known(pixel_nm)}       # {pixel_words}
shape_px = "unknown"       # [y, x] of a frame, after binning and region of interest
frame_ms = "unknown"       # time from one frame to the next
illuminated_um2 = "unknown" # area of the specimen that the light falls on

[detector]
kind = "camera"
window_nm = "unknown"      # [lower, upper] end of the emission filter
{depth}

[detector.calibration]     # from the camera's data sheet, or better from a dark and a flat series
gain_e_per_adu = "unknown" # photo-electrons per grey level
offset_adu = "unknown"     # grey level of no light
read_noise_e = "unknown"   # standard deviation of the read noise
"""


def _pixel_nm(config: MMConfig, binning: int | None) -> tuple[float | None, str]:
    """Size of a pixel of a frame, and where it is from or why it is open."""
    if not config.pixel_um:
        return None, "the configuration states no pixel size"
    held = [
        preset
        for preset in config.pixel_um
        if all(config.properties.get(of) == value for of, value in _conditions(config, preset).items())
    ]
    presets = ", ".join(f"{preset} {um * 1e3:g} nm" for preset, um in config.pixel_um.items())
    if len(held) != 1 or binning is None:
        return None, f"one of {presets}; times the binning"
    return config.pixel_um[held[0]] * 1e3 * binning, f"preset {held[0]} at start-up; of {presets}"


def _conditions(config: MMConfig, preset: str) -> dict[tuple[str, str], str]:
    return config.pixel_conditions.get(preset, {})


def _laser_suggestions(config: MMConfig) -> str:
    """Light sources that the names of devices and positions hint at, all commented out."""
    names = [(label, label) for label in config.devices if _LIGHT.search(f"{label} {config.devices[label]}")]
    sources = {label for label, _ in names}
    names += [(device, label) for device, label in config.state_labels if device in sources]
    found = dict.fromkeys((device, match) for device, text in names for match in _WAVELENGTH.findall(text))
    return "\n".join(line for device, nm in found for line in _suggestion(device, nm))


def _suggestion(device: str, wavelength_nm: str) -> Iterator[str]:
    yield f"# [[lasers]]                         # guessed from the name of {device}: check"
    yield '# role = "excitation"'
    yield f"# wavelength_nm = {wavelength_nm}"
    yield '# power_mw = "unknown"               # measure it with a power meter'
    yield '# measured_at = "unknown"            # "back focal plane", "sample" or "fibre output"'
    yield '# transmission_to_sample = "unknown" # power at the sample over that measured; 1 at the sample'
    yield ""


def _number(text: str) -> float | None:
    """A positive number of ordinary size."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 1e-6 < value < 1e9 else None


def _whole(text: str, low: int, high: int) -> int | None:
    value = _number(text.partition("x")[0])  # some cameras bin "2x2"
    return int(value) if value is not None and value.is_integer() and low <= value <= high else None


def _known(value: float | None) -> str:
    return '"unknown"' if value is None else f"{value:g}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
