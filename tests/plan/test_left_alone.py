"""weft.compile: steps that no replay could follow run as they are, and say why."""

import numpy as np
import pytest
from steps import falls_back, same, tensor, training

import weft
from weft import nn
from weft.nn import functional as F


def test_values_read_by_python():
    x = tensor(3)
    assert same(falls_back(lambda x: x * x.sum().item(), x, words=r"item\(\) reads a value")[1], x * x.sum().item())
    falls_back(lambda x: x * 2 if x.sum() > 0 else x, x, words="reads a value on the host")
    falls_back(lambda x: weft.from_numpy(x.numpy() * 2), x, words=r"numpy\(\)")
    falls_back(lambda x: x[x > 0], x, words="nonzero")
    falls_back(lambda x: x + weft.tensor([1.0, 2.0, 3.0]), x, words="data of Python")
    assert same(weft.compile(lambda x: x + weft.tensor(1.0), fullgraph=True)(x), x + 1)


def test_random_numbers_of_others():
    import random as python_random

    falls_back(lambda x: x * python_random.random(), tensor(3), words="random numbers of Python")
    falls_back(lambda x: x * np.random.rand(), tensor(3), words="random numbers of Python")


def test_hooks(model):
    seen = []
    handle = model[0].register_forward_hook(lambda *_: seen.append(1))
    with weft.no_grad():
        falls_back(lambda x: model(x), tensor(2, 8), words="hook", times=3)
    assert len(seen) >= 3
    handle.remove()
    model[0].weight.register_hook(lambda g: seen.append(2))
    falls_back(training(model)[1], tensor(6, 8), tensor(6, 4), words="hook")
    assert 2 in seen


def test_what_a_step_changes_around_it(model):
    class Counting(nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x + self.calls

    counting = Counting()
    results = falls_back(counting, weft.zeros(2), words="calls", times=3)
    assert [r[0].item() for r in results] == [1, 2, 3]

    kept = []
    falls_back(lambda x: kept.append(x * 2), tensor(3), words="changed|kept by something outside")
    assert len(kept) == 3 and not same(kept[0], weft.zeros(3))

    x = weft.zeros(3)
    falls_back(lambda x: x.add_(1), x, words="changed in place", times=3)
    assert x.tolist() == [4.0] * 3


def test_optimizers_in_python(model):
    opt = weft.optim.Muon([model[0].weight], lr=0.01)

    def step(x):
        opt.zero_grad()
        model(x).sum().backward()
        opt.step()

    falls_back(step, tensor(4, 8), words="Muon")


def test_errors_come_out_each_time(model):
    f = weft.compile(lambda x: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            f(tensor(3))
    assert (tensor(3) + 1).sum().item() != 0  # nothing is recorded any more

    with weft.no_grad():
        table = nn.Embedding(10, 4)
        f = weft.compile(lambda i, y: (table(i), F.cross_entropy(table.weight, y)), fullgraph=True)
        good = weft.zeros(10, dtype=weft.int64)
        f(good, good)
        for _ in range(2):
            with pytest.raises(IndexError, match="id 10 at position 0"):
                f(good + 10, good)
            with pytest.raises(IndexError, match="labels"):
                f(good, good + 4)
            f(good, good)


def test_compiled_in_compiled(model):
    with weft.no_grad():
        inner = weft.compile(model)
        outer = weft.compile(lambda x: inner(x) + 1, fullgraph=True)
        x = tensor(3, 8)
        assert same(outer(x), model(x) + 1) and same(outer(x), model(x) + 1)
        assert not inner.compiled.plans and len(outer.plans) == 1


def test_what_cannot_be_compiled():
    with pytest.raises(TypeError, match="function or a module"):
        weft.compile(3)
