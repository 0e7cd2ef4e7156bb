"""python -m benchmarks [--filter softmax] [--json results.json]"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import weft
from benchmarks.harness import LIBRARIES, discover
from benchmarks.limits import Limits, measure_limits
from benchmarks.paired import close_all
from benchmarks.report import duration, rate
from benchmarks.turns import OPPONENTS, Result, measure

AVX2 = {  # what each library calls it
    "WEFT_CPU_ISA": "v3",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--filter", default="", help="only cases whose file/name contains this")
    parser.add_argument("--json", metavar="FILE", help="write machine, limits and results here: see benchmarks.report")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds for each case and library")
    parser.add_argument("--threads", type=int, help="of every library; default: as many as weft uses")
    parser.add_argument("--without", default="", help="opponents to leave out: " + ",".join(OPPONENTS))
    parser.add_argument("--avx2", action="store_true", help="every library without AVX-512")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    options = parser.parse_args()

    cases = list(discover(options.filter))
    if options.list:
        for b, index in cases:
            print(b.names()[index])
        return 0
    if options.avx2 and os.environ.get("WEFT_CPU_ISA") != "v3":  # libraries ask when they are loaded
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], {**os.environ, **AVX2})
    if options.threads:
        weft.set_num_threads(options.threads)
    without = (*options.without.split(","), *(["onnxruntime"] if options.avx2 else []))
    limits = measure_limits()
    print_limits(limits)
    results, started = [], time.monotonic()
    print(header(), flush=True)
    try:
        for b, index in cases:
            try:
                result = measure(b, index, limits, options.budget, without)
            except Exception as e:  # a case that fails is reported, and the others still run
                result = Result(b.names()[index], b.group(), error=f"{type(e).__name__}: {e}")
            results.append(result)
            print(row(result), flush=True)
            if options.json:  # after each: a run that is cut short keeps what it has
                report = {"machine": machine(), "limits": limits.to_dict(), "results": [asdict(r) for r in results]}
                Path(options.json).write_text(json.dumps(report, indent=1, default=float) + "\n")
    finally:
        close_all()
    print(f"\n{len(results)} cases in {time.monotonic() - started:.0f} s")
    return 1 if any(r.error for r in results) else 0


def machine() -> dict[str, str]:
    names = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
    }
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
        f"triad {limits.triad / 1e9:.1f} (past the caches {limits.triad_past / 1e9:.1f}) GB/s\n"
    )


def header() -> str:
    others = "".join(f"{'x ' + name:>14}" if len(name) > 8 else f"{'x ' + name:>11}" for name in OPPONENTS)
    return f"{'case':<52}{'weft':>11}{'rate':>14}{'limit':>7}{others}"


def row(r: Result) -> str:
    if r.error:
        return f"{r.name:<52}  {r.error}"
    others = ""
    for name in OPPONENTS:
        text = f"{r.ratio[name]:.2f}" if name in r.ratio else ""
        others += f"{text:>14}" if len(name) > 8 else f"{text:>11}"
    of_limit = f"{100 * r.of_limit:.0f}%" if r.of_limit is not None else ""
    seconds = r.seconds["weft"]
    line = f"{r.name:<52}{duration(seconds):>11}{rate(r.flops, r.bytes, seconds):>14}{of_limit:>7}{others}"
    if r.disturbed > 0.1:
        line += f"\n    others took {100 * r.disturbed:.0f}% of the processors meanwhile"
    if r.halved:
        line += "\n    threads shared a core meanwhile"
    return "\n".join([line, *(f"    no {name}: {why}" for name, why in r.missing.items())])


if __name__ == "__main__":
    sys.exit(main())
