"""Classical denoisers of low-dose frames, each with the grid its setting is chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter, zoom
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from streamer.simulation import LOW_DOSE, SceneSettings
from streamer.simulation.optics import FWHM_PER_SIGMA, sted_fwhm_nm

Image = NDArray[np.float32]
Denoiser = Callable[[Image], Image]
#: (setting in words, denoiser) for every point of a method's grid.
Grid = tuple[tuple[str, Denoiser], ...]

#: Photons per pixel that keep quotients of Richardson-Lucy finite.
LEAST_PHOTONS = 1e-6


def gaussian(photons: Image, sigma_px: float) -> Image:
    """Blur [y, x] photons."""
    blurred: Image = gaussian_filter(photons, sigma_px, mode="reflect")
    return blurred


def total_variation(photons: Image, weight: float) -> Image:
    """Chambolle's total-variation projection, J. Math. Imaging Vision 20, 89 (2004), on [y, x] photons."""
    smooth: Image = denoise_tv_chambolle(photons, weight=weight, max_num_iter=100)
    return smooth


def anscombe_non_local_means(
    photons: Image, *, bin_px: int, strength: float, noise: float, patch_px: int
) -> Image:
    """Non-local means between the Anscombe transform and its unbiased inverse.

    Below about one photon per pixel the transform no longer stabilises the variance, so pixels may be binned
    first, as Azzari and Foi, IEEE Signal Proc. Lett. 23, 1086 (2016), do; what fills no bin is mirrored.
    `strength` is the filter's h, `noise` the standard deviation it subtracts from patch distances.
    """
    height, width = photons.shape
    padded = np.pad(photons, ((0, -height % bin_px), (0, -width % bin_px)), mode="symmetric")
    rows, columns = (size // bin_px for size in padded.shape)
    binned = padded.reshape(rows, bin_px, columns, bin_px).sum(axis=(1, 3))
    stabilised = 2.0 * np.sqrt(binned + 0.375)
    smooth = denoise_nl_means(
        stabilised, patch_size=patch_px, patch_distance=7, h=strength, sigma=noise, fast_mode=True
    )
    expected = _unbiased_inverse(smooth) / bin_px**2
    enlarged: Image = zoom(expected, bin_px, order=1, grid_mode=True, mode="nearest")
    return enlarged[:height, :width]


def wiener(photons: Image, *, sigma_px: float, balance: float) -> Image:
    """Wiener filter for a Gaussian PSF, its estimate blurred again: H^2 / (H^2 + balance |laplacian|^2).

    Hunt's form, IEEE Trans. Computers C-22, 805 (1973), with smoothness as the prior, in cosines, so that the
    borders mirror. The truth here is the image that the microscope makes, not the fluorophores: hence the
    blur.
    """
    rows, columns = (np.arange(size) / (2.0 * size) for size in photons.shape)  # cycles per pixel
    squared = rows[:, None] ** 2 + columns[None] ** 2
    passed = np.exp(-4.0 * (np.pi * sigma_px) ** 2 * squared)  # H^2
    rough = (2.0 * (2.0 - np.cos(2 * np.pi * rows[:, None]) - np.cos(2 * np.pi * columns[None]))) ** 2
    spectrum = dctn(photons.astype(np.float64), norm="ortho") * passed / (passed + balance * rough)
    estimate: Image = idctn(spectrum, norm="ortho").astype(np.float32)
    return estimate


def richardson_lucy(photons: Image, *, sigma_px: float, iterations: int, smoothness: float) -> Image:
    """Richardson-Lucy for a Gaussian PSF with a total-variation prior, its estimate blurred again.

    Dey et al., Microsc. Res. Tech. 69, 260 (2006); `smoothness` 0 is the plain algorithm.
    """
    blur = partial(gaussian_filter, sigma=sigma_px, mode="reflect")
    estimate = np.full_like(photons, max(float(photons.mean()), LEAST_PHOTONS))
    for _ in range(iterations):
        correction = blur(photons / np.maximum(blur(estimate), LEAST_PHOTONS))
        prior = 1.0 - smoothness * _curvature(estimate) if smoothness else 1.0
        estimate = estimate * correction / prior
    blurred: Image = blur(estimate)
    return blurred


def _curvature(image: Image) -> Image:
    """[y, x] divergence of the normalised gradient, within +-4."""
    down, right = (np.diff(image, axis=axis, append=np.take(image, [-1], axis)) for axis in (0, 1))
    length = np.sqrt(down**2 + right**2) + 1e-3 * float(image.mean()) + LEAST_PHOTONS
    down, right = down / length, right / length
    curvature: Image = np.diff(down, axis=0, prepend=0.0) + np.diff(right, axis=1, prepend=0.0)
    return curvature


def _unbiased_inverse(stabilised: NDArray[np.float32]) -> Image:
    """Closed form of the exact unbiased inverse: Makitalo, Foi, IEEE Trans. Image Proc. 20, 2697 (2011)."""
    value = np.maximum(stabilised, 2.0 * np.sqrt(0.375))
    root = np.sqrt(1.5)
    inverse = value**2 / 4 + root / 4 / value - 11 / 8 / value**2 + 5 / 8 * root / value**3 - 1 / 8
    photons: Image = np.maximum(inverse, 0.0).astype(np.float32)
    return photons


def simulated_psf_px() -> float:
    """Standard deviation of the simulated microscope's PSF at the low dose."""
    settings = SceneSettings(seed=0)
    return float(sted_fwhm_nm(settings, LOW_DOSE.depletion_mw) / FWHM_PER_SIGMA / settings.pixel_nm)


def _choices(method: Callable[..., Image], **grid: Sequence[float]) -> Iterator[tuple[str, Denoiser]]:
    for values in product(*grid.values()):
        setting = dict(zip(grid, values, strict=True))
        yield ", ".join(f"{name} {value:.3g}" for name, value in setting.items()), partial(method, **setting)


def grids(psf_px: Sequence[float]) -> Mapping[str, Grid]:
    """Name of the method -> its grid; `psf_px`: standard deviations of the PSF to try."""
    return {
        "Gaussian": tuple(
            _choices(gaussian, sigma_px=(0.7, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0))
        ),
        "total variation": tuple(
            _choices(total_variation, weight=(0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.3, 1.6, 2.0, 2.5))
        ),
        "Anscombe + NLM": tuple(
            _choices(
                anscombe_non_local_means,
                bin_px=(2, 3, 4, 5, 6),
                strength=(0.2, 0.3, 0.4, 0.5, 0.65, 0.9),
                noise=(0.5, 0.75, 1.0),
                patch_px=(3, 5),
            )
        ),
        "Wiener": tuple(
            _choices(wiener, sigma_px=psf_px, balance=tuple(float(b) for b in np.geomspace(0.1, 300, 12)))
        ),
        "Richardson-Lucy": tuple(
            _choices(
                richardson_lucy,
                # At few photons a PSF that is too wide serves better: it is one more prior.
                sigma_px=[factor * sigma for sigma in psf_px for factor in (1.0, 1.5, 2.0)],
                iterations=(1, 2, 4, 8),
                smoothness=(0.0, 0.03, 0.1, 0.2),
            )
        ),
    }


GRIDS: Mapping[str, Grid] = grids((simulated_psf_px(),))
