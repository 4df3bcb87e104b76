"""Made-up reports of the benches of speed, as they write them: no measurement."""

from __future__ import annotations

from typing import Any

EAGER_MS, MALLOC_MS, ONNX_MS, F32_MS, BF16_MS = 100.0, 50.0, 40.0, 30.0, 10.0
TIMES_MS = {
    "torch eager f32": EAGER_MS,
    "torch eager f32, malloc settings": MALLOC_MS,
    "onnxruntime f32": ONNX_MS,
    "openvino f32": F32_MS,
    "openvino bf16": BF16_MS,
    "openvino auto": BF16_MS,
}
ROUNDS = 12


def begun(module: str, amx: bool = False) -> dict[str, Any]:
    """What `bench.measure.begun` states, with nothing of this machine in it."""
    machine = {
        "cpu": "Some CPU",
        "physical_cores": 2,
        "instruction_set": "avx512",
        "flags": {"amx_bf16": amx},
        "ram_gb": 24.0,
        "system": "Linux",
        "versions": {"python": "3.11", "torch": "2.13", "openvino": "2026.4"},
    }
    return {
        "command": f"python -m bench.{module} --json x",
        "date": "2026-11-20T20:00:00+00:00",
        "load_before": 0.1,
        "machine": machine,
        "amx": amx,
        "quick": False,
    }


def engines_report(
    model: str = "er-denoise-live",
    amx: bool = False,
    times_ms: dict[str, float] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A report of `bench.engines`; bf16 is what `auto` chose."""
    rows = [
        {
            "contender": name,
            "threads": 2,
            "compile_s": 1.0,
            "times_ms": [ms] * ROUNDS,
            "relative_rms": 1e-3,
            "tolerance": 2e-2,
            "key": {"precision": "bf16" if name in ("openvino bf16", "openvino auto") else "f32"},
        }
        for name, ms in (times_ms or TIMES_MS).items()
    ]
    stated = {"model": model, "published": False, "shape_yx": [608, 608], "repeats": ROUNDS, "rows": rows}
    return {**begun("engines", amx), **stated, **changes}


def ernet_report(faster: float, closest: float = 0.0) -> dict[str, Any]:
    """A report of `bench.ernet` whose f32 engine is so much faster, and may draw another label."""
    rows = [
        {
            "contender": name,
            "threads": 2,
            "ms": {"n": ROUNDS, "p50": 1000.0 / ratio, "max": 1100.0 / ratio},
            "faster": {"n": ROUNDS, "ratio": ratio, "low": ratio - 0.5, "high": ratio + 0.5},
            "pixels": 360000,
            "labels_differ": int(far > 0),
            "closest": far,
            "largest_difference": 1e-6,
        }
        for name, ratio, far in (
            ("published, torch eager", 1.0, 0.0),
            ("ours, openvino f32", faster, closest),
            ("ours, openvino bf16", 2 * faster, 0.1),
        )
    ]
    return {**begun("ernet"), "shape_yx": [600, 600], "repeats": ROUNDS, "weights": "random", "rows": rows}


def roofline_report(share: float, channels: int = 64, amx: bool = True) -> dict[str, Any]:
    """A report of `bench.roofline` of one denoiser, whose share of the bf16 matrix product is this."""
    rows = [
        {
            "model": "wide",
            "kind": "denoiser",
            "channels": channels,
            "precision": precision,
            "threads": 2,
            "ms": {"n": ROUNDS, "p50": 12.0},
            "gflop": 20.0,
            "megabytes": 100.0,
            "gflop_per_s": 1600.0,
            "share_of_matmul": share,
            "share_of_peak": share / 2,
            "attainable_gflop_per_s": 2000.0,
            "bound": "compute",
        }
        for precision in ("f32", "bf16")
    ]
    peaks = {"copy": 3e10, "openvino matmul f32": 1e12, "openvino matmul bf16": 2e12}
    stated = {"shape_yx": [600, 600], "repeats": ROUNDS, "threads": 2, "peaks_per_s": peaks, "rows": rows}
    return {**begun("roofline", amx), **stated}


def joint_report(ms: float, threads: int = 2) -> dict[str, Any]:
    """A report of `bench.joint` whose joint way takes so long and loses 0.2 and 0.1 dB."""
    ways = {"two single passes, k = 1": (4 * ms, 25.2, 25.5, 1.0), "joint, k = 4": (ms, 25.0, 25.4, 0.9)}
    settings = {"shape": [1200, 1200], "size_px": 600, "movies": 4, "frames": 8}
    return {
        **begun("joint"),
        "settings": {**settings, "precision": "bf16", "threads": threads},
        "times": {name: {"ms": way[0], "worst_ms": 2 * way[0], "rounds": 5} for name, way in ways.items()},
        "quality": {
            name: {
                "channels": [{"psnr_db": way[1], "ssim": 0.9}, {"psnr_db": way[2], "ssim": 0.8}],
                "label_iou": way[3],
            }
            for name, way in ways.items()
        },
    }


def flow_report() -> dict[str, Any]:
    """A report of `bench.flow`."""

    def taken(ms: float, ratio: float) -> dict[str, float]:
        return {"median_ms": ms, "n": 20, "ratio": ratio, "low": ratio - 0.1, "high": ratio + 0.1}

    found = {
        "denoiser f32": {"batch 1": taken(100, 1), "batch 2": taken(105, 1.05)},
        "both f32": {
            "apart": taken(130, 1),
            "fused": taken(127.4, 0.98),
            "agreement": {"relative_rms": 1e-7, "equal_classes": 0.9995},
        },
    }
    return {**begun("flow"), "shape": [608, 608], "repeats": 20, "threads": 1, "found": found}
