"""How a training goes: where it stands after a step, and what it did until then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Steps whose losses are averaged into one point of the curve.
BIN_STEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands after a step; `scores` where the running mean was judged at this step."""

    step: int
    loss: float
    learning_rate: float
    scores: Mapping[str, float]


@dataclass(slots=True)
class History:
    """Losses, averaged over `BIN_STEPS` steps, validation scores, the first loss, the seconds taken."""

    loss: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)
    first_loss: float | None = None
    pending: list[float] = field(default_factory=list)
    seconds: float = field(default=0.0, compare=False)

    def add(self, progress: Progress) -> None:
        """Take in one step."""
        if self.first_loss is None:
            self.first_loss = progress.loss
        self.pending.append(progress.loss)
        if progress.step % BIN_STEPS == 0:
            self.loss.append((progress.step, sum(self.pending) / len(self.pending)))
            self.pending.clear()
        if progress.scores:
            self.scores.append((progress.step, progress.scores))

    def state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "loss": list(self.loss),
            "scores": [(step, dict(scores)) for step, scores in self.scores],
            "first_loss": self.first_loss,
            "pending": list(self.pending),
            "seconds": self.seconds,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a stored state."""
        self.loss, self.scores = list(state["loss"]), list(state["scores"])
        self.first_loss, self.pending = state["first_loss"], list(state["pending"])
        self.seconds = float(state["seconds"])

    def to_dict(self) -> dict[str, object]:
        """For training.json."""
        return {
            "loss": [[step, round(value, 5)] for step, value in self.loss],
            "validation": [
                {"step": step} | {name: round(value, 4) for name, value in scores.items()}
                for step, scores in self.scores
            ],
        }
