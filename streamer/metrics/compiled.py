"""How kernels are compiled: the one place that knows numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def compiled(kernel: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Compile a kernel on its first call and keep the machine code on disk.

    The interpreter lock is released while it runs. Division follows IEEE 754, which lets loops be
    vectorised; sums are not reordered, so that a kernel gives the same bits on every run of a machine.
    """
    return cast("Callable[Arguments, Returned]", njit(cache=True, nogil=True, error_model="numpy")(kernel))


def plain(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The image as kernels take it, contiguous and writable; another layout would compile them anew."""
    return np.require(image, np.float32, ["C", "W"])
