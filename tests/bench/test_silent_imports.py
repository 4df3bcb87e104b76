"""What measures reports nothing to the makers of what it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"


def test_no_module_of_bench_starts_telemetry() -> None:
    modules = sorted(path.stem for path in BENCH.glob("*.py") if path.stem != "__init__")
    code = (
        f"import importlib, sys; [importlib.import_module(f'bench.{{name}}') for name in {modules}];"
        "print('openvino' in sys.modules, 'openvino_telemetry.main' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=BENCH.parent
    )
    assert done.stdout.strip() == "True False"
