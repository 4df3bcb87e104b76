"""Frames larger than memory: the network compiled for one tile shape, and run over the frame with a halo.

A network without attention sees a neighbourhood. Tiles that overlap by its reach, and begin where its pooling
does, give what the whole frame would, to rounding. A package states that reach; of one that does not, nobody
knows how far its pixels see, and frames stay whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from streamer.engines import is_of_memory
from streamer.errors import EngineError, MemoryShortError
from streamer.package import ModelPackage
from streamer.pipeline.stages import Network, NetworkFor

_LOG = logging.getLogger(__name__)

Image = NDArray[np.float32]
_Shape = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of rows or columns that a tile sees, and the part of it that is kept.

    Attributes:
        start: where the tile begins in the frame.
        keep: the part of the frame that is taken from it.
    """

    start: int
    keep: slice


class Tiled:
    """The networks of a run by frame shape, in tiles where frames are large or memory is short.

    Args:
        network_for: compiles for a shape.
        package: states `reach_px` and the size multiple.
        largest_px: pixels that a network is compiled for at most; larger frames are computed in tiles.
    """

    def __init__(self, network_for: NetworkFor, package: ModelPackage, *, largest_px: int) -> None:
        self._network_for = network_for
        self._id, self._multiple = package.id, package.size_multiple
        described = package.description
        # A step such as a division by the frame's maximum would see each tile by itself.
        steps = described.inputs[0].preprocessing or described.outputs[0].postprocessing
        reach = None if steps else package.config.reach_px
        self._halo_px = None if reach is None else -(-reach // self._multiple) * self._multiple
        self._largest_px = largest_px
        self._by_shape: dict[_Shape, Network] = {}

    def __call__(self, shape_yx: _Shape) -> Network:
        """The network for frames of `shape_yx`, which divide by the size multiple."""
        if shape_yx not in self._by_shape:
            self._by_shape[shape_yx] = _Fitting(self, shape_yx)
        return self._by_shape[shape_yx]

    def first(self, shape_yx: _Shape) -> _Shape:
        """The tile that frames of this shape are tried with first; the frame itself if it need not be cut."""
        if self._halo_px is None or shape_yx[0] * shape_yx[1] <= self._largest_px:
            return shape_yx
        return tile_shape(shape_yx, self._largest_px, self._multiple, self._halo_px) or shape_yx

    def smaller(self, shape_yx: _Shape, tile_yx: _Shape) -> _Shape | None:
        """The next smaller tile after one for which memory did not do; None where there is none."""
        if self._halo_px is None:
            return None
        found = tile_shape(shape_yx, tile_yx[0] * tile_yx[1] // 2, self._multiple, self._halo_px)
        return None if found == tile_yx else found

    def compiled(self, tile_yx: _Shape) -> Network:
        """The network for one tile shape."""
        return self._network_for(tile_yx)

    def run(self, network: Network, tile_yx: _Shape, images: Image) -> Image:
        """[1, c, y, x] to [1, k, y, x], tile by tile."""
        shape_yx = (images.shape[2], images.shape[3])
        if tile_yx == shape_yx:
            return network(images)
        assert self._halo_px is not None, "what is cut has a reach"
        return in_tiles(network, images, tile_yx, self._halo_px)

    def short(self, shape_yx: _Shape, tile_yx: _Shape, error: Exception) -> _Shape:
        """What to try where memory did not do.

        Raises:
            MemoryShortError: nothing smaller can be tried.
        """
        smaller = self.smaller(shape_yx, tile_yx)
        words = f"{self._id}: not enough memory for {tile_yx[0]} x {tile_yx[1]} pixels ({_line(error)})"
        if smaller is None:
            cure = "use smaller frames, or free memory"
            if self._halo_px is None:
                cure = f"its package states no reach_px, so that frames cannot be cut into tiles; {cure}"
            raise MemoryShortError(f"{words}; {cure}") from None
        _LOG.warning("%s; going on in tiles of %d x %d", words, *smaller)
        return smaller


class _Fitting:
    """The network for one frame shape, in the largest tiles for which memory does."""

    def __init__(self, tiled: Tiled, shape_yx: _Shape) -> None:
        self._tiled, self._shape_yx, self._tile_yx = tiled, shape_yx, tiled.first(shape_yx)
        self._network = self._compiled()

    def __call__(self, images: Image) -> Image:
        """[1, c, y, x] to a new [1, k, y, x]."""
        while True:
            try:
                return self._tiled.run(self._network, self._tile_yx, images)
            except (MemoryError, RuntimeError, EngineError) as error:
                if not is_of_memory(error):
                    raise
                self._tile_yx = self._tiled.short(self._shape_yx, self._tile_yx, error)
            self._network = self._compiled()

    def _compiled(self) -> Network:
        while True:
            try:
                return self._tiled.compiled(self._tile_yx)
            except (MemoryError, RuntimeError, EngineError) as error:
                if not is_of_memory(error):
                    raise
                self._tile_yx = self._tiled.short(self._shape_yx, self._tile_yx, error)


def tile_shape(shape_yx: _Shape, largest_px: int, multiple: int, halo_px: int) -> _Shape | None:
    """The tile of at most `largest_px` that covers a frame in the fewest runs; None where the halo fills it.

    Whole rows or columns are tried first: they need no halo along their length.
    """
    found = []
    for y in {shape_yx[0], _even(largest_px**0.5, multiple), _even(largest_px / shape_yx[1], multiple)}:
        if y < 1 or y > shape_yx[0]:
            continue
        x = min(shape_yx[1], _even(largest_px / y, multiple))
        pairs = zip((y, x), shape_yx, strict=True)
        if all(tile == size or tile > 2 * halo_px for tile, size in pairs) and x > 0:
            runs = len(windows(shape_yx[0], y, halo_px)) * len(windows(shape_yx[1], x, halo_px))
            found.append((runs * y * x, y, x))
    return min(found)[1:] if found else None


def windows(size: int, tile: int, halo: int) -> list[Window]:
    """Tiles of `tile` along `size`: they keep every pixel once between them, `halo` away from inner edges."""
    if tile >= size:
        return [Window(start=0, keep=slice(0, size))]
    starts = [*range(0, size - tile, tile - 2 * halo), size - tile]
    ends = [start + tile - halo for start in starts[:-1]] + [size]
    begins = [0, *ends[:-1]]
    return [
        Window(start=start, keep=slice(begin, end))
        for start, begin, end in zip(starts, begins, ends, strict=True)
    ]


def in_tiles(network: Network, images: Image, tile_yx: _Shape, halo_px: int) -> Image:
    """[1, c, y, x] to [1, k, y, x] by a network that takes tiles of `tile_yx`."""
    output: Image | None = None
    for rows, columns in _tiles((images.shape[2], images.shape[3]), tile_yx, halo_px):
        y, x = slice(rows.start, rows.start + tile_yx[0]), slice(columns.start, columns.start + tile_yx[1])
        part = network(np.ascontiguousarray(images[:, :, y, x]))
        if output is None:
            output = np.empty((1, part.shape[1], *images.shape[2:]), np.float32)
        output[:, :, rows.keep, columns.keep] = part[:, :, _within(rows), _within(columns)]
    assert output is not None
    return output


def _tiles(shape_yx: _Shape, tile_yx: _Shape, halo_px: int) -> Iterator[tuple[Window, Window]]:
    yield from product(*(windows(size, tile, halo_px) for size, tile in zip(shape_yx, tile_yx, strict=True)))


def _within(window: Window) -> slice:
    return slice(window.keep.start - window.start, window.keep.stop - window.start)


def _even(pixels: float, multiple: int) -> int:
    """Down to a multiple."""
    return int(pixels) // multiple * multiple


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
