"""`auto` takes the fastest engine that passes the package's test tensors, and says why."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from tiny_package import MakePackage, rewrite

from streamer.engines import Choice, Engine, choice, choose, select
from streamer.engines.choice import Tried, in_words, preferred
from streamer.engines.cpu import instruction_set
from streamer.engines.ladder import Absence
from streamer.engines.nvidia import Nvidia, nvidia
from streamer.errors import EngineError, MemoryShortError, PackageError
from streamer.package import ModelPackage, load_package
from streamer.pipeline.compiled import Compiled

SHAPE = (48, 64)
NO_GPU = Absence("no NVIDIA GPU")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about the choice among engines of the processor."""
    monkeypatch.setattr("streamer.engines.ladder.nvidia", lambda: Nvidia(problem="no NVIDIA GPU"))


@pytest.fixture
def package(make_package: MakePackage) -> ModelPackage:
    return load_package(make_package("tiny"))


class Slowed:
    """A real engine with a clock that a test can read, or one that fails."""

    def __init__(self, engine: Engine, clock: list[float], takes_s: float) -> None:
        self.key, self._engine, self._clock, self._takes_s = engine.key, engine, clock, takes_s

    def __call__(self, tensor: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self._clock[0] += self._takes_s
        return self._engine(tensor)


#: Makes OpenVINO take so long at a precision, in seconds, or fail with an error of its runtime.
Arrange = Callable[[Mapping[str, float | Exception]], None]


@pytest.fixture
def arrange(monkeypatch: pytest.MonkeyPatch) -> Arrange:
    def set_up(times: Mapping[str, float | Exception]) -> None:
        clock, real = [0.0], select.ENGINES["openvino"]

        def compile_(*args: Any, precision: Any, **how: Any) -> Engine:
            takes_s = times[precision]
            if isinstance(takes_s, Exception):
                raise takes_s
            return Slowed(real(*args, precision="f32", **how), clock, takes_s)

        monkeypatch.setitem(select.ENGINES, "openvino", compile_)
        monkeypatch.setattr(choice, "precisions", lambda name: ("f32", *(times.keys() - {"f32"})))
        monkeypatch.setattr("streamer.engines.trial.time.perf_counter", lambda: clock[0])

    return set_up


F32, BF16 = Tried("openvino", "f32", 37.2), Tried("openvino", "bf16", 17.8)


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        pytest.param([F32], 0, id="only one"),
        pytest.param([F32, BF16], 1, id="a lower precision that is clearly faster"),
        pytest.param([F32, Tried("openvino", "bf16", 36.0)], 0, id="one that is hardly faster"),
        pytest.param([F32, Tried("openvino", "bf16", 120.0)], 0, id="one that is slower"),
        pytest.param([BF16, Tried("torch", "f32", 1.0)], 0, id="PyTorch comes last"),
        pytest.param([Tried("tensorrt", "f16", 36.0), F32], 1, id="exact unless clearly slower"),
        pytest.param([Tried("tensorrt", "f16", 3.0), Tried("cuda", "f16", 2.0), F32], 1, id="two lower"),
        pytest.param([Tried("cuda", "f32", 20.0), F32, BF16], 2, id="clearly faster than the fastest"),
    ],
)
def test_the_fastest_is_taken_and_the_exact_one_in_doubt(tried: list[Tried], expected: int) -> None:
    assert preferred(tried) == expected


@pytest.mark.parametrize(
    ("tried", "refused", "absent", "expected"),
    [
        pytest.param(
            [F32, BF16],
            [],
            {"tensorrt": NO_GPU, "cuda": NO_GPU, "torch": Absence("PyTorch is not installed")},
            "openvino bf16, 18 ms (f32 37 ms); tensorrt, cuda: no NVIDIA GPU",
            id="what is above and not here",
        ),
        pytest.param(
            [Tried("cuda", "f16", 1.234), F32],
            [],
            {"tensorrt": Absence("torch-tensorrt is not installed", "pip install 'scope-streamer[gpu]'")},
            "cuda f16, 1.2 ms (openvino f32 37 ms); "
            "tensorrt: torch-tensorrt is not installed, pip install 'scope-streamer[gpu]'",
            id="what an install would give",
        ),
        pytest.param(
            [F32],
            ["tiny: openvino bf16 strays by 0.1; use another"],
            {},
            "openvino f32, 37 ms; refused: tiny: openvino bf16 strays by 0.1",
            id="what was refused",
        ),
        pytest.param(
            [Tried("torch", "f32", 1570.0)],
            [],
            {"openvino": Absence("OpenVINO is not installed", "pip install 'scope-streamer[processor]'")},
            "torch f32, 1,570 ms; openvino: OpenVINO is not installed, pip install "
            "'scope-streamer[processor]'; OpenVINO is usually 2 to 4 times faster",
            id="the last resort",
        ),
    ],
)
def test_one_line_says_what_and_why(
    tried: list[Tried], refused: list[str], absent: dict[str, Absence], expected: str
) -> None:
    assert in_words(tried, refused=refused, absent=absent) == expected


def test_an_engine_that_fails_or_strays_is_refused_and_the_next_taken(
    package: ModelPackage, arrange: Arrange, caplog: pytest.LogCaptureFixture
) -> None:
    arrange({"f32": 0.05, "bf16": RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore")})
    with caplog.at_level(logging.WARNING):
        chosen = choose(package, SHAPE, engine="openvino", threads=1)
    assert chosen.engine.key.precision == "f32"
    (line,) = chosen.refused
    assert line.startswith("engine openvino bf16: CUDA out of memory. Tried to allocate 2 GiB; give its")
    assert "refused: engine openvino bf16: CUDA out of memory" in chosen.words
    assert caplog.messages == [line]


def test_where_tiles_help_a_lack_of_memory_leads_to_no_other_engine(
    make_package: MakePackage, arrange: Arrange
) -> None:
    short = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    arrange({"f32": short, "bf16": short})
    folder = make_package("tiny")
    assert choose(load_package(folder), SHAPE, threads=1).engine.key.runtime == "torch"
    rewrite(folder, lambda told: told["config"]["streamer"].update(reach_px=4))
    with pytest.raises(MemoryShortError, match="out of memory"):
        choose(load_package(folder), SHAPE, threads=1)


def test_a_precision_that_needs_less_memory_comes_before_tiles(
    make_package: MakePackage, arrange: Arrange
) -> None:
    arrange({"f32": RuntimeError("CUDA out of memory"), "bf16": 0.05})
    folder = make_package("tiny")
    rewrite(folder, lambda told: told["config"]["streamer"].update(reach_px=4))
    chosen = choose(load_package(folder), SHAPE, threads=1)
    assert "out of memory" in chosen.refused[0]
    assert chosen.engine.key.runtime == "openvino"


def test_the_trial_decides_on_this_machine(package: ModelPackage, arrange: Arrange) -> None:
    arrange({"f32": 0.05, "bf16": 0.02})
    words = choose(package, SHAPE, engine="openvino", threads=1).words
    assert words.startswith("openvino f32, 20 ms (f32 50 ms)")  # f32 in both, which the key tells


def test_what_strays_in_every_way_is_an_error_of_one_line(make_package: MakePackage) -> None:
    folder = make_package("wrong")
    np.save(folder / "test_output.npy", 1.5 * np.load(folder / "test_output.npy"))
    rewrite(folder, lambda description: description["outputs"][0]["test_tensor"].pop("sha256"))
    with pytest.raises(EngineError, match=r"openvino f32 strays .* torch f32 strays") as raised:
        choose(load_package(folder), SHAPE, threads=1)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("weights", [{}, {"torchscript": {"source": "weights.torchscript"}}], ids=str)
def test_a_package_without_usable_weights_says_what_to_add(
    make_package: MakePackage, weights: dict[str, Any]
) -> None:
    folder = make_package("bare")
    rewrite(folder, lambda description: description.update(weights=weights))
    with pytest.raises(PackageError, match="bare: holds no weights that we can use; add ONNX weights"):
        choose(load_package(folder), SHAPE, threads=1)


def test_damaged_onnx_weights_lead_to_the_next_engine(make_package: MakePackage) -> None:
    folder = make_package("damaged")
    (folder / "weights.onnx").write_bytes((folder / "weights.onnx").read_bytes()[:-100])
    rewrite(folder, lambda description: description["weights"]["onnx"].pop("sha256"))
    chosen = choose(load_package(folder), SHAPE, threads=1)
    assert chosen.engine.key.runtime == "torch"
    assert "damaged/weights.onnx: OpenVINO cannot read it" in chosen.words


def test_an_operator_that_no_engine_knows_is_named(make_package: MakePackage) -> None:
    onnx = pytest.importorskip("onnx")
    folder = make_package("fancy")
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1, 1, "y", "x"]) for name in ("in", "out")]
    node = onnx.helper.make_node("Fancy", ["in"], ["out"], domain="my.lab")
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("my.lab", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), folder / "weights.onnx")
    rewrite(folder, lambda description: description["weights"].pop("pytorch_state_dict"))
    rewrite(folder, lambda description: description["weights"]["onnx"].pop("sha256"))
    with pytest.raises(EngineError, match=r"No conversion rule found for operations: my\.lab\.Fancy"):
        choose(load_package(folder), SHAPE, threads=1)


#: What a process without some of the runtimes says and has imported.
REMOVED = """
import sys
for name in {removed!r}:
    sys.modules[name] = None
reached = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        reached.append(event)
sys.addaudithook(hook)
from streamer.engines import choose
from streamer.errors import StreamerError
from streamer.package import load_package
try:
    chosen = choose(load_package(sys.argv[1]), (48, 64), threads=1)
    print(chosen.words)
except StreamerError as error:
    print("error", error)
print([name for name in ("torch", "openvino", "openvino_telemetry") if sys.modules.get(name)], reached)
"""


@pytest.mark.parametrize(
    ("removed", "expected", "imported"),
    [
        pytest.param([], "openvino ", ["openvino"], id="both are here"),
        pytest.param(["torch"], "openvino ", ["openvino"], id="without torch"),
        pytest.param(["openvino"], "torch f32, ", ["torch"], id="without openvino"),
        pytest.param(
            ["torch", "openvino"],
            "error no engine is installed; pip install 'scope-streamer[processor]' (",
            [],
            id="without either",
        ),
    ],
)
def test_auto_lives_with_what_is_installed_and_talks_to_nobody(
    make_package: MakePackage, removed: list[str], expected: str, imported: list[str]
) -> None:
    if nvidia().gpus:
        pytest.skip("auto would take the GPU")
    code = REMOVED.format(removed=removed)
    done = subprocess.run(
        [sys.executable, "-c", code, str(make_package("tiny"))], capture_output=True, text=True, check=True
    )
    words, modules = done.stdout.splitlines()
    assert words.startswith(expected)
    assert modules == f"{imported} []"
    assert ("2 to 4 times faster" in words) == (removed == ["openvino"])


def test_a_named_engine_that_is_not_here_says_why(package: ModelPackage) -> None:
    if choice.absence("openvino-gpu") is None:
        pytest.skip("there is an Intel GPU")
    with pytest.raises(EngineError, match=r"engine openvino-gpu: (no|an) Intel GPU"):
        choose(package, SHAPE, engine="openvino-gpu")


def test_a_run_computes_all_its_frames_with_one_engine(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def choosing(*args: Any, **how: Any) -> Choice:
        asked.append(how)
        return choose(*args, **how)

    monkeypatch.setattr("streamer.pipeline.compiled.choose", choosing)
    networks = Compiled(package, threads=1)
    assert networks.words == ""
    first, again, other = networks(SHAPE), networks(SHAPE), networks((48, 72))
    assert first is again
    assert asked[0] == {"engine": "auto", "precision": "auto", "threads": 1}
    assert asked[1:] == [{"engine": first.key.runtime, "precision": first.key.precision, "threads": 1}]
    assert other.key.precision == first.key.precision
    assert networks.words.startswith(f"tiny: {first.key.runtime} {first.key.precision}, ")


def test_a_run_goes_on_with_another_engine_where_the_first_cannot_take_a_shape(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    monkeypatch.setattr("streamer.pipeline.compiled.keep_buffers", lambda: kept.append("kept"))
    networks = Compiled(package, threads=1)
    networks(SHAPE)
    assert kept == []  # OpenVINO keeps its own

    def refusing(*args: Any, engine: str, **how: Any) -> Choice:
        if engine != "auto":
            raise EngineError("engine openvino: out of memory; use smaller frames")
        return choose(*args, engine="torch", **how)

    monkeypatch.setattr("streamer.pipeline.compiled.choose", refusing)
    assert networks((48, 72)).key.runtime == "torch"
    assert kept == ["kept"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_glibc_keeps_buffers_where_it_is_told_to() -> None:
    code = "from streamer.engines.memory import keep_buffers; print(keep_buffers())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


#: What a process says whose processor has no instructions for bf16.
EMULATED = """
import sys
from streamer.engines import choose
from streamer.package import load_package
chosen = choose(load_package("er-segment-live"), (256, 256), engine="openvino", threads=1)
print(chosen.engine.key.precision, chosen.words)
"""


@pytest.mark.skipif(not instruction_set().startswith(("avx512", "amx")), reason="needs AVX-512 to switch off")
def test_without_instructions_for_bf16_f32_is_taken() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EMULATED],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},  # OpenVINO cannot compile bf16 for it
    )
    assert done.stdout.startswith("f32 openvino f32, ")
