"""`streamer profiles`: what the rigs do to the light."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamer.errors import ProfileError, UsageError
from streamer.profile import (
    HardwareProfile,
    LineDose,
    dose,
    dose_ratio,
    json_schema,
    list_profiles,
    load_profile,
    profile_from_mm,
    reference,
)
from streamer.resources import search_path
from streamer.shell import quoted

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
        typer.echo(f"{name:30} {path}")


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
        profile = load_profile(name)
        typer.echo(f"{profile.name}: sound")
        if profile.uncalibrated:
            typer.echo(f"{profile.name}: {profile.uncalibrated}", err=True)


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
        same = first.name == second.name  # two files of one name: say which is which
        typer.echo(f"{profile} over {other}" if same else f"{first.name} over {second.name}")
        ratios = dose_ratio(first, second)
        for line, ratio in ratios.items():
            typer.echo(f"  {line:20} {'unknown' if ratio is None else f'{ratio:.1f}'}")
        if not ratios:
            typer.echo("  no laser line in common")


@app.command()
def schema(
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a page for people instead of JSON.")
    ] = False,
) -> None:
    """The JSON schema of profiles, for editors that check while you type.

    Example: streamer profiles schema
    """
    typer.echo(reference() if as_markdown else json.dumps(json_schema(), indent=2))


@app.command()
def new(
    from_mm: Annotated[
        Path, typer.Option("--from-mm", metavar="CONFIG.cfg", help="Micro-Manager configuration of the rig.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the rig; default that of the file.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: your own folder of profiles.")
    ] = None,
) -> None:
    """Begin a profile with what a Micro-Manager configuration says; the rest is "unknown", to be measured.

    Example: streamer profiles new --from-mm MMConfig_demo.cfg --name rig2
    """
    name = name or (out.stem if out else re.sub(r"[^a-z0-9]+", "_", from_mm.stem.lower()).strip("_"))
    path = out or search_path("hardware_profiles")[0] / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9_]+", name) or (path.stem, path.suffix) != (name, ".toml"):
        raise UsageError(
            f'"{name}" in {path}: a profile is called like its file, in a-z, 0-9 and _; '
            "use --name rig2 --out rig2.toml"
        )
    hidden = list_profiles().get(name)
    _write_new(path, profile_from_mm(from_mm, name))
    load_profile(path)  # what was written is sound, or the user is told now
    if hidden and list_profiles().get(name) == path:
        typer.echo(f"from now on --profile {name} is this one, no longer {hidden}", err=True)
    typer.echo(f"{path}\nreplace what is unknown there, then: streamer profiles check {quoted(path)}")


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ProfileError(f"{path}: exists and is not overwritten; choose another --name or --out") from None
    except OSError as error:
        raise ProfileError(f"{path}: cannot be written ({error.strerror}); choose another --out") from None


def _dose_table(first: HardwareProfile, second: HardwareProfile | None) -> dict[str, object]:
    table: dict[str, object] = {
        rig.name: [asdict(line) for line in dose(rig)] for rig in (first, second) if rig
    }
    return table | ({"ratio": dose_ratio(first, second)} if second else {})


def _dose_lines(rig: HardwareProfile) -> str:
    return "\n".join([f"{rig.name}, per pixel and frame", *map(_dose_line, dose(rig))])


def _dose_line(line: LineDose) -> str:
    energy = _known(line.energy_pj, "{:,.1f} pJ", line.energy_lacks)
    sample = _known(line.sample_j_per_cm2, "{:.3g} J/cm2", line.sample_lacks)
    return f"  {line.line:20} {energy} {_place(line)}; {sample} at the sample"


def _place(line: LineDose) -> str:
    return "at an unknown place" if line.measured_at == "unknown" else f"at the {line.measured_at}"


def _known(value: float | None, form: str, lacks: tuple[str, ...]) -> str:
    return f"unknown ({', '.join(lacks)})" if value is None else form.format(value)


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
