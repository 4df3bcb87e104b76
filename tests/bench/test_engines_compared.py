"""The contenders of `bench.engines`, each in this process, on a package small enough for any test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_package import MakePackage

from bench import engines
from bench.engines import CONTENDERS, ONNX_RUNTIME, ORACLE, make
from bench.engines_page import BF16, CHOSEN, FASTER
from bench.published import write_published
from bench.turns import Ready, Runner, running, serve, tails
from streamer.errors import EngineError
from streamer.package import load_package


class Here:
    """A contender in this process."""

    def __init__(self, ready: Ready) -> None:
        self.threads, self.tolerance, self.key, self.compile_s = (
            ready.threads,
            ready.tolerance,
            ready.key,
            0.0,
        )
        self.times_ms: list[float] = []
        self._ready = ready

    def frame(self) -> float:
        return 1.0

    def output(self) -> Any:
        return self._ready.run(self._ready.frame)


@contextmanager
def here(name: str, make: Callable[[], Ready]) -> Iterator[Here]:
    yield Here(make())


def test_all_agree_with_the_oracle_and_say_their_threads(
    make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tuple(contender for contender in CONTENDERS if not contender.keep_buffers)
    monkeypatch.setattr(engines, "CONTENDERS", few)  # the allocator of the test process stays as it is
    monkeypatch.setattr(engines, "running", here)
    rows = engines.compare(str(make_package("tiny")), (48, 64), 1, 2)
    assert rows[0].contender == ORACLE.name
    assert "openvino f32" in [row.contender for row in rows]
    assert all(row.threads == 1 and row.relative_rms <= row.tolerance for row in rows)
    assert {row.contender: row.key for row in rows}[CHOSEN]["precision"] in ("f32", "bf16")


def test_the_page_asks_of_contenders_that_there_are() -> None:
    assert {*FASTER, BF16, CHOSEN} < {contender.name for contender in CONTENDERS}


def test_onnx_runtime_that_is_not_installed_is_named_with_its_cure(
    make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, ONNX_RUNTIME, None)
    (contender,) = (contender for contender in CONTENDERS if contender.engine == ONNX_RUNTIME)
    with pytest.raises(EngineError, match="pip install onnxruntime"):
        make(contender, str(make_package("tiny")), (48, 64), 1)


def test_a_shape_that_does_not_divide_is_refused(make_package: MakePackage) -> None:
    with pytest.raises(EngineError, match="needs multiples of 8"):
        make(ORACLE, str(make_package("tiny")), (48, 60), 1)


def test_onnx_runtime_agrees_with_the_oracle(make_package: MakePackage) -> None:
    pytest.importorskip(ONNX_RUNTIME)
    (contender,) = (contender for contender in CONTENDERS if contender.engine == ONNX_RUNTIME)
    package = str(make_package("tiny"))
    oracle, found = (make(each, package, (48, 64), 1) for each in (ORACLE, contender))
    np.testing.assert_allclose(found.run(found.frame), oracle.run(oracle.frame), rtol=1e-4, atol=1e-5)


def test_the_package_for_timing_says_that_its_weights_are_random(tmp_path: Path) -> None:
    tiny = {"name": "care-unet", "first": 2, "depth": 1}
    package = load_package(write_published(tmp_path / "timed", tiny))
    assert "random weights" in package.description.name
    assert (
        make(ORACLE, str(package.folder), (16, 16), 1).run(np.zeros((1, 1, 16, 16), np.float32)).shape[1] == 1
    )


def a_ready() -> Ready:
    frame = np.ones((1, 1, 2, 2), np.float32)
    return Ready(run=lambda image: 2 * image, frame=frame, threads=3, tolerance=0.5, key={"of": "a test"})


def a_refusal() -> Ready:
    raise EngineError("not here; use another")


def test_a_contender_lives_in_a_process_of_its_own() -> None:
    with running("twice", a_ready) as runner:
        assert isinstance(runner, Runner)
        assert (runner.threads, runner.tolerance, runner.key) == (3, 0.5, {"of": "a test"})
        assert runner.frame() > 0
        assert runner.output().tolist() == [[[[2.0, 2.0], [2.0, 2.0]]]]


def test_what_a_contender_cannot_do_reaches_the_parent() -> None:
    ours, theirs = Pipe()
    serve(theirs, a_refusal)
    with pytest.raises(EngineError, match="other: not here; use another"):
        Runner(ours, "other")


def test_tails_need_enough_frames() -> None:
    assert tails([1.0] * 9) == ("n too small", "n too small")
    assert tails([float(value) for value in range(11)]) == (1.0, 9.0)
