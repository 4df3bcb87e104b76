"""Images larger than memory: tiles whose seams do not show.

A network without attention sees a neighbourhood: tiles with a halo of its reach give what the whole image
would, up to rounding. Channel attention sees the whole image; its means are then found in passes over the
tiles, each with the means of the pass before, until they no longer change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from streamer.errors import UsageError
from streamer.networks.blocks import GlobalMean

#: Largest change of a mean, over the largest of its layer, at which the passes end; and the most passes.
SETTLED = 1e-6
PASSES_MAX = 40


def tiled(network: nn.Module, image: Tensor, *, tile_px: int, halo_px: int, multiple: int) -> Tensor:
    """`network(image)` for an image [1, c, y, x], computed in tiles of `tile_px` with a halo on each side.

    With a halo of `halo_px(network, multiple)` the result equals that of the whole image to float32 rounding
    (1e-5 of the largest value); a smaller one costs less and may show faint seams. `tile_px`, `halo_px` and
    the image's sides must divide by `multiple`.

    Errors: UsageError for sizes that do not divide.
    """
    sizes = {"tile_px": tile_px, "halo_px": halo_px, "height": image.shape[2], "width": image.shape[3]}
    for name, size in sizes.items():
        if size % multiple or size < 0 or (name == "tile_px" and not size):
            raise UsageError(f"{name} = {size}: use a positive multiple of {multiple}")
    tiles = list(_tiles(image.shape[2], image.shape[3], tile_px, halo_px))
    with torch.inference_mode(), _shared_means(network) as means:
        for _ in range(PASSES_MAX if means else 0):
            for tile in tiles:
                _run(network, image, tile, means)
            if max([mean.settle() for mean in means]) <= SETTLED:
                break
        output: Tensor | None = None
        for tile in tiles:
            part = _run(network, image, tile, means)
            if output is None:
                output = part.new_empty((1, part.shape[1], *image.shape[2:]))
            output[:, :, tile.inner[0], tile.inner[1]] = part
    assert output is not None
    return output


def halo_px(network: nn.Module, multiple: int) -> int:
    """The reach of a network's convolutions in pixels, up to the next multiple: a halo without seams.

    Errors: UsageError for a network that does not state its `reach_px`.
    """
    reach = getattr(network, "reach_px", None)
    if not isinstance(reach, int):
        raise UsageError(f"{type(network).__name__}: states no reach_px; give a halo of your own")
    return -(-reach // multiple) * multiple


def local_reach_px(network: nn.Module) -> int | None:
    """The reach of a network in pixels; None where attention averages over the image, or none is stated."""
    if any(isinstance(part, GlobalMean) for part in network.modules()):
        return None
    reach = getattr(network, "reach_px", None)
    return reach if isinstance(reach, int) else None


@dataclass(frozen=True, slots=True)
class _Tile:
    """Rows and columns: `outer` of the image, `inner` the part whose output is kept."""

    outer: tuple[slice, slice]
    inner: tuple[slice, slice]

    def kept(self, height: int) -> tuple[slice, slice]:
        """The inner part of features of this tile, whose rows are `height`."""
        outer_px = self.outer[0].stop - self.outer[0].start
        y, x = (
            slice((i.start - o.start) * height // outer_px, (i.stop - o.start) * height // outer_px)
            for i, o in zip(self.inner, self.outer, strict=True)
        )
        return y, x


def _tiles(height: int, width: int, tile_px: int, halo_px: int) -> Iterator[_Tile]:
    for top, left in product(range(0, height, tile_px), range(0, width, tile_px)):
        inner = slice(top, min(top + tile_px, height)), slice(left, min(left + tile_px, width))
        outer = tuple(
            slice(max(0, i.start - halo_px), min(i.stop + halo_px, size))
            for i, size in zip(inner, (height, width), strict=True)
        )
        yield _Tile(outer=(outer[0], outer[1]), inner=inner)


def _run(network: nn.Module, image: Tensor, tile: _Tile, means: list[_SharedMean]) -> Tensor:
    """The output of a tile's inner part."""
    for mean in means:
        mean.tile = tile
    part: Tensor = network(image[:, :, tile.outer[0], tile.outer[1]])
    y, x = tile.kept(part.shape[2])
    return part[:, :, y, x]


class _SharedMean(nn.Module):
    """Stands for a GlobalMean: gives the mean over all tiles of the pass before, and gathers this pass's."""

    def __init__(self) -> None:
        super().__init__()
        self.tile: _Tile | None = None
        self._known: Tensor | None = None
        self._sum: Tensor | None = None
        self._pixels = 0

    def forward(self, x: Tensor) -> Tensor:
        assert self.tile is not None
        rows, columns = self.tile.kept(x.shape[2])
        inner = x[:, :, rows, columns]
        total = inner.sum((2, 3), keepdim=True, dtype=torch.float64)
        self._sum = total if self._sum is None else self._sum + total
        self._pixels += inner.shape[2] * inner.shape[3]
        return x.mean((2, 3), keepdim=True) if self._known is None else self._known

    def settle(self) -> float:
        """Take over what a pass gathered; how far it lies from what was known, over the largest mean."""
        assert self._sum is not None
        new = (self._sum / self._pixels).float()
        change = float("inf") if self._known is None else float((new - self._known).abs().max())
        self._known, self._sum, self._pixels = new, None, 0
        return change / max(float(new.abs().max()), 1e-12)


@contextmanager
def _shared_means(network: nn.Module) -> Iterator[list[_SharedMean]]:
    """Put a _SharedMean in the place of every GlobalMean, and put those back afterwards."""
    places = [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, GlobalMean)
    ]
    means = [_SharedMean() for _ in places]
    try:
        for (parent, name, _), mean in zip(places, means, strict=True):
            setattr(parent, name, mean)
        yield means
    finally:
        for parent, name, child in places:
            setattr(parent, name, child)
