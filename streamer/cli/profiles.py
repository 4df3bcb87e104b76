"""`streamer profiles`: what the rigs do to the light."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from streamer.profile import HardwareProfile, LineDose, dose, dose_ratio, list_profiles, load_profile

app = typer.Typer(no_args_is_help=True, help="Hardware profiles: one TOML file per rig.")

_Name = Annotated[
    str, typer.Argument(metavar="PROFILE", help="A profile's name, or the path of its TOML file.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """The profiles that can be named, your own first.

    Example: streamer profiles list
    """
    paths = list_profiles()
    if as_json:
        typer.echo(json.dumps({name: str(path) for name, path in paths.items()}, indent=2))
        return
    for name, path in paths.items():
        typer.echo(f"{name:28} {path}")


@app.command()
def show(profile: _Name, as_json: _Json = False) -> None:
    """Everything a profile says, with the defaults that it leaves unsaid.

    Example: streamer profiles show abberior_er_low
    """
    stated = load_profile(profile).to_dict()
    if as_json:
        typer.echo(json.dumps(stated, indent=2))
        return
    for line in _as_toml(stated):
        typer.echo(line)


@app.command()
def check(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help="Names or paths.")],
) -> None:
    """Read profiles and say what is wrong with them, each with the cure.

    Example: streamer profiles check hardware_profiles/rig2.toml
    """
    for name in profiles:
        typer.echo(f"{load_profile(name).name}: sound")


@app.command("dose")
def dose_(
    profile: _Name,
    other: Annotated[str | None, typer.Argument(metavar="[OTHER]", help="Compare with this profile.")] = None,
    as_json: _Json = False,
) -> None:
    """Light per pixel and frame of every laser line, and how many times more than another profile's.

    Examples:
      streamer profiles dose abberior_er_low
      streamer profiles dose abberior_er_ground_truth abberior_er_low
    """
    first = load_profile(profile)
    second = load_profile(other) if other else None
    if as_json:
        typer.echo(json.dumps(_dose_table(first, second), indent=2))
        return
    typer.echo(_dose_lines(first))
    if second:
        typer.echo(_dose_lines(second))
        typer.echo(f"{first.name} over {second.name}")
        for line, ratio in dose_ratio(first, second).items():
            typer.echo(f"  {line:20} {'unknown' if ratio is None else f'{ratio:.1f}'}")


def _dose_table(first: HardwareProfile, second: HardwareProfile | None) -> dict[str, object]:
    table: dict[str, object] = {
        rig.name: [asdict(line) for line in dose(rig)] for rig in (first, second) if rig
    }
    return table | ({"ratio": dose_ratio(first, second)} if second else {})


def _dose_lines(rig: HardwareProfile) -> str:
    return "\n".join([f"{rig.name}, per pixel and frame", *map(_dose_line, dose(rig))])


def _dose_line(line: LineDose) -> str:
    energy = "unknown" if line.energy_pj is None else f"{line.energy_pj:,.1f} pJ"
    sample = "unknown" if line.sample_j_per_cm2 is None else f"{line.sample_j_per_cm2:.3g} J/cm2"
    return f"  {line.line:20} {energy} at the {line.measured_at}; {sample} at the sample"


def _as_toml(table: dict[str, object], name: str = "") -> list[str]:
    """The plain subset of TOML that profiles use: values first, then tables and arrays of tables."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not _is_table(value)]
    if name and lines:
        lines = [f"[{name}]", *lines, ""]
    for key, value in table.items():
        inner = f"{name}.{key}" if name else key
        if isinstance(value, dict):
            lines += _as_toml(value, inner)
        elif _is_table(value) and isinstance(value, list):
            for entry in value:
                lines += _as_toml(entry, f"[{inner}]")
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
