"""How a training went, as a picture."""

from __future__ import annotations

from pathlib import Path

from streamer.training.history import History


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
