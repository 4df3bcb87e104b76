"""A checkpoint of ERnet becomes a package that every engine here computes alike."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import luck
import numpy as np
import onnx
import pytest
import torch
from apps_cli import Cli
from numpy.typing import NDArray

import bench.ernet
from bench.ernet_published import Published, labels_that_differ, telling
from bench.turns import Ready
from streamer.engines import check, compile_engine, relative_rms
from streamer.errors import PackageError
from streamer.networks import ERnet
from streamer.networks.ernet_input import ernet_input
from streamer.package import ModelPackage, load_package
from streamer.training.ernet import import_ernet, load_ernet


@pytest.fixture(scope="module")
def network() -> ERnet:
    return telling(luck.seed(), probabilities=True)


@pytest.fixture(scope="module")
def package(network: ERnet, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder = tmp_path_factory.mktemp("ernet")
    weights = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": weights}, folder / "published.pth")
    import_ernet(folder / "published.pth", folder / "ernet")
    return load_package(folder / "ernet")


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_every_engine_holds_the_test_output(package: ModelPackage, engine: str) -> None:
    assert check(package, engine=engine, threads=1).holds


@pytest.mark.parametrize("shape", [(34, 50), (2, 64)], ids=str)
def test_openvino_draws_the_labels_of_the_published_formulation(
    package: ModelPackage, network: ERnet, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(luck.seed())
    image = (np.floor(random.random((1, 1, *shape)) * 255) / 255).astype(np.float32)
    engine = compile_engine(package, shape, engine="openvino", precision="f32", threads=1)
    with torch.inference_mode():
        logits = Published(network)(torch.from_numpy(image))
    expected = torch.softmax(logits, 1).numpy()
    found = engine(image)
    assert relative_rms(found, expected) < 1e-5
    assert labels_that_differ(torch.from_numpy(found), torch.from_numpy(expected))[1] <= bench.ernet.ROUNDING


def test_the_graph_goes_row_by_row_with_the_weights_of_every_block(package: ModelPackage) -> None:
    model = onnx.load(package.folder / "weights.onnx")
    scans = [node for node in model.graph.node if node.op_type == "Scan"]
    assert len(scans) == 2
    assert not [node for node in model.graph.node if node.domain]
    for scan in scans:
        body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
        assert sum(held.name.endswith("_qkv") for held in body.initializer) == 6


def test_the_graph_says_nothing_of_where_it_was_made(package: ModelPackage) -> None:
    content = (package.folder / "weights.onnx").read_bytes()
    assert b"site-packages" not in content
    assert str(Path.cwd()).encode() not in content


def test_a_folder_that_is_there_is_left_alone(package: ModelPackage) -> None:
    with pytest.raises(PackageError, match="is there already"):
        import_ernet(package.folder.parent / "published.pth", package.folder)


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, network: ERnet) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("run",))

    few = dict(list(network.state_dict().items())[:4])
    wide = network.state_dict() | {"norm.weight": torch.zeros(65)}
    torch.save({"state_dict": few}, tmp_path / "few.pth")
    torch.save({"state_dict": wide}, tmp_path / "wide.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"state_dict": {"norm.weight": "text"}}, tmp_path / "text.pth")
    (tmp_path / "harm.pth").write_bytes(pickle.dumps(Harm(), protocol=2))
    (tmp_path / "empty.pth").write_bytes(b"")
    words = {
        "few": "not ERnet's weights",
        "wide": "not ERnet's weights",
        "list": "holds no state_dict",
        "text": "not ERnet's weights",
        "harm": "no checkpoint of tensors alone",
        "empty": "no checkpoint",
        "absent": "cannot be read",
    }
    for name, expected in words.items():
        with pytest.raises(PackageError, match=expected) as refusal:
            load_ernet(tmp_path / f"{name}.pth")
        assert "\n" not in str(refusal.value)


def test_the_command_says_what_is_wrong_in_one_line(cli: Cli, tmp_path: Path) -> None:
    done = cli("models", "import-ernet", tmp_path / "absent.pth", "--out", tmp_path / "ernet")
    assert done.code == 2
    assert "absent.pth: cannot be read (No such file or directory)" in done.err
    assert not (tmp_path / "ernet").exists()


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.training.ernet.MAX_BYTES", 10)
    (tmp_path / "large.pth").write_bytes(bytes(11))
    with pytest.raises(PackageError, match="larger than"):
        load_ernet(tmp_path / "large.pth")


def test_the_input_is_that_of_the_published_steps() -> None:
    random = np.random.default_rng(luck.seed())
    stack = random.gamma(2.0, 50.0, (3, 40, 50))
    over_stack = (stack - stack.min()) / (stack.max() - stack.min())
    low, high = np.percentile(over_stack[1], 1), np.percentile(over_stack[1], 99)
    rescaled = (np.clip(over_stack[1], low, high) - low) / (high - low)
    expected = (rescaled * 255).astype(np.uint8) / np.float32(255)
    found = ernet_input(stack[1])
    assert found.dtype == np.float32
    # A value that lies on a grey level may fall to the level below in one of the two roundings.
    assert np.abs(found - expected).max() < 1.001 / 255
    assert np.mean(found != expected) < 0.01


class Here:
    """A contender in this process."""

    def __init__(self, ready: Ready) -> None:
        self.threads, self.times_ms = ready.threads, list[float]()
        self._ready = ready

    def frame(self) -> float:
        self._ready.run(self._ready.frame)
        return 1.0

    def output(self) -> NDArray[np.float32]:
        return self._ready.run(self._ready.frame)


@contextmanager
def here(name: str, make: Callable[[], Ready]) -> Iterator[Here]:
    yield Here(make())


def test_the_bench_finds_equal_labels_in_f32(
    tmp_path: Path, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = package.folder.parent / "published.pth"
    monkeypatch.setattr(bench.ernet, "running", here)
    monkeypatch.setattr(bench.ernet_published, "telling", lambda seed, **_: load_ernet(checkpoint))
    rows = bench.ernet.compare(package.folder, (40, 64), 1, 2)
    assert [row.contender for row in rows][:2] == [
        bench.ernet.PUBLISHED,
        "published without its mask of zeros",
    ]
    for row in rows:
        assert row.ms["n"] == row.faster["n"] == 2
        if row.contender.endswith("f32"):
            assert row.threads == 1
            assert row.closest <= bench.ernet.ROUNDING
            assert row.labels_differ < 1e-3 * row.pixels
            assert row.largest_difference < 1e-4


@pytest.mark.parametrize("value", [0, 7])
def test_a_frame_without_structure_gives_zeros(value: int) -> None:
    assert not ernet_input(np.full((8, 8), value, dtype=np.uint16)).any()
