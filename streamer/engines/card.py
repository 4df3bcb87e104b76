"""The NVIDIA card that an engine runs on, seen through PyTorch; or why there is none, in one line."""

from __future__ import annotations

import contextlib
import importlib
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.engines.ladder import absence
from streamer.engines.nvidia import nvidia
from streamer.errors import EngineError, MemoryShortError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Where an engine runs.

    Attributes:
        device: PyTorch's.
        name: as its maker calls it.
        capability: compute capability, (8, 9) for an RTX 40.
        driver: its version.
    """

    device: torch.device
    name: str
    capability: tuple[int, int]
    driver: str

    @property
    def instruction_set(self) -> str:
        """As compilers name the capability: `sm_89`."""
        return sm(self.capability)


def sm(capability: tuple[int, int]) -> str:
    """`sm_89` of (8, 9)."""
    return f"sm_{capability[0]}{capability[1]}"


def require_card(engine: str) -> Card:
    """The card that PyTorch uses.

    Args:
        engine: that asks, by its name in the ladder.

    Raises:
        EngineError: the engine cannot run here; reason and cure.
    """
    if absent := absence(engine):
        raise EngineError(f"engine {engine}: {absent.words}")
    torch = importlib.import_module("torch")
    with warnings.catch_warnings(record=True) as said:  # PyTorch says there why it sees no card
        warnings.simplefilter("always")
        present = torch.cuda.is_available()
    if not present:
        reason = next((str(line.message).splitlines()[0] for line in said), "no reason given")
        raise EngineError(
            f"engine {engine}: PyTorch {torch.__version__} sees no NVIDIA card ({reason}); update the "
            "driver, or look at CUDA_VISIBLE_DEVICES"
        )
    device = torch.device("cuda", torch.cuda.current_device())
    found = torch.cuda.get_device_properties(device)
    return Card(device=device, name=found.name, capability=(found.major, found.minor), driver=nvidia().driver)


@contextlib.contextmanager
def memory_of(place: str, shape: tuple[int, int, int, int], engine: str) -> Iterator[None]:
    """Say in one line that the card's memory is too small, and give back what was taken of it.

    Raises:
        MemoryShortError: instead of PyTorch's own error.
    """
    torch = importlib.import_module("torch")
    try:
        yield
    except torch.OutOfMemoryError as error:
        traceback.clear_frames(error.__traceback__)  # what failed holds tensors in its variables
        problem = in_short(error)
    else:
        return
    torch.cuda.empty_cache()
    raise MemoryShortError(
        f"engine {engine}: {place} at {list(shape)} does not fit into the card's memory "
        f"({problem}); end what else uses the card, or use smaller frames or tiles"
    ) from None


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Convolutions that give the same bits in every run, and f32 with all its digits: no TF32.

    Settings of the process. Meanwhile PyTorch's older names for them (`allow_tf32`) may raise when they are
    read, which `torch.export` does: trace before.
    """
    backends: Any = importlib.import_module("torch").backends
    cudnn = backends.cudnn
    rules = {"enabled": True, "benchmark": False, "deterministic": True}
    rules_before = {name: getattr(cudnn, name) for name in rules}
    # One that says "none" does as those before it, so each is asked when they say nothing any more.
    places = (backends, cudnn, cudnn.conv, cudnn.rnn, backends.cuda.matmul)
    before: list[str] = []
    for place in places:
        before.append(place.fp32_precision)
        place.fp32_precision = "none"
    try:
        for place in places:
            place.fp32_precision = "ieee"
        for name, rule in rules.items():
            setattr(cudnn, name, rule)
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision
        for name, rule in rules_before.items():
            setattr(cudnn, name, rule)


def in_short(error: BaseException) -> str:
    """The first line of what an error says, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
