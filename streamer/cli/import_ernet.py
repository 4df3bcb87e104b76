"""`streamer models import-ernet`: a published checkpoint to a model package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamer.errors import PackageError


def import_ernet(
    checkpoint: Annotated[Path, typer.Argument(help="ERnet's published .pth file.")],
    out: Annotated[Path, typer.Option(help="Folder of the package, which must not exist.")] = Path("ernet"),
) -> None:
    """Make a model package of an ERnet checkpoint: four classes, one channel.

    Its weights are not ours to ship: download them from their authors. Nothing in the file is run: it is read
    as tensors, and refused if it holds anything else. `streamer models check FOLDER` then runs it here.

    Example: streamer models import-ernet 20220306_ER_4class_swinir_nch1.pth --out ernet
    """
    try:
        from streamer.training.ernet import import_ernet as make
    except ImportError:
        raise PackageError(
            "import-ernet needs PyTorch and onnx; pip install 'scope-streamer[train]'"
        ) from None
    make(checkpoint, out)
    typer.echo(f"{out}: a model package; try streamer models check {out}")
