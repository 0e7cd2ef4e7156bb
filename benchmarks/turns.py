"""Measures a case: the libraries take turns, and whoever does not run sleeps."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.harness import LIBRARIES, Bench, Case
from benchmarks.paired import PAIRED, Paired
from benchmarks.runner import InThisProcess, settle, threads_of_all
from weft.testing import assert_close

OPPONENTS = ("numpy", "torch", *PAIRED, "eager", "jax", "onnxruntime")  # in the order of the table's columns


@dataclass
class Result:
    name: str
    group: str = ""
    seconds: dict[str, float] = field(default_factory=dict)  # median of each library
    ratio: dict[str, float] = field(
        default_factory=dict
    )  # median over the rounds of opponent / weft: above 1, weft is faster
    flops: float = 0
    bytes: float = 0
    of_limit: float | None = None
    missing: dict[str, str] = field(default_factory=dict)  # opponents that could not run it, and why
    disturbed: float = 0  # the part of the processors' time that others took meanwhile
    halved: bool = False  # threads shared a core meanwhile, for longer than one waits
    error: str = ""


def measure(b: Bench, index: int, limits: Any = None, budget: float = 1.0, without: tuple[str, ...] = ()) -> Result:
    """Verifies weft against the first opponent, then lets the libraries take turns for about `budget` seconds each."""
    case = b.case(index)
    result = Result(case.name, b.group(), flops=case.flops, bytes=case.bytes)
    with threads_of_all(case.threads) as threads:
        functions = {}
        for library in LIBRARIES:
            if library in without:
                continue
            try:
                if (f := case.function(library)) is not None:
                    f()
                    functions[library] = f
            except Exception as e:  # an opponent that cannot run it is not there
                if library == "weft":
                    raise
                result.missing[library] = f"{type(e).__name__}: {e}".splitlines()[0]
        if case.verify:
            verify(case, functions)
        runners = {library: InThisProcess(f) for library, f in functions.items()}
        for name in PAIRED:
            if name in without or not Paired.runs(name, case):
                continue
            try:
                runners[name] = Paired.of(name).prepare(b.key(index), threads)
            except RuntimeError as e:
                result.missing[name] = str(e)
        for _ in range(2):
            others = Others([r.process.pid for r in runners.values() if isinstance(r, Paired)])
            cores = Cores(limits.has_all_cores) if limits is not None and threads == limits.threads else Cores()
            times = take_turns(runners, budget, cores)
            result.halved = cores.patience <= 0
            result.disturbed = others.share()
            if result.disturbed < 0.1:
                break
    result.seconds = {name: statistics.median(t) for name, t in times.items()}
    result.ratio = {
        name: statistics.median(other / own for other, own in zip(times[name], times["weft"], strict=True))
        for name in times
        if name != "weft"
    }
    if limits is not None and (case.flops or case.bytes):
        result.of_limit = limits.least_time(case.flops, case.bytes, case.dtype) / result.seconds["weft"]
    return result


def verify(case: Case, functions: dict[str, Callable[[], Any]]) -> None:
    opponent = next((lib for lib in functions if lib != "weft"), None)
    if opponent is None:
        return
    ours, theirs = functions["weft"](), functions[opponent]()
    if not isinstance(ours, tuple | list):
        ours, theirs = (ours,), (theirs,)
    for k, (a, e) in enumerate(zip(ours, theirs, strict=True)):
        if a is not None:
            what = f"{case.name}: result {k} vs {opponent}"
            assert_close(a, e, terms=case.terms, rtol=case.rtol, check_dtype=False, name=what)


class Cores:
    """Asks whether the machine has all its cores, and waits for them: `patience` seconds in all, then never again."""

    def __init__(self, are_there: Callable[[], bool] = lambda: True, patience: float = 60.0):
        self.are_there, self.patience = are_there, patience

    def there(self) -> bool:
        return self.patience <= 0 or self.are_there()

    def wait(self) -> None:
        start, patience = time.monotonic(), self.patience
        while not self.there():
            self.patience = patience - (time.monotonic() - start)


def take_turns(runners: dict[str, Any], budget: float, cores: Cores) -> dict[str, list[float]]:
    """Seconds of a call of each runner, round by round; what ran on fewer cores is taken again."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    order = list(runners)
    collecting = gc.isenabled()
    gc.disable()
    try:
        spent, rounds = 0.0, 0
        settle()
        while rounds < (5 if spent < 3 * len(order) else 3) or (rounds < 15 and spent < budget * len(order)):
            for name in order:
                while True:
                    seconds, taken = runners[name].turn()
                    settle()  # before others are measured, and before another process is told to run, too
                    if cores.there():
                        break
                    cores.wait()
                times[name].append(seconds)
                spent += taken
            order = order[1:] + order[:1]
            rounds += 1
    finally:
        if collecting:
            gc.enable()
    return times


class Others:
    """What processes that are not ours do meanwhile, and hosts of virtual machines: Linux counts it."""

    def __init__(self, paired: list[int]):
        self.paired = paired
        self.start = self._now()

    def share(self) -> float:
        busy, ours, wall = (now - before for now, before in zip(self._now(), self.start, strict=True))
        return max(0.0, busy - ours) / max(wall, 1e-9) / (os.cpu_count() or 1)

    def _now(self) -> tuple[float, float, float]:
        ours, tick = time.process_time(), 1 / os.sysconf("SC_CLK_TCK")
        try:
            with open("/proc/stat") as file:
                user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
            for pid in self.paired:
                with open(f"/proc/{pid}/stat") as file:
                    ours += tick * sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
        except OSError:  # another system: nothing is known
            return 0.0, 0.0, 0.0
        return tick * (user + nice + system + irq + softirq + steal), ours, time.perf_counter()
