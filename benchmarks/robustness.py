"""python -m benchmarks.robustness: what a busy neighbour, callers on several threads, idling and long runs cost."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import weft
from benchmarks.harness import discover, randn, torch
from benchmarks.limits import measure_limits
from benchmarks.runner import threads_of_all
from benchmarks.turns import Cores


def product(size: int = 1024) -> Callable[[], object]:
    a, b = (weft.tensor(randn(size, size, seed=i)) for i in range(2))
    return lambda: a @ b


def gpt_step(library: str = "weft") -> Callable[[], object]:
    b, index = next(discover("models/bench_transformer/gpt_train"))
    return b.case(index).function(library)


@contextlib.contextmanager
def busy_neighbour() -> Iterator[None]:
    """Another process that never rests, on one processor of ours."""
    code = "import os\nif hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\n"
    neighbour = subprocess.Popen([sys.executable, "-c", code + "print(1, flush=True)\nwhile True: pass"], stdout=-1)
    try:
        neighbour.stdout.readline()
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


def median_seconds(f: Callable[[], object], least: float, calls: int = 5) -> float:
    """The median over at least so many calls and so many seconds."""
    f()
    times: list[float] = []
    end = time.perf_counter() + least
    while len(times) < calls or time.perf_counter() < end:
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def slowdown_beside_a_neighbour(f: Callable[[], object], least: float = 1.0) -> tuple[float, float]:
    """Seconds in quiet, and how many times that it takes while one processor is kept busy."""
    quiet = median_seconds(f, least)
    with busy_neighbour():
        return quiet, median_seconds(f, least) / quiet


def slowest_of_concurrent_callers(callers: int, least: float = 1.0) -> tuple[float, float]:
    """Seconds of a call alone, and the slowest caller's mean call while all of them call, as a multiple of that."""
    alone = median_seconds(product(256), least / 4)
    stop, means = threading.Event(), []

    def call() -> None:
        f, n, start = product(256), 0, time.perf_counter()
        while not stop.is_set():
            f()
            n += 1
        means.append((time.perf_counter() - start) / max(n, 1))

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for t in threads:
        t.start()
    time.sleep(least)
    stop.set()
    for t in threads:
        t.join()
    return alone, max(means) / alone


def calls_a_second(predict: Callable[[weft.Tensor], object], callers: int, batch: int, least: float) -> float:
    """Of all callers together, each a thread that does its own work."""
    ready, stop, calls = threading.Barrier(callers + 1), threading.Event(), []

    @weft.no_grad()
    def call() -> None:
        x, n = weft.randn(batch, 784), 0
        predict(x)
        ready.wait()
        while not stop.is_set():
            predict(x)
            n += 1
        calls.append(n)

    with threads_of_all(1):
        threads = [threading.Thread(target=call) for _ in range(callers)]
        for t in threads:
            t.start()
        ready.wait()
        start = time.perf_counter()
        time.sleep(least)
        stop.set()
        for t in threads:
            t.join()
        return sum(calls) / (time.perf_counter() - start)


def throughput_of_callers(callers: int, batch: int, cores: Cores, rounds: int = 5) -> tuple[float, float]:
    """Seconds of a prediction by one thread, and how many times its rate callers of one compiled model have together:
    the median of rounds of half a second each, those on fewer cores taken again."""
    nn = weft.nn
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    predict = weft.compile(model.eval())
    alone, times = [], []
    while len(times) < rounds:
        cores.wait()
        one, all_of_them = (calls_a_second(predict, n, batch, 0.5) for n in (1, callers))
        if cores.there():
            alone.append(1 / one)
            times.append(all_of_them / one)
    return statistics.median(alone), statistics.median(times)


def idle_seconds(f: Callable[[], object], asleep: float = 1.0) -> float:
    """Processor time used while nobody calls."""
    for _ in range(3):
        f()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(asleep)
    return time.process_time() - before


def status(field: str) -> float:
    """MiB, of this process (Linux)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field + ":"))


def peak_of_training(library: str) -> float:
    """MiB that three training steps of the GPT add at most; in a process of its own."""
    code = f"""
from benchmarks.robustness import gpt_step, status
before = status("VmRSS")
f = gpt_step({library!r})
for _ in range(3): f()
print(status("VmHWM") - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parents[1]
    )
    return float(run.stdout)


def changing_shapes(steps: int) -> list[float]:
    """Trains on batches and lengths that change at random; resident MiB after each tenth of the steps."""
    random = np.random.default_rng(0)
    nn = weft.nn
    pooled = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
    net = nn.Sequential(pooled, nn.Linear(128, 5))
    optimizer = weft.optim.AdamW(net.parameters(), lr=1e-3)
    resident = []
    for step in range(steps):
        batch, height, width = random.integers(1, 33), *random.integers(8, 65, 2)
        x = weft.tensor(random.standard_normal((batch, 1, height, width), np.float32))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), weft.tensor(random.integers(0, 5, batch))).backward()
        optimizer.step()
        if (step + 1) % (steps // 10) == 0:
            resident.append(status("VmRSS"))
    return resident


def main() -> None:
    limits = measure_limits()
    for name, f, least in (("matmul 1024", product(), 1.0), ("GPT step", gpt_step(), 3.0)):
        quiet, times = slowdown_beside_a_neighbour(f, least)
        print(f"{name}: {1e3 * quiet:.2f} ms in quiet, x {times:.2f} beside a busy neighbour", flush=True)
    for callers in (2, 4):
        alone, times = slowest_of_concurrent_callers(callers)
        print(
            f"matmul 256 by {callers} threads at once: {1e6 * alone:.0f} us alone, x {times:.2f} for the slowest",
            flush=True,
        )
    for batch in (1, 16, 128):
        alone, times = throughput_of_callers(8, batch, Cores(limits.has_all_cores))
        print(
            f"a 784-512-256-10 network on {batch} by 8 threads at once: {1e6 * alone:.0f} us by one, "
            f"x {times:.2f} of its rate together",
            flush=True,
        )
    print(f"idle: {1e3 * idle_seconds(product()):.1f} ms of processor time in a second", flush=True)
    for library in ("weft", *(["torch"] if torch else [])):
        print(f"peak of GPT training in {library}: {peak_of_training(library):.0f} MiB", flush=True)
    print("resident MiB over 10,000 steps of changing shapes:", *(f"{r:.0f}" for r in changing_shapes(10_000)))


if __name__ == "__main__":
    main()
