"""Frames in tiles equal whole ones, stay within the stated limit, and are cut where memory does not do."""

from __future__ import annotations

from collections.abc import Callable

import luck
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import convolve

from streamer.engines import compile_engine, is_of_memory
from streamer.errors import EngineError
from streamer.networks import build
from streamer.networks.tiling import local_reach_px
from streamer.package import ModelPackage, load_package
from streamer.pipeline.stages import Network, infer
from streamer.pipeline.tiles import Tiled, in_tiles, tile_shape, windows

Image = NDArray[np.float32]
REACH, MULTIPLE = 6, 4
KERNEL = np.random.default_rng(1).random((2 * REACH + 1, 2 * REACH + 1), np.float32)


def summing(images: Image) -> Image:
    """A network of two outputs whose pixels see `REACH` pixels far, and no further."""
    whole = convolve(images[0].sum(0), KERNEL, mode="constant")
    return np.stack([whole, images[0, 0]])[None]


def package(reach_px: int | None) -> ModelPackage:
    """A package that states such a reach."""
    real = load_package("er-segment-live")
    own = real.config.model_copy(update={"reach_px": reach_px, "size_multiple": MULTIPLE})
    config = real.description.config.model_copy(update={"streamer": own})
    return ModelPackage(
        folder=real.folder, description=real.description.model_copy(update={"config": config})
    )


class Machine:
    """Compiles for any shape, but has memory for so many pixels only."""

    def __init__(self, pixels: int, *, when_run: bool = False) -> None:
        self.pixels, self.when_run = pixels, when_run
        self.shapes: list[tuple[int, int]] = []

    def __call__(self, shape_yx: tuple[int, int]) -> Network:
        self.shapes.append(shape_yx)
        if not self.when_run:
            self._allocate(shape_yx)
        return self._run

    def _run(self, images: Image) -> Image:
        assert images.shape[2:] == self.shapes[-1]
        self._allocate(self.shapes[-1])
        return summing(images)

    def _allocate(self, shape_yx: tuple[int, int]) -> None:
        if shape_yx[0] * shape_yx[1] > self.pixels:
            raise RuntimeError("CUDA out of memory. Tried to allocate 3 GiB\n(more words)")


def frame(shape_yx: tuple[int, int]) -> Image:
    return np.random.default_rng(luck.seed()).random((1, 2, *shape_yx), np.float32)


@given(
    size=st.integers(1, 90),
    tile=st.integers(4, 90).map(lambda n: n * 4),
    halo=st.integers(0, 10).map(lambda n: n * 4),
)
def test_windows_keep_every_pixel_once_and_a_halo_from_inner_edges(size: int, tile: int, halo: int) -> None:
    size *= 4
    if tile <= 2 * halo and tile < size:
        return
    cut = windows(size, tile, halo)
    kept = [pixel for window in cut for pixel in range(size)[window.keep]]
    assert kept == list(range(size))
    for window in cut:
        length = min(tile, size)
        assert window.start % 4 == 0
        assert 0 <= window.start <= size - length
        assert window.start == 0 or window.keep.start >= window.start + halo
        assert window.start + length == size or window.keep.stop <= window.start + length - halo


@pytest.mark.parametrize("tile_yx", [(28, 28), (28, 100), (60, 40), (32, 64)], ids=str)
def test_tiles_with_the_reach_as_halo_are_the_whole_frame(tile_yx: tuple[int, int]) -> None:
    image = frame((60, 100))
    np.testing.assert_allclose(in_tiles(summing, image, tile_yx, 8), summing(image), rtol=1e-6)
    assert np.abs(in_tiles(summing, image, (28, 28), 4) - summing(image)).max() > 1


@pytest.mark.parametrize("limit", [900, 2000, 5999])
def test_larger_frames_are_cut_to_the_limit_and_smaller_ones_are_not(limit: int) -> None:
    machine, image = Machine(10**9), frame((60, 100))
    tiled = Tiled(machine, package(REACH), largest_px=limit)
    np.testing.assert_allclose(tiled((60, 100))(image), summing(image), rtol=1e-6)
    assert all(y * x <= limit for y, x in machine.shapes)
    small = frame((28, 28))
    np.testing.assert_array_equal(tiled((28, 28))(small), summing(small))
    assert machine.shapes[-1] == (28, 28)
    assert tiled((28, 28)) is tiled((28, 28))


@pytest.mark.parametrize("when_run", [False, True], ids=["when compiled", "when run"])
def test_where_memory_does_not_do_tiles_get_smaller(when_run: bool) -> None:
    machine, image = Machine(1500, when_run=when_run), frame((60, 100))
    network = Tiled(machine, package(REACH), largest_px=10**9)((60, 100))
    np.testing.assert_allclose(network(image), summing(image), rtol=1e-6)
    assert machine.shapes[0] == (60, 100)
    assert machine.shapes[-1][0] * machine.shapes[-1][1] <= 1500
    tried = len(machine.shapes)
    network(image)
    assert len(machine.shapes) == tried  # what does is kept


@pytest.mark.parametrize(
    ("reach_px", "cure"),
    [
        (None, "states no reach_px, so that frames cannot be cut"),
        (REACH, "use smaller frames, or free memory"),
    ],
    ids=["no reach", "no smaller tile"],
)
def test_where_nothing_does_one_line_says_what_would(reach_px: int | None, cure: str) -> None:
    tiled = Tiled(Machine(100), package(reach_px), largest_px=1000)
    with pytest.raises(EngineError, match=cure) as caught:
        tiled((60, 100))
    assert "er-segment-live: not enough memory for" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_without_a_reach_is_shown_whole_frames() -> None:
    machine = Machine(10**9)
    Tiled(machine, package(None), largest_px=100)((60, 100))
    assert machine.shapes == [(60, 100)]


def test_other_failures_are_not_taken_for_memory() -> None:
    def broken(shape_yx: tuple[int, int]) -> Network:
        raise EngineError("another layout")

    with pytest.raises(EngineError, match=r"^another layout$"):
        Tiled(broken, package(REACH), largest_px=100)((60, 100))
    assert is_of_memory(MemoryError())


@given(y=st.integers(1, 64), x=st.integers(1, 64), limit=st.integers(1, 300_000), halo=st.integers(0, 12))
def test_a_tile_holds_the_limit_or_there_is_none(y: int, x: int, limit: int, halo: int) -> None:
    shape_yx = (16 * y, 16 * x)
    tile = tile_shape(shape_yx, limit, 16, 16 * halo)
    if tile is not None:
        assert tile[0] * tile[1] <= limit
        for side, size in zip(tile, shape_yx, strict=True):
            assert side % 16 == 0
            assert side == size or 2 * 16 * halo < side < size


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_a_shipped_network_in_tiles_gives_what_it_gives_whole(engine: str) -> None:
    real = load_package("er-segment-live")
    reach = local_reach_px(build(real.config.architecture))
    assert reach == 124
    own = real.config.model_copy(update={"reach_px": reach})
    config = real.description.config.model_copy(update={"streamer": own})
    stated = ModelPackage(
        folder=real.folder, description=real.description.model_copy(update={"config": config})
    )
    shapes = []

    def network_for(shape_yx: tuple[int, int]) -> Callable[[Image], Image]:
        shapes.append(shape_yx)
        return compile_engine(stated, shape_yx, engine=engine, precision="f32", threads=1)

    image = np.random.default_rng(luck.seed()).poisson(0.5, (1, 330, 300)).astype(np.float32)
    whole = infer(Tiled(network_for, stated, largest_px=10**6), image, 16)
    tiles = infer(Tiled(network_for, stated, largest_px=90_000), image, 16)
    assert shapes[0] == (336, 304)
    assert shapes[1][0] * shapes[1][1] <= 90_000
    assert float(np.abs(tiles - whole).max()) < 1e-5


def test_attention_has_no_reach() -> None:
    live = {"name": "unet-live", "entry": 4, "widths": [4], "bridge": [4], "classes": 3}
    assert local_reach_px(build({**live, "attention": True})) is None
    assert local_reach_px(build({**live, "attention": False})) is not None
