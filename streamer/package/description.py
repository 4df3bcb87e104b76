"""The part of bioimageio.yaml (model description, format 0.5) that we read; the rest is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

_DEFAULT_AXIS_IDS = {"batch": "batch", "channel": "channel", "time": "time", "index": "index", "space": "x"}


class _Foreign(BaseModel):
    """A table of the standard: keys that we do not need are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Own(BaseModel):
    """A table of ours: a key we do not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSource(_Foreign):
    """A file of the package, or the address of one that does not travel with it."""

    source: str = Field(pattern=r"^[^\x00]+$")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @property
    def is_remote(self) -> bool:
        """It lies at an address, not in the folder."""
        return "://" in self.source


class Axis(_Foreign):
    """One axis of a tensor."""

    type: str
    id: str = ""
    channel_names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its id, or the standard's default id for its type."""
        return self.id or _DEFAULT_AXIS_IDS.get(self.type, self.type)


class Step(_Foreign):
    """One step before or after the network."""

    id: str
    kwargs: dict[str, Any] = {}


class Tensor(_Foreign):
    """One input or output."""

    id: str = "tensor"
    axes: tuple[Axis, ...]
    test_tensor: FileSource
    preprocessing: tuple[Step, ...] = ()
    postprocessing: tuple[Step, ...] = ()

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Axes in order, as in ("batch", "channel", "y", "x")."""
        return tuple(axis.name for axis in self.axes)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Its channels in order; empty where it does not name them."""
        return next((axis.channel_names for axis in self.axes if axis.type == "channel"), ())


class Weights(_Foreign):
    """Weights in the formats that an engine of ours reads."""

    onnx: FileSource | None = None
    pytorch_state_dict: FileSource | None = None


class Tolerance(_Own):
    """Root of the mean square of (engine - test output) over that of the test output, at most.

    The defaults leave the shipped networks room: in f16 they stray by up to 2e-3, in bf16 by up to 1.6e-2.
    """

    relative_rms_f32: float = Field(default=1e-3, gt=0)
    relative_rms_bf16: float = Field(default=2e-2, gt=0)
    relative_rms_f16: float = Field(default=5e-3, gt=0)
    relative_rms_int8: float = Field(default=5e-2, gt=0)

    def of(self, precision: Literal["f32", "bf16", "f16", "int8"]) -> float:
        """That of one precision of the arithmetic."""
        stated: float = getattr(self, f"relative_rms_{precision}")
        return stated


class TrainedPhotons(_Own):
    """Lowest and highest median photon sum in foreground 10x10 boxes over the training frames."""

    median_box_sum: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


class StreamerConfig(_Own):
    """`config: streamer:`: what bioimage.io has no word for.

    Attributes:
        kind: a denoiser takes photons and gives expected photons, with their standard deviation as a second
            channel where it knows it; a segmenter takes expected photons and gives class probabilities.
        architecture: name and settings of the network in `streamer.networks`.
        size_multiple: height and width of the input must divide by it.
        reach_px: how far from a pixel of the output the input counts at most; with a halo of it, tiles give
            what the whole frame would. None where the whole frame counts, or nobody stated it.
        context: what a denoiser's further input channels are: "time", the frames before of the same view,
            newest first; "z", other slices of the stack; "channels", other detection channels of the same
            moment, which are all denoised at once. None where it sees the frame alone.
        trained_photons: what the range guard holds the input against.
        classes: names of a segmenter's classes, in order.
        segmenter: id of a denoiser's partner.
        tolerance: how far an engine may stray from the test output.
        training: how it was trained, for the record; nothing reads it.
    """

    kind: Literal["denoiser", "segmenter"] | None = None
    architecture: dict[str, Any] = {}
    size_multiple: int = Field(default=1, ge=1)
    reach_px: int | None = Field(default=None, ge=0, le=4096)
    context: Literal["time", "z", "channels"] | None = None
    trained_photons: TrainedPhotons | None = None
    classes: tuple[str, ...] = ()
    segmenter: str | None = None
    tolerance: Tolerance = Tolerance()
    training: dict[str, Any] = {}


class Config(_Foreign):
    """`config:`: room for every tool's own words."""

    streamer: StreamerConfig = StreamerConfig()


class Description(_Foreign):
    """A model, as its bioimageio.yaml describes it."""

    format_version: str = Field(pattern=r"^0\.5(\.|$)")
    type: Literal["model"]
    name: str
    description: str = ""
    license: str = ""
    inputs: tuple[Tensor, ...] = Field(min_length=1)
    outputs: tuple[Tensor, ...] = Field(min_length=1)
    weights: Weights
    config: Config = Config()

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        """A denoiser's channels must mean what the pipeline takes them for: nothing else would notice."""
        if self.config.streamer.kind == "denoiser":
            if problem := _channel_problem(self):
                raise ValueError(problem)
        elif self.config.streamer.context:
            raise ValueError("config.streamer.context is set, but only a denoiser has context; remove it")
        return self


def names_with_past(frames: int) -> tuple[str, ...]:
    """Input channels of a denoiser that sees `frames` frames: "photons", "photons 1 before", ..."""
    return ("photons", *(f"photons {before} before" for before in range(1, frames)))


def _channel_problem(described: Description) -> str:
    """What is wrong with a denoiser's channels, with the cure; empty where nothing is."""
    given, made = described.inputs[0].channel_names, described.outputs[0].channel_names
    context = described.config.streamer.context
    if len(given) > 1 and context is None:
        return (
            f"inputs.0 has {len(given)} channels, but config.streamer.context does not say what they are; "
            "add context: time, z or channels"
        )
    if len(given) < 2 and context:
        return (
            f"config.streamer.context is {context}, but inputs.0 names no channels for it; name them in "
            "channel_names, or remove context"
        )
    expected = names_with_past(len(given))
    if context == "time" and given != expected:
        return (
            f"inputs.0 has the channels {', '.join(given)}; with context: time they must be "
            f"{', '.join(expected)}, in this order"
        )
    if context == "channels":
        if len(made) not in (len(given), 2 * len(given)):
            return (
                f"outputs.0 has {len(made)} channels; with context: channels it gives photons of each of the "
                f"{len(given)} inputs, then their standard deviations or none"
            )
        return ""
    if len(made) > 2:
        return (
            f"outputs.0 has {len(made)} channels; a denoiser gives photons, and their standard deviation at "
            "most, remove the others"
        )
    return ""


def explain(error: ValidationError) -> Iterator[str]:
    """Each problem with its key, value and what would do: `config.streamer.kind = 'x'; ...`."""
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"]) or "the file"
        if problem["type"] == "missing":
            yield f"{key} is missing; add it"
        elif problem["type"] == "extra_forbidden":
            yield f"{key} is not a key we know; correct or remove it"
        elif problem["type"] == "value_error":  # ours, which say it all
            yield str(problem["ctx"]["error"])
        else:
            yield f"{key} = {str(problem['input'])[:60]!r}; {problem['msg']}"
