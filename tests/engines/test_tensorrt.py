"""TensorRT through torch-tensorrt: each way in which it can lack is a line; the rest where a card is."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import luck
import numpy as np
import pytest
from tiny_package import MakePackage, rewrite

from streamer.engines import Precision, cache, check, tensorrt
from streamer.engines.card import Card
from streamer.engines.half_torch import traced
from streamer.engines.network import load_network
from streamer.engines.nvidia import nvidia
from streamer.engines.plan import TensorRT
from streamer.errors import EngineError, MemoryShortError, PackageError
from streamer.package import ModelPackage, list_packages, load_package

torch = pytest.importorskip("torch")

SHAPE = (1, 1, 32, 40)
without_a_card = pytest.mark.skipif(bool(nvidia().gpus), reason="here is a card")


@pytest.fixture
def package(make_package: MakePackage) -> ModelPackage:
    return load_package(make_package("tiny"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Let `import torch_tensorrt` run a source."""

    def install(source: str) -> None:
        (tmp_path / "torch_tensorrt.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "torch_tensorrt", raising=False)

    return install


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(
            "print('import error'); raise Exception('import error: libnvinfer.so.10')",
            r"cannot be imported \(import error: libnvinfer\.so\.10\)",
            id="its libraries are missing",
        ),
        pytest.param("assert False", r"cannot be imported \(AssertionError\)", id="torch without CUDA"),
        pytest.param(
            "raise OSError('undefined symbol: _ZN3c10\\nmore')",
            r"cannot be imported \(undefined symbol: _ZN3c10\)",
            id="built for another torch",
        ),
        pytest.param("import tensorrt_of_theirs", "tensorrt_of_theirs is not installed", id="half installed"),
    ],
)
def test_an_import_that_fails_is_one_line_with_the_cure(
    installed: Callable[[str], None], capsys: pytest.CaptureFixture[str], source: str, said: str
) -> None:
    installed(source)
    with pytest.raises(EngineError, match=rf"^engine tensorrt: .*{said}.*pip install") as caught:
        tensorrt.torch_tensorrt()
    assert "\n" not in str(caught.value)
    assert not capsys.readouterr().out


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    with pytest.raises(
        EngineError, match=r"torch-tensorrt is not installed; pip install 'scope-streamer\[gpu\]'"
    ):
        tensorrt.torch_tensorrt()


THEIRS = ("torch_tensorrt.dynamo._compiler", "torch_tensorrt [TensorRT Conversion Context]")


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What reaches whoever listens to all logs, as a terminal does."""
    heard: list[str] = []

    class Terminal(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    terminal = Terminal()
    logging.getLogger().addHandler(terminal)
    yield heard
    logging.getLogger().removeHandler(terminal)


@pytest.mark.parametrize("name", THEIRS)
def test_what_torch_tensorrt_says_is_kept_from_the_terminal(name: str, said: list[str]) -> None:
    lines = deque(["of an engine before"])
    with tensorrt.listening(lines):
        logging.getLogger(name).warning("of no use")
        logging.getLogger(name).error(
            "[E] In build at /src/builder.cpp:7 Error Code 2: OutOfMemory\nand more"
        )
    assert said == []
    assert list(lines) == ["[E] Error Code 2: OutOfMemory and more"]
    logging.getLogger(name).error("again")
    assert said == ["again"]
    assert len(lines) == 1


def test_an_import_is_as_silent(installed: Callable[[str], None], said: list[str]) -> None:
    installed(f"import logging\nfor name in {THEIRS}: logging.getLogger(name).error('no TensorRT-LLM here')")
    tensorrt.torch_tensorrt()
    sys.modules.pop("torch_tensorrt")
    assert said == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("Error Code 2: OutOfMemory (Requested size was 17920000000 bytes.)", MemoryShortError),
        ("Error Code 10: Could not find any implementation", EngineError),
    ],
)
def test_what_was_told_says_why_a_conversion_failed(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch, told: str, kind: type[EngineError]
) -> None:
    """torch-tensorrt ends with `assert engine`; TensorRT's own words are in its log."""
    edition = TensorRT(name="tensorrt", module=None, log=SimpleNamespace(lines=deque()))
    nowhere = Card(device=torch.device("cpu"), name="a card", capability=(8, 9), driver="")

    def fail(*_given: Any) -> bytes:
        logging.getLogger(THEIRS[1]).error(told)
        raise AssertionError

    monkeypatch.setattr(tensorrt, "converted", fail)
    with (
        pytest.raises(
            EngineError, match=r"tiny: torch-tensorrt cannot convert it .*\(AssertionError: Error"
        ) as it,
        tensorrt.listening(edition.log.lines),
    ):
        tensorrt._built(package, SHAPE, "f32", nowhere, edition)
    assert type(it.value) is kind
    assert "\n" not in str(it.value)


@without_a_card
def test_without_a_card_nothing_is_imported(
    installed: Callable[[str], None], package: ModelPackage, capsys: pytest.CaptureFixture[str]
) -> None:
    installed("raise SystemExit('imported')")
    with pytest.raises(EngineError, match="engine tensorrt: no NVIDIA GPU"):
        tensorrt.compile_tensorrt(package, SHAPE, precision="f32", threads=1)


def test_int8_is_refused(package: ModelPackage) -> None:
    with pytest.raises(EngineError, match="precision int8 is not built; use f32, f16 or bf16"):
        tensorrt.compile_tensorrt(package, SHAPE, precision="int8", threads=1)


def test_a_package_without_weights_is_refused(make_package: MakePackage) -> None:
    folder = make_package("bare")
    rewrite(folder, lambda description: description.update(weights={}))
    with pytest.raises(PackageError, match="holds neither PyTorch nor ONNX weights"):
        tensorrt._digest(load_package(folder))


def test_the_key_is_of_the_weights_that_are_built(make_package: MakePackage) -> None:
    folder = make_package("two")
    both = load_package(folder)
    rewrite(folder, lambda description: description["weights"].pop("pytorch_state_dict"))
    onnx_only = load_package(folder)
    stated = both.description.weights
    assert stated.pytorch_state_dict
    assert stated.onnx
    assert tensorrt._digest(both) == stated.pytorch_state_dict.sha256
    assert tensorrt._digest(onnx_only) == stated.onnx.sha256


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_what_is_handed_over_holds_no_checks_and_states_its_casts(precision: Precision) -> None:
    """A converter is asked for every operator of this graph; torch-tensorrt 2.13 has them all by name."""
    network, _ = load_network(load_package("er-segment-live"))
    shown = torch.zeros(SHAPE[0], 1, 32, 48)
    with torch.no_grad():
        exported = torch.export.export(traced(network, shown, precision), (shown,))
    called = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert ("aten._to_copy.default" in called) == (precision != "f32")
    assert not [name for name in called if "assert" in name or "autocast" in name]


@pytest.fixture
def ready() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    pytest.importorskip("torch_tensorrt")


@pytest.mark.gpu
@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("precision", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("name", list_packages())
def test_a_shipped_package_holds_its_test_output_on_the_card(name: str, precision: Precision) -> None:
    found = check(load_package(name), engine="tensorrt", precision=precision)
    assert found.holds, found.words


@pytest.mark.gpu
@pytest.mark.usefixtures("ready")
def test_a_plan_is_built_once_on_the_card(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "engines"))
    first = tensorrt.compile_tensorrt(package, SHAPE, precision="f16", threads=1)
    monkeypatch.setattr(tensorrt, "converted", None)
    again = tensorrt.compile_tensorrt(package, SHAPE, precision="f16", threads=1)
    assert first.key == again.key
    shown = np.random.default_rng(luck.seed()).poisson(2.0, SHAPE).astype(np.float32)
    np.testing.assert_array_equal(first(shown), again(shown))


@pytest.mark.gpu
@pytest.mark.usefixtures("ready")
def test_a_package_of_onnx_alone_runs_on_the_card(make_package: MakePackage) -> None:
    folder = make_package("onnx")
    rewrite(folder, lambda description: description["weights"].pop("pytorch_state_dict"))
    found: Any = check(load_package(folder), engine="tensorrt", precision="f32")
    assert found.holds, found.words
