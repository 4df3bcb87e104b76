"""Options of `streamer train`, so that its help comes in groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_DATA, _HOW, _NETWORK, _RUN = "What to learn from", "How to learn", "What to make", "This run"

Simulate = Annotated[
    str | None,
    typer.Option(help="Structures, with commas: er, microtubules, ...; default er.", rich_help_panel=_DATA),
]
Pairs = Annotated[
    Path | None,
    typer.Option(help="Folder with low/ and high/, or of such folders, one a day.", rich_help_panel=_DATA),
]
Low = Annotated[
    Path | None, typer.Option(help="Low-dose folder or stack, with --high.", rich_help_panel=_DATA)
]
High = Annotated[Path | None, typer.Option(help="High-dose folder or stack.", rich_help_panel=_DATA)]
Noisy = Annotated[
    list[Path] | None,
    typer.Option(help="Noisy images alone; can be given again.", metavar="<path>", rich_help_panel=_DATA),
]
Method = Annotated[
    Literal["thinned", "noise2void"] | None,
    typer.Option(help="With --noisy: split photons, or blind spots; default thinned.", rich_help_panel=_DATA),
]
Profile = Annotated[
    str | None,
    typer.Option(help="Hardware profile that makes photons of grey levels.", rich_help_panel=_DATA),
]
Offset = Annotated[float | None, typer.Option(help="Grey level of no light.", rich_help_panel=_DATA)]
Gain = Annotated[float | None, typer.Option(min=1e-6, help="Photons per grey level.", rich_help_panel=_DATA)]
MaxShift = Annotated[
    float | None,
    typer.Option(min=0, max=16, help="Largest shift in a pair; default 10.", rich_help_panel=_DATA),
]
Loss = Annotated[
    Literal["rms-edge", "mae", "mse", "poisson"], typer.Option(help="Cost of errors.", rich_help_panel=_HOW)
]
Initialiser = Annotated[
    Literal["torch", "glorot-uniform", "lecun-uniform", "orthogonal"],
    typer.Option(help="Of the kernels.", rich_help_panel=_HOW),
]
Clip = Annotated[
    float | None, typer.Option(min=1e-6, help="Largest gradient; default 0.5.", rich_help_panel=_HOW)
]
ClipBy = Annotated[
    Literal["norm", "value"],
    typer.Option(help="Of the gradient: its norm, or each value.", rich_help_panel=_HOW),
]
L2 = Annotated[float, typer.Option(min=0, max=1, help="Weight of squared kernels.", rich_help_panel=_HOW)]
Rate = Annotated[
    float | None,
    typer.Option(min=1e-6, max=0.1, help="Its peak; default 7e-4; with --start 1e-4.", rich_help_panel=_HOW),
]
Batch = Annotated[int | None, typer.Option(min=1, help="Patches in one update.", rich_help_panel=_HOW)]
Patch = Annotated[int | None, typer.Option(min=32, help="Height and width of a patch.", rich_help_panel=_HOW)]
Fields = Annotated[int | None, typer.Option(min=1, help="Simulated fields.", rich_help_panel=_HOW)]
FieldPx = Annotated[
    int | None, typer.Option(min=64, help="Height and width of a field.", rich_help_panel=_HOW)
]
Search = Annotated[
    int, typer.Option(min=0, max=1000, help="Short runs that look for options first.", rich_help_panel=_HOW)
]
SearchSteps = Annotated[int, typer.Option(min=1, help="Updates of each of those.", rich_help_panel=_HOW)]
Kind = Annotated[
    Literal["denoiser", "segmenter"], typer.Option(help="What to train.", rich_help_panel=_NETWORK)
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the package; default ./er-denoiser etc.", rich_help_panel=_NETWORK),
]
Architecture = Annotated[
    Literal["live", "live-small", "care-unet", "unet-rcan", "unet-rcan-7"],
    typer.Option(help="Of the denoiser.", rich_help_panel=_NETWORK),
]
Frames = Annotated[
    int, typer.Option(min=1, max=9, help="Frames shown at once, causal.", rich_help_panel=_NETWORK)
]
Context = Annotated[
    Literal["time", "z", "channels"],
    typer.Option(
        help="The other frames: those before, slices, or detection channels.", rich_help_panel=_NETWORK
    ),
]
Uncertainty = Annotated[
    bool | None,
    typer.Option(
        "--uncertainty/--no-uncertainty",
        help="A standard deviation for each pixel; default where the truth is known.",
        rich_help_panel=_NETWORK,
    ),
]
Start = Annotated[
    str | None, typer.Option(help="Go on from a package: id or folder.", rich_help_panel=_NETWORK)
]
Denoiser = Annotated[
    str | None,
    typer.Option(help="Id or folder of the denoiser a segmenter reads.", rich_help_panel=_NETWORK),
]
Segmenter = Annotated[
    str | None, typer.Option(help="Id of the segmenter a denoiser goes with.", rich_help_panel=_NETWORK)
]
Seed = Annotated[int, typer.Option(min=0, help="Of weights, specimens and noise.", rich_help_panel=_RUN)]
Steps = Annotated[int | None, typer.Option(min=1, help="Updates of the weights.", rich_help_panel=_RUN)]
Minutes = Annotated[
    float | None, typer.Option(min=0.01, max=1e5, help="Train so long instead.", rich_help_panel=_RUN)
]
Precision = Annotated[
    Literal["f32", "bf16", "f16"], typer.Option(help="Of the arithmetic; f16 on a GPU.", rich_help_panel=_RUN)
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option(help="auto takes a GPU if any.", rich_help_panel=_RUN)
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Of PyTorch; default its own choice.", rich_help_panel=_RUN)
]
TestFrames = Annotated[int, typer.Option(min=2, help="Frames of the final judgement.", rich_help_panel=_RUN)]
Every = Annotated[int, typer.Option(min=1, help="Steps between judgements.", rich_help_panel=_RUN)]
