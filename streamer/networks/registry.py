"""From the architecture named in a model package to a network: strict, because packages are foreign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from torch import nn

from streamer.errors import PackageError
from streamer.networks.care import CareUNet
from streamer.networks.ernet import SIZE_MULTIPLE as ERNET_MULTIPLE
from streamer.networks.ernet import ERnet
from streamer.networks.live import LiveDenoiser, LiveSegmenter
from streamer.networks.photons import InPhotons
from streamer.networks.unet_rcan import SIZE_MULTIPLE, UNetRCAN

# Upper bounds keep a hostile package from asking for more memory than any real network needs.
Width = Annotated[int, Field(strict=True, ge=1, le=512)]
Count = Annotated[int, Field(strict=True, ge=1, le=16)]
Frames = Annotated[int, Field(strict=True, ge=1, le=9)]
Channels = Annotated[int, Field(strict=True, ge=1, le=4)]
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=5)]


class _Architecture(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _UNetRCAN(_Architecture):
    name: Literal["unet-rcan"]
    kernel: Literal[3, 7] = 3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    photons: bool = False

    def network(self) -> nn.Module:
        network = UNetRCAN(kernel=self.kernel, dropout=self.dropout)
        return InPhotons(network) if self.photons else network


class _CareUNet(_Architecture):
    name: Literal["care-unet"]
    depth: Annotated[int, Field(strict=True, ge=1, le=4)] = 2
    first: Width = 32
    kernel: Literal[3, 5, 7] = 5
    frames: Frames = 1

    def network(self) -> nn.Module:
        unet = CareUNet(inputs=self.frames, depth=self.depth, first=self.first, kernel=self.kernel)
        return InPhotons(unet)


class _LiveDenoiser(_Architecture):
    name: Literal["unet-rcan-live"]
    entry: Width
    widths: Widths
    bridge: Widths
    groups: Count
    blocks: Count
    # What packages of version 0.1 leave out, they have.
    attention: bool = True
    frames: Frames = 1
    channels: Channels = 1
    uncertainty: bool = False

    def network(self) -> nn.Module:
        return LiveDenoiser(**self.model_dump(exclude={"name"}))

    @model_validator(mode="after")
    def _channels_or_frames(self) -> Self:
        if self.frames > 1 and self.channels > 1:
            raise ValueError(
                f"channels = {self.channels} is given with frames = {self.frames}; use one of them"
            )
        return self


class _LiveSegmenter(_Architecture):
    name: Literal["unet-live"]
    entry: Width
    widths: Widths
    bridge: Widths
    classes: Count
    attention: bool = True

    def network(self) -> nn.Module:
        return LiveSegmenter(**self.model_dump(exclude={"name"}))


class _ERnet(_Architecture):
    name: Literal["ernet"]
    # A segmenter's package gives probabilities; the published network gives logits.
    probabilities: Annotated[bool, Field(strict=True)] = True

    def network(self) -> nn.Module:
        return ERnet(probabilities=self.probabilities)


_Any = _UNetRCAN | _CareUNet | _LiveDenoiser | _LiveSegmenter | _ERnet
_ADAPTER: TypeAdapter[_Any] = TypeAdapter(Annotated[_Any, Field(discriminator="name")])

#: Names `build` knows.
NAMES = ("unet-rcan", "care-unet", "unet-rcan-live", "unet-live", "ernet")


def size_multiple(architecture: Mapping[str, object]) -> int:
    """What height and width of the input must divide by: one halving a level, half resolution first if live.

    Errors: PackageError as `build`.
    """
    known = _parse(architecture)
    match known:
        case _UNetRCAN():
            return SIZE_MULTIPLE
        case _CareUNet():
            return int(2**known.depth)
        case _ERnet():
            return ERNET_MULTIPLE
        case _:
            return int(2 ** (len(known.widths) + 1))


def build(architecture: Mapping[str, object]) -> nn.Module:
    """A network with fresh weights from `{"name": ..., **settings}`, as in `config.streamer.architecture`.

    Errors: PackageError for an unknown name and for a missing, unknown or impossible setting.
    """
    return _parse(architecture).network()


def _parse(architecture: Mapping[str, object]) -> _Any:
    try:
        return _ADAPTER.validate_python(dict(architecture))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "value_error":  # ours, which say it all
            raise PackageError(f"config.streamer.architecture: {first['ctx']['error']}") from None
        place = ".".join(str(part) for part in first["loc"][1:]) or "name"
        value = architecture.get("name") if place == "name" else first["input"]
        cure = f"names known: {', '.join(NAMES)}" if place == "name" else first["msg"]
        raise PackageError(f"config.streamer.architecture: {place} = {value!r}; {cure}") from None
