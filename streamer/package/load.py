"""Find a model package, read its description, and hand out its files only as their sha256 promises them."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError

from streamer.errors import PackageError
from streamer.package.description import Description, FileSource, StreamerConfig, explain
from streamer.resources import entries

YAML_NAME = "bioimageio.yaml"
_MAX_YAML_BYTES = 1_000_000
_MAX_FILE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage:
    """A model package whose description is sound and whose files are as it says.

    Attributes:
        folder: where it lies.
        description: what bioimageio.yaml says.
    """

    folder: Path
    description: Description

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def config(self) -> StreamerConfig:
        """What it says under `config: streamer:`."""
        return self.description.config.streamer

    @property
    def kind(self) -> Literal["denoiser", "segmenter"] | None:
        """What it is for; None for a package that was not made for us."""
        return self.config.kind

    @property
    def size_multiple(self) -> int:
        """Height and width of its input must divide by this."""
        return self.config.size_multiple

    @property
    def past_frames(self) -> int:
        """How many frames before the present one a denoiser looks at, of the same view."""
        return len(self.description.inputs[0].channel_names) - 1 if self.config.context == "time" else 0

    @property
    def gives_uncertainty(self) -> bool:
        """Whether a denoiser gives the standard deviation of each image behind the images."""
        made = len(self.description.outputs[0].channel_names)
        return self.kind == "denoiser" and made == 2 * self.channels

    @property
    def channels(self) -> int:
        """How many detection channels of one moment a denoiser takes at once; 1 for all but joint ones."""
        return len(self.description.inputs[0].channel_names) if self.config.context == "channels" else 1

    @property
    def trained_box_sum(self) -> tuple[float, float] | None:
        """Photon range of its training (lowest, highest median sum in foreground boxes), where stated."""
        stated = self.config.trained_photons
        return stated.median_box_sum if stated else None

    def read(self, file: FileSource) -> bytes:
        """A file's bytes, checked against its sha256.

        Raises:
            PackageError: the file is elsewhere, missing, outside the folder, too large or damaged.
        """
        content = self._locate(file).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if file.sha256 is not None and found != file.sha256:
            raise PackageError(
                f"{self.id}/{file.source}: sha256 is {found}, {YAML_NAME} says {file.sha256}; "
                "the file is damaged or was changed, install the package again"
            )
        return content

    def test_input(self) -> NDArray[np.float32]:
        """The test input, [1, c, y, x], before the package's own preprocessing."""
        return self._tensor(self.description.inputs[0].test_tensor)

    def test_output(self) -> NDArray[np.float32]:
        """What the first output must be for the test input, after the package's own postprocessing."""
        return self._tensor(self.description.outputs[0].test_tensor)

    def require(self, kind: Literal["denoiser", "segmenter"]) -> ModelPackage:
        """This package, where it is of that kind.

        Raises:
            PackageError: it is of another kind.
        """
        if self.kind != kind:
            raise PackageError(
                f"{self.id}: is {self.kind or 'of no kind we know'}; use a {kind} package here"
            )
        return self

    def hashes(self) -> dict[str, str]:
        """sha256 of the description and of every file that an engine may need, by name.

        Raises:
            PackageError: one of them is not as the description says.
        """
        contents = {file.source: self.read(file) for file in self._files()}
        contents[YAML_NAME] = (self.folder / YAML_NAME).read_bytes()
        return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}

    def _files(self) -> list[FileSource]:
        tensors = (*self.description.inputs, *self.description.outputs)
        weights = self.description.weights
        used = (weights.onnx, weights.pytorch_state_dict, *(tensor.test_tensor for tensor in tensors))
        return [file for file in used if file is not None and not file.is_remote]

    def _locate(self, file: FileSource) -> Path:
        if file.is_remote:
            raise PackageError(f"{self.id}: {file.source} is not in the package; download it into the folder")
        path = (self.folder / file.source).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise PackageError(
                f"{self.id}: {file.source} lies outside the package; keep its files in its folder"
            )
        if not path.is_file():
            raise PackageError(f"{self.id}/{file.source}: no such file; install the package again")
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise PackageError(f"{self.id}/{file.source}: larger than 2 GiB; such a model cannot run live")
        return path

    def _tensor(self, file: FileSource) -> NDArray[np.float32]:
        self.read(file)
        try:  # a memory map allocates nothing, whatever shape a hostile header claims
            return np.array(np.lib.format.open_memmap(self._locate(file), mode="r"), dtype=np.float32)
        except (ValueError, TypeError, OverflowError, OSError) as error:
            raise PackageError(
                f"{self.id}/{file.source}: not a .npy array ({error}); export it again"
            ) from None


def list_packages() -> dict[str, Path]:
    """Ids and folders of the packages that can be named, the user's own before the bundled ones."""
    return {path.name: path for path in entries("models") if (path / YAML_NAME).is_file()}


def load_package(name_or_path: str | Path) -> ModelPackage:
    """A model package by id, or by the path of its folder, with every file checked.

    Raises:
        PackageError: it cannot be found or used; value, place and cure in each line.
    """
    folder = _find(name_or_path)
    place = f"{folder.name}/{YAML_NAME}"
    try:
        description = Description.model_validate(_read_yaml(folder / YAML_NAME, place))
    except ValidationError as error:
        raise PackageError("\n".join(f"{place}: {line}" for line in explain(error))) from None
    package = ModelPackage(folder=folder, description=description)
    package.hashes()  # reads and checks every file
    return package


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.name == YAML_NAME and path.is_file():
        return path.parent.resolve()
    known = list_packages()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    if (path / YAML_NAME).is_file():
        return path.resolve()
    if len(path.parts) > 1 or path.is_dir():
        raise PackageError(f"{path}: holds no {YAML_NAME}; give the folder of a bioimage.io model package")
    close = difflib.get_close_matches(str(name_or_path), known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    names = ", ".join(known) or "none"
    raise PackageError(
        f'no model is called "{name_or_path}"; {hint}known: {names}; or give a package\'s folder'
    )


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases, which let a small file unfold into a huge one."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed, write the value out")
        return super().compose_node(parent, index)


def _read_yaml(path: Path, place: str) -> object:
    if path.stat().st_size > _MAX_YAML_BYTES:
        raise PackageError(f"{place}: larger than {_MAX_YAML_BYTES} bytes; a description is a short file")
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise PackageError(f"{place}: not YAML: {problem}; correct it there") from None
