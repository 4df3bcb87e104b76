"""From the architecture named in a model package to a network: strict, because packages are foreign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from torch import nn

from streamer.errors import PackageError
from streamer.networks.live import LiveDenoiser, LiveSegmenter
from streamer.networks.unet_rcan import UNetRCAN

# Upper bounds keep a hostile package from asking for more memory than any real network needs.
Width = Annotated[int, Field(strict=True, ge=1, le=512)]
Count = Annotated[int, Field(strict=True, ge=1, le=16)]
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=5)]


class _Architecture(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _UNetRCAN(_Architecture):
    name: Literal["unet-rcan"]
    kernel: Literal[3, 7] = 3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2

    def network(self) -> nn.Module:
        return UNetRCAN(kernel=self.kernel, dropout=self.dropout)


class _LiveDenoiser(_Architecture):
    name: Literal["unet-rcan-live"]
    entry: Width
    widths: Widths
    bridge: Widths
    groups: Count
    blocks: Count

    def network(self) -> nn.Module:
        return LiveDenoiser(**self.model_dump(exclude={"name"}))


class _LiveSegmenter(_Architecture):
    name: Literal["unet-live"]
    entry: Width
    widths: Widths
    bridge: Widths
    classes: Count

    def network(self) -> nn.Module:
        return LiveSegmenter(**self.model_dump(exclude={"name"}))


_Known = Annotated[_UNetRCAN | _LiveDenoiser | _LiveSegmenter, Field(discriminator="name")]
_ADAPTER: TypeAdapter[_UNetRCAN | _LiveDenoiser | _LiveSegmenter] = TypeAdapter(_Known)

#: Names `build` knows.
NAMES = ("unet-rcan", "unet-rcan-live", "unet-live")


def build(architecture: Mapping[str, object]) -> nn.Module:
    """A network with fresh weights from `{"name": ..., **settings}`, as in `config.streamer.architecture`.

    Errors: PackageError for an unknown name and for a missing, unknown or impossible setting.
    """
    try:
        return _ADAPTER.validate_python(dict(architecture)).network()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "name"
        value = architecture.get("name") if place == "name" else first["input"]
        cure = f"names known: {', '.join(NAMES)}" if place == "name" else first["msg"]
        raise PackageError(f"config.streamer.architecture: {place} = {value!r}; {cure}") from None
