"""How a training went, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamer.training.loop import Progress

#: Steps whose losses are averaged into one point of the curve.
BIN_STEPS = 50


@dataclass(slots=True)
class History:
    """Losses, averaged over `BIN_STEPS` steps, and the validation scores."""

    loss: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)
    _bin: list[float] = field(default_factory=list)

    def add(self, progress: Progress) -> None:
        """Take in one step."""
        self._bin.append(progress.loss)
        if progress.step % BIN_STEPS == 0:
            self.loss.append((progress.step, sum(self._bin) / len(self._bin)))
            self._bin.clear()
        if progress.scores:
            self.scores.append((progress.step, progress.scores))

    def to_dict(self) -> dict[str, object]:
        """For training.json."""
        return {
            "loss": [[step, round(value, 5)] for step, value in self.loss],
            "validation": [
                {"step": step} | {name: round(value, 4) for name, value in scores.items()}
                for step, scores in self.scores
            ],
        }


def draw_curve(history: History, path: Path) -> None:
    """Draw losses and validation scores over the steps into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([step for step, _ in history.loss], [value for _, value in history.loss])
    left.set(xlabel="step", ylabel="training loss", yscale="log")
    steps = [step for step, _ in history.scores]
    for name in history.scores[-1][1] if history.scores else ():
        right.plot(steps, [scores[name] for _, scores in history.scores], marker=".", label=name)
    right.set(xlabel="step", ylabel="validation score")
    if history.scores:
        right.legend(fontsize="x-small")
    figure.savefig(path, metadata={"Software": None})
