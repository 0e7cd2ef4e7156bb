"""weft.compile: threads at once, and memory over thousands of replays."""

import threading

from steps import tensor, training

import weft
from weft import nn


def test_threads_at_once(model):
    with weft.no_grad():
        f = weft.compile(model, fullgraph=True)
        inputs = [tensor(64, 8) for _ in range(8)]
        expected = [model(x).tolist() for x in inputs]
    wrong = []

    def work(i):
        with weft.no_grad():
            for _ in range(100):
                if f(inputs[i]).tolist() != expected[i]:
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and len(f.compiled.plans) <= 8


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


def test_memory_stays_flat(model):
    _, step = training(model, momentum=0.9)
    step = weft.compile(step, fullgraph=True)
    x, y = tensor(6, 8), tensor(6, 4)
    for _ in range(100):
        step(x, y)
    before = resident()
    for _ in range(10_000):
        step(x, y)
    assert resident() - before < 1 << 20

    with weft.no_grad():
        f = weft.compile(model)
        for n in range(1, 1000):
            f(tensor(n, 8)), f(tensor(n, 8))
        before = resident()  # of the allocator's cache too, which is bounded
        for n in range(1, 1000):
            f(tensor(n, 8)), f(tensor(n, 8))
        assert resident() - before < 4 << 20


def test_no_more_memory_than_eager():
    def peak_of(compiled):
        weft.manual_seed(0)
        model = nn.Sequential(*(nn.Sequential(nn.Linear(256, 256), nn.GELU()) for _ in range(6)))
        _, step = training(model, momentum=0.9)
        x, y = tensor(512, 256), tensor(512, 256)
        f = weft.compile(step, fullgraph=True) if compiled else step
        f(x, y)
        weft.reset_peak()
        before = weft.memory_stats()["in_use"]
        f(x, y)
        if compiled:
            return f.plans[0].nbytes
        return weft.memory_stats()["peak"] - before + sum(p.grad.nbytes for p in model.parameters())

    inputs = 2 * 512 * 256 * 4
    assert peak_of(True) <= peak_of(False) + inputs + (64 << 10)  # the smallest blocks
