"""python -m benchmarks.profile --filter models/ : where the time of each case goes, by operation, beside PyTorch's."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

from benchmarks.harness import discover, torch
from weft import _core


def times(f, rounds: int) -> tuple[float, dict[str, tuple[float, float]]]:
    """Seconds of a call, and by operation the seconds in its kernels and how many it launches."""
    f()
    start = time.perf_counter()
    for _ in range(rounds):
        f()
    whole = (time.perf_counter() - start) / rounds
    by_name: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for _ in range(rounds):
        for name, _, seconds in _core._time_kernels(f):
            by_name[name][0] += seconds / rounds
            by_name[name][1] += 1 / rounds
    return whole, {name: (s, n) for name, (s, n) in by_name.items()}


def theirs(f, rounds: int) -> tuple[float, dict[str, tuple[float, float]]]:
    f()
    start = time.perf_counter()
    for _ in range(rounds):
        f()
    whole = (time.perf_counter() - start) / rounds
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(rounds):
            f()
    found = profile.key_averages()
    return whole, {e.key: (e.self_cpu_time_total / rounds / 1e6, e.count / rounds) for e in found}


def table(title: str, whole: float, by_name: dict[str, tuple[float, float]], most: int) -> None:
    inside = sum(s for s, _ in by_name.values())
    print(f"  {title}: {1e3 * whole:.3f} ms, {100 * (1 - inside / whole):.0f}% outside kernels")
    for name, (seconds, count) in sorted(by_name.items(), key=lambda item: -item[1][0])[:most]:
        print(f"    {1e3 * seconds:10.3f} ms {100 * seconds / whole:5.1f}%  x{count:<5.4g} {name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--filter", default="models/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=int, default=12, help="lines for each library")
    options = parser.parse_args()
    for b, index in discover(options.filter):
        case = b.case(index)
        print(f"{case.name}: {case.flops / 1e9:.2f} GFLOP, {case.bytes / 1e6:.1f} MB")
        table("weft", *times(case.function("weft"), options.rounds), options.most)
        if f := case.function("torch"):
            table("torch", *theirs(f, options.rounds), options.most)


if __name__ == "__main__":
    main()
