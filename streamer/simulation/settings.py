"""What can be chosen about a simulated specimen and its microscope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streamer.simulation.canvas import Specimen


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """What the lasers do during one frame; powers at the back focal plane.

    Attributes:
        excitation_uw: excitation power.
        depletion_mw: power of the depletion donut.
        dwell_us: time the beam rests on a pixel in one pass.
        line_accumulation: passes over each line.
    """

    excitation_uw: float
    depletion_mw: float
    dwell_us: float
    line_accumulation: int

    @property
    def exposure_us(self) -> float:
        """Time the beam rests on a pixel in one frame."""
        return self.dwell_us * self.line_accumulation


#: Rahm et al., Table 1: low intensity and ground truth, donut, single plane.
LOW_DOSE = Light(excitation_uw=4.8, depletion_mw=166.0, dwell_us=0.5, line_accumulation=1)
REFERENCE_DOSE = Light(excitation_uw=56.3, depletion_mw=166.0, dwell_us=0.5, line_accumulation=6)


class Structure(Protocol):
    """Settings of a structure other than the ER."""

    def grow(self, scene: SceneSettings) -> Specimen:
        """The specimen of a scene: a pure function of both settings."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSettings:
    """One specimen on one microscope; every default is a live-cell STED of the ER at 12 x 12 um.

    The fields from `mesh_um` to `fenestration` are of the ER alone.

    Attributes:
        seed: of everything random; two scenes with equal settings are equal.
        shape_yx: pixels of the field.
        pixel_nm: pixel size.
        bleaching: multiplier of the bleaching rate; 0 = never. The physical default lasts for hours.
        dark: no specimen light, detector dark counts only.
        structure: what the specimen shows; None is the ER.
        mesh_um: spacing of the polygons; 0.5-2 um in peripheral ER.
        tubule_nm: mean tubule diameter; 60-100 nm for live cells in STED.
        tubule_spread: relative standard deviation of diameter and of brightness between tubules.
        missing_fraction: of the polygon edges that carry no tubule.
        dynamic_fraction: of the tubules that grow and retract.
        sheet_fraction: of the polygons that are filled by a sheet.
        fenestration: fraction of a sheet's area that is holes.
        curvature_nm: root-mean-square sideways displacement of a tubule or fibre from where it would run.
        rearrangement_nm_per_s: root-mean-square speed of polygons, fibres or organelles.
        drift_nm_per_s: highest speed of the whole specimen across the field.
        cell_radius_um: mean radius of the cell's outline; 0 leaves the field empty.
        cell_offset_um: distance from the cell's centre to the field's centre.
        labels_per_um2: fluorophores per area of membrane (dense labelling: no speckle of single emitters).
        photons_per_uw_us: detected photons per fluorophore in the centre of the beam, per uW and us.
        out_of_focus: background above and below the plane, over the local mean of the in-focus signal.
        haze: uniform background inside and outside the cell, over the signal of a single sheet.
        dark_counts_per_s: of the detector.
        na: numerical aperture.
        wavelength_nm: of the fluorescence, detected at 650-760 nm.
        saturation_mw: depletion power that halves the fluorescence at the donut's crest; 15 mW puts 166 mW at
            70 nm (Rahm et al. report 82 nm by rolling Fourier ring correlation for their ground truth).
        axial_um: defocus that widens the PSF by sqrt(2).
    """

    seed: int
    shape_yx: tuple[int, int] = (600, 600)
    pixel_nm: float = 20.0
    bleaching: float = 1.0
    dark: bool = False
    structure: Structure | None = None
    mesh_um: float = 1.0
    tubule_nm: float = 85.0
    tubule_spread: float = 0.12
    missing_fraction: float = 0.12
    dynamic_fraction: float = 0.15
    sheet_fraction: float = 0.15
    fenestration: float = 0.05
    curvature_nm: float = 60.0
    rearrangement_nm_per_s: float = 20.0
    drift_nm_per_s: float = 1.0
    cell_radius_um: float = 16.0
    cell_offset_um: float = 8.0
    labels_per_um2: float = 5000.0
    photons_per_uw_us: float = 0.00215
    out_of_focus: float = 0.12
    haze: float = 0.03
    dark_counts_per_s: float = 300.0
    na: float = 1.4
    wavelength_nm: float = 680.0
    saturation_mw: float = 15.0
    axial_um: float = 0.35
