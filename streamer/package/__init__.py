"""Model packages: bioimage.io folders (format 0.5) whose files are checked against their sha256 before use.

What bioimage.io has no word for (what a model is for, its partner, its tolerance) stands in
`config: streamer:`. A package without it is still read; its `kind` is then None.
"""

from streamer.package.description import (
    Description,
    FileSource,
    StreamerConfig,
    Tensor,
    Tolerance,
    names_with_past,
)
from streamer.package.install import install_package
from streamer.package.load import ModelPackage, list_packages, load_package
from streamer.package.steps import apply_steps

__all__ = [
    "Description",
    "FileSource",
    "ModelPackage",
    "StreamerConfig",
    "Tensor",
    "Tolerance",
    "apply_steps",
    "install_package",
    "list_packages",
    "load_package",
    "names_with_past",
]
