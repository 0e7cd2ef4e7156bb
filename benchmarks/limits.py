"""The machine's limits, measured: multiply-adds in registers and memory bandwidth."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import weft
from weft import _core


@dataclass(frozen=True)
class Limits:
    isa: str
    threads: int
    flops_one: float  # float32 operations per second on one thread
    flops: float  # on all threads
    read: float  # bytes per second on all threads; a stream far larger than the caches
    copy: float  # read + written
    triad: float  # two read, one written; the line that a store reads first is not counted
    triad_past: float  # the same with stores past the caches, which read nothing first

    @property
    def bandwidth(self) -> float:
        return max(self.read, self.copy, self.triad, self.triad_past)

    def least_time(self, flops: float, nbytes: float, dtype: str = "float32") -> float:
        """Seconds that no implementation with cold memory can undercut on this machine. Where the processor multiplies
        bfloat16 (v4), it does so at twice the rate, bytes at four times; without, bytes go as 16-bit numbers."""
        faster = {"bfloat16": 2, "int8": 4} if self.isa == "v4" else {"int8": 2}
        rate = self.flops * faster.get(dtype, 1)
        return max(flops / rate, nbytes / self.bandwidth)

    def to_dict(self) -> dict:
        return asdict(self)

    def has_all_cores(self, patience: float = 20e-3) -> bool:
        """Whether all threads reach their rate now, seen within `patience` seconds.

        Hosts of virtual machines put two processors on the two halves of one core, for seconds at a time: whatever two
        threads do takes up to twice as long then, whatever one does does not, and ratios are those of another machine.
        """
        rounds = int(PROBE * self.flops_one / _core._probe_fma(1, 1))
        end = time.perf_counter() + patience
        while True:
            rate = _best_rate(lambda: _core._probe_fma(rounds, self.threads), 1)
            if rate > ENOUGH * self.flops:
                return True
            if time.perf_counter() > end:
                return False


PROBE = 2e-4  # seconds of multiply-adds on each thread: ten times what it takes to wake them
ENOUGH = 0.65  # of the limit's rate; clocks take some of it away, a shared core half


def _best_rate(amount_of_one_call, repeats: int = 5) -> float:
    """Units per second of the fastest call: a limit is what the machine can do, not what it does on average."""
    best = 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        amount = amount_of_one_call()
        best = max(best, amount / (time.perf_counter() - start))
    return best


def _rate_of_all(amount_of_one_call, enough: float, patience: float = 30.0) -> float:
    """As above; below `enough`, again for a while: the threads may be sharing a core just now."""
    end, best = time.perf_counter() + patience, 0.0
    while True:
        best = max(best, _best_rate(amount_of_one_call))
        if best > enough or time.perf_counter() > end:
            return best


def measure_limits() -> Limits:
    threads, rounds = weft.get_num_threads(), 3_000_000
    n = 32 * 1024 * 1024  # 128 MiB an array
    x, y, z = (weft.ones(n) for _ in range(3))
    flops_one = _best_rate(lambda: _core._probe_fma(rounds, 1))
    return Limits(
        isa=_core.cpu_isa(),
        threads=threads,
        flops_one=flops_one,
        flops=_rate_of_all(lambda: _core._probe_fma(rounds // 4, 4 * threads), ENOUGH * flops_one * threads),
        read=_best_rate(lambda: _core._probe_read(x)),
        copy=_best_rate(lambda: _core._probe_stream(y, x)),
        triad=_best_rate(lambda: _core._probe_stream(y, x, z)),
        triad_past=_best_rate(lambda: _core._probe_stream(y, x, z, True)),
    )
