"""A library's turn in one process: warmed up, timed, and asleep again afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import weft
from benchmarks.harness import torch


class InThisProcess:
    def __init__(self, f: Callable[[], Any]):
        self.f, self.loops = f, calibrate(f)

    def turn(self) -> tuple[float, float]:
        if self.loops > 1:  # a long call warms itself up
            warm_up(self.f)
        seconds = timed(self.f, self.loops)
        return seconds, seconds * self.loops


def wait(result: Any) -> None:
    if hasattr(result, "block_until_ready"):
        result.block_until_ready()


def timed(f: Callable[[], Any], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        result = f()
    wait(result)
    return (time.perf_counter() - start) / loops


def calibrate(f: Callable[[], Any], least: float = 5e-3) -> int:
    """Warms up and finds how many calls make a sample that the clock resolves."""
    timed(f, 2)
    loops = 1
    while (taken := timed(f, loops) * loops) < least:
        loops = max(loops + 1, min(10 * loops, int(1.2 * loops * least / max(taken, 1e-9))))
    return loops


def settle(most: float = 0.5) -> None:
    """Waits for the threads of the last library to sleep: OpenBLAS's and OpenMP's spin for up to a hundred
    milliseconds after a call, and whoever comes next would be measured on the cores that they leave.
    """
    end = time.perf_counter() + most
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(10e-3)  # the clock of other threads moves with the scheduler's ticks, 1 to 4 ms apart
        if time.process_time() - before < 1e-3:
            return


def warm_up(f: Callable[[], Any], least: float = 15e-3) -> None:
    """As in the middle of a run: inputs in cache, threads awake and each on a processor of its own, which kernels of
    virtual machines take ten milliseconds to see to.
    """
    end = time.perf_counter() + least
    while time.perf_counter() < end:
        wait(f())


class threads_of_all:
    """The same number of threads for every library that can be told."""

    def __init__(self, n: int):
        self.n = n or weft.get_num_threads()

    def __enter__(self) -> int:
        self.weft, self.torch = weft.get_num_threads(), torch.get_num_threads() if torch else 0
        weft.set_num_threads(self.n)
        if torch:
            torch.set_num_threads(self.n)
        return self.n

    def __exit__(self, *_):
        weft.set_num_threads(self.weft)
        if torch:
            torch.set_num_threads(self.torch)
