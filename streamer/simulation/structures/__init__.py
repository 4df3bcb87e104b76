"""Structures that a specimen can show, one module each.

To add one: settings with `grow`, `RANGES` for training and test, and a row in `streamer.simulation.sampling`.
"""

from streamer.simulation.structures.actin_rings import ActinRings
from streamer.simulation.structures.emitter_map import EmitterMap
from streamer.simulation.structures.microtubules import Microtubules
from streamer.simulation.structures.mitochondria import Mitochondria
from streamer.simulation.structures.puncta import Puncta

__all__ = ["ActinRings", "EmitterMap", "Microtubules", "Mitochondria", "Puncta"]
