"""The NVIDIA card that an engine runs on, seen through PyTorch; or why there is none, in one line."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """Say in one line that the card's memory is too small.

    Raises:
        MemoryShortError: instead of PyTorch's own error.
    """
    torch = importlib.import_module("torch")
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise MemoryShortError(
            f"engine {engine}: {place} at {list(shape)} does not fit into the card's memory "
            f"({in_short(error)}); end what else uses the card, or use smaller frames or tiles"
        ) from None


def in_short(error: BaseException) -> str:
    """The first line of what an error says, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
