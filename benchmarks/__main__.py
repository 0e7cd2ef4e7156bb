"""python -m benchmarks [--filter softmax] [--json results.json]"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import weft
from benchmarks.harness import LIBRARIES, Result, discover, measure
from benchmarks.limits import Limits, measure_limits


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--filter", default="", help="only cases whose file/name contains this")
    parser.add_argument("--json", metavar="FILE", help="write machine, limits and results here as well")
    parser.add_argument("--budget", type=float, default=0.5, help="seconds for each case and library")
    parser.add_argument("--threads", type=int, help="of every library; default: as many as weft uses")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    options = parser.parse_args()

    cases = list(discover(options.filter))
    if options.list:
        for b, index in cases:
            print(b.names()[index])
        return 0
    if options.threads:
        weft.set_num_threads(options.threads)
    limits = measure_limits()
    print_limits(limits)
    results = []
    print(header(), flush=True)
    for b, index in cases:
        try:
            result = measure(b.case(index), limits, options.budget)
        except Exception as e:  # a case that fails is reported, and the others still run
            result = Result(b.names()[index], {}, {}, error=f"{type(e).__name__}: {e}")
        results.append(result)
        print(row(result), flush=True)
    if options.json:
        report = {"machine": machine(), "limits": limits.to_dict(), "results": [asdict(r) for r in results]}
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(r.error for r in results) else 0


def machine() -> dict[str, str]:
    names = {"python": platform.python_version(), "system": platform.platform(), "processor": processor()}
    for library in LIBRARIES:
        try:
            names[library] = version(library)
        except PackageNotFoundError:
            continue
    return names


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def print_limits(limits: Limits) -> None:
    print(", ".join(f"{k} {v}" for k, v in machine().items()))
    print(
        f"{limits.isa}, {limits.threads} threads: float32 {limits.flops_one / 1e9:.0f} GFLOP/s on one, "
        f"{limits.flops / 1e9:.0f} on all; memory read {limits.read / 1e9:.1f}, copy {limits.copy / 1e9:.1f}, "
        f"triad {limits.triad / 1e9:.1f} GB/s\n"
    )


def header() -> str:
    others = "".join(f"{'x ' + lib:>9}" for lib in LIBRARIES[1:])
    return f"{'case':<52}{'weft':>11}{'rate':>14}{'limit':>7}{others}"


def row(r: Result) -> str:
    if r.error:
        return f"{r.name:<52}  {r.error}"
    seconds = r.seconds["weft"]
    rate = ""
    if r.flops:
        rate = f"{r.flops / seconds / 1e9:.1f} GFLOP/s"
    elif r.bytes:
        rate = f"{r.bytes / seconds / 1e9:.1f} GB/s"
    of_limit = f"{100 * r.of_limit:.0f}%" if r.of_limit is not None else ""
    others = "".join(f"{r.ratio[lib]:>9.2f}" if lib in r.ratio else f"{'':>9}" for lib in LIBRARIES[1:])
    return f"{r.name:<52}{duration(seconds):>11}{rate:>14}{of_limit:>7}{others}"


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


if __name__ == "__main__":
    sys.exit(main())
