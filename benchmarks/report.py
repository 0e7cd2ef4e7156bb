"""python -m benchmarks.report results.json > docs/benchmarks.md: the page of a run's results, losses first."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COLUMNS = {
    "numpy": "NumPy",
    "torch": "PyTorch",
    "mkl": "PyTorch, MKL forced",
    "compiled": "torch.compile",
    "eager": "Weft, eager",
    "jax": "JAX jit",
    "onnxruntime": "onnxruntime",
}

INTRODUCTION = """# Benchmarks

`python -m benchmarks --json results.json` measures the machine's limits, then each case in turns with its opponents;
`python -m benchmarks.report results.json` writes this page. Ratios above one mean that Weft is faster: the median, over
the rounds, of the opponent's time divided by Weft's.

Opponents are PyTorch as installed, PyTorch with its MKL told that the processor is Intel's (on others it takes its AVX2
kernels otherwise), `torch.compile`, JAX's `jit`, NumPy, and for inference onnxruntime. The second and third live in
processes of their own and take turns over a pipe. Before a turn the harness waits until the threads of the last library
sleep (OpenBLAS's and OpenMP's spin for up to 0.1 s after a call) and warms the next one up. After a turn it sees
whether all threads still reach the limit of multiply-adds: hosts of virtual machines put two processors on one core,
for seconds at a time, and a turn that such a time met is taken again afterwards.

"Of the limit" is the fraction of what multiply-adds in registers or memory allow at least, as measured in the same run:
the work that a case must do, not what a library happens to do. What is read from cache exceeds the memory limit.
"""


def page(report: dict[str, Any]) -> str:
    results = [r for r in report["results"] if not r["error"]]
    broken = [r for r in report["results"] if r["error"]]
    losses = sorted((r for r in results if worst(r) < 1), key=worst)
    models = [r for r in results if r["group"].startswith("models/")]
    kernels = [r for r in results if not r["group"].startswith("models/")]
    parts = [INTRODUCTION, machine(report["machine"], report["limits"])]
    beaten = [r for r in results if r["ratio"]]
    parts.append(
        f"## Where Weft loses\n\n{len(losses)} of {len(beaten)} cases with an opponent are below the best of them.\n"
    )
    if losses:
        parts.append(table(losses, with_best=True))
    if broken:
        parts.append("\n".join(f"- {name(r)} did not run: {r['error'].splitlines()[0]}" for r in broken) + "\n")
    for title, some in (("Whole workloads", models), ("Kernels", kernels)):
        if some:
            parts.append(f"## {title}\n\n{table(some)}")
    if disturbed := [name(r) for r in results if r.get("disturbed", 0) > 0.1]:
        parts.append(f"Others took more than a tenth of the processors while these ran: {', '.join(disturbed)}.\n")
    if halved := [name(r) for r in results if r.get("halved")]:
        parts.append(f"Threads shared a core while these ran: {', '.join(halved)}.\n")
    if missing := [(r, lib, why) for r in results for lib, why in r["missing"].items()]:
        lines = "\n".join(f"- {name(r)}: {COLUMNS[lib]}, {' '.join(why.split())}" for r, lib, why in missing)
        parts.append(f"## Opponents that could not run\n\n{lines}\n")
    return "\n".join(parts)


def worst(r: dict[str, Any]) -> float:
    """Against the best opponent."""
    return min(r["ratio"].values(), default=float("inf"))


def machine(names: dict[str, str], limits: dict[str, Any]) -> str:
    shown = [k for k in names if k in COLUMNS or k in ("weft", "python")]
    versions = ", ".join(f"{COLUMNS.get(k, k.capitalize()).removesuffix(' jit')} {names[k]}" for k in shown)
    return (
        f"{names['date']}: {limits['threads']} threads of {names['processor']} ({limits['isa']}), {names['system']}; "
        f"{versions}.\n\nLimits: float32 {limits['flops_one'] / 1e9:.0f} GFLOP/s on one thread, "
        f"{limits['flops'] / 1e9:.0f} on all; memory read {limits['read'] / 1e9:.1f}, copy {limits['copy'] / 1e9:.1f}, "
        f"triad {limits['triad'] / 1e9:.1f} (with stores past the caches {limits['triad_past'] / 1e9:.1f}) GB/s.\n"
    )


def table(results: Sequence[dict[str, Any]], with_best: bool = False) -> str:
    """Columns only for the opponents that occur."""
    opponents = [lib for lib in COLUMNS if any(lib in r["ratio"] for r in results)]
    titles = ["case", "Weft", "rate", "of the limit", *(f"x {COLUMNS[lib]}" for lib in opponents)]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for r in results:
        seconds, of_limit = r["seconds"]["weft"], r["of_limit"]
        cells = [
            f"{r['group'].partition('/')[2]}: {name(r)}" if with_best else name(r),
            duration(seconds),
            rate(r["flops"], r["bytes"], seconds),
            f"{100 * of_limit:.0f} %" if of_limit is not None else "",
            *(f"{r['ratio'][lib]:.2f}" if lib in r["ratio"] else "" for lib in opponents),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def name(r: dict[str, Any]) -> str:
    return r["name"].replace("_", " ")


def rate(flops: float, nbytes: float, seconds: float) -> str:
    if flops:
        return f"{flops / seconds / 1e9:.1f} GFLOP/s"
    return f"{nbytes / seconds / 1e9:.1f} GB/s" if nbytes else ""


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def merge(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several runs on one machine as one: the last result of a case counts."""
    results = {(r["group"], r["name"]): r for report in reports for r in report["results"]}
    return {**reports[-1], "results": list(results.values())}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(page(merge([json.loads(Path(file).read_text()) for file in sys.argv[1:]])), end="")
