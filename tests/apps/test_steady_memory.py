"""Once it is warm, a run of many frames needs no more memory than one of few."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np

from streamer.apps import compose
from streamer.apps.compose import Composer, ModelSettings
from streamer.core import Frame, Outcome
from streamer.pipeline import process
from streamer.profile import HardwareProfile, load_profile

SHAPE = (48, 64)
#: Frames until guards have their baselines, engines their buffers and the first checkpoint is through.
WARM, MANY = 55, 115
#: What may come on top, such as bins of a history: less than one image of every tenth frame.
GROWTH_BYTES = (MANY - WARM) // 10 * SHAPE[0] * SHAPE[1] * 4


def frames(count: int) -> Iterator[Frame]:
    """Two positions by turns; made one by one, so that who keeps them is seen."""
    rng, (y, x) = np.random.default_rng(4), np.mgrid[: SHAPE[0], : SHAPE[1]]
    for seq in range(count):
        light = 0.05 + 2.0 * ((x + 2 * y + seq) % 30 < 10)
        yield Frame(pixels=rng.poisson(light).astype(np.uint8), seq=seq, axes={"position": seq % 2})


class Scales:
    """A sink that keeps nothing, and weighs the process at two frames."""

    def __init__(self) -> None:
        self.bytes: dict[int, int] = {}

    def put(self, outcome: Outcome) -> None:
        if outcome.frame.seq in (WARM, MANY):
            gc.collect()
            self.bytes[outcome.frame.seq] = tracemalloc.get_traced_memory()[0]


def test_many_frames_need_no_more_memory_than_few() -> None:
    """Of what Python and numpy allocate: frames in tiles, carried labels, halves, guards, checkpoints."""
    fields: dict[str, Any] = load_profile("abberior_er_low").to_dict()
    fields["processing"] = {"segment_every": 3}
    networks = compose.load_models(ModelSettings(engine="openvino", precision="f32", threads=1))
    composer, scales = Composer(HardwareProfile.model_validate(fields), networks), Scales()
    composer.warm_up(SHAPE)
    stages = composer.stages(planned=MANY).as_arguments()
    tracemalloc.start()
    try:
        process(
            frames(MANY + 1),
            record=lambda frame: None,
            sinks=(scales,),
            lag=lambda frame: (0.0, 0),
            **stages,
        )
    finally:
        tracemalloc.stop()
    assert scales.bytes[MANY] - scales.bytes[WARM] < GROWTH_BYTES
    print(f"{(scales.bytes[MANY] - scales.bytes[WARM]) / 1e3:.1f} kB more, of {scales.bytes[WARM] / 1e3:.0f}")
