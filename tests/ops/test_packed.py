"""Weights packed once: the same bits, never an old number, nothing kept without need."""

import gc
import threading

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, same_bits
from weft import _core
from weft.testing import to_numpy


def bits(t):
    return to_numpy(t).tobytes()


def problem(dtype="float32", rows=40, features=100, out=90):
    weft.manual_seed(0)
    x, w = weft.randn(rows, features), weft.randn(out, features)
    return x.to(getattr(weft, dtype)), w.to(getattr(weft, dtype))


def packed(f):
    """The bytes that f keeps."""
    gc.collect()
    before = _core._packed_bytes()
    f()
    return _core._packed_bytes() - before


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rows, features, out", [(40, 100, 90), (128, 784, 65), (33, 2500, 48), (70, 3, 5000)])
def test_same_bits_packed_or_not(isa, dtype, rows, features, out):
    x, w = problem(dtype, rows, features, out)
    results = [bits(F.linear(x, w)) for _ in range(4)]
    assert len(set(results)) == 1
    assert bits(F.linear(x, w.clone())) == results[0]
    assert _core._packed_bytes() > 0
    same_bits(lambda: F.linear(x, w))


def test_who_looks_on_sees_what_happens_otherwise():
    x, w = problem()
    assert packed(lambda: _core._time_kernels(lambda: F.linear(x, w))) == 0
    assert packed(lambda: _core._time_kernels(lambda: F.linear(x, w))) > 0
    assert [stem for _, stem, _ in _core._time_kernels(lambda: F.linear(x, w))] == ["matmul"]


def test_both_orientations_and_any_number_of_rows():
    x, w = problem(rows=300)
    dy = weft.randn(300, 90)
    for rows in (300, 17, 100, 300, 8, 1, 0):
        for _ in range(3):
            assert bits(F.linear(x[:rows], w)) == bits(F.linear(x[:rows], w.clone()))
            assert bits(dy[:rows] @ w) == bits(dy[:rows] @ w.clone())
            assert bits(dy[:rows, :50] @ w[:50]) == bits(dy[:rows, :50] @ w[:50].clone())


def test_kept_from_the_second_use_until_a_change():
    x, w = problem()
    assert packed(lambda: F.linear(x, w)) == 0
    assert packed(lambda: F.linear(x, w)) >= w.numel() * 4
    assert packed(lambda: F.linear(x, w)) == 0
    assert packed(lambda: (w.add_(1), F.linear(x, w))) < 0
    assert packed(lambda: F.linear(x, w)) > 0
    held = _core._packed_bytes()
    w = None
    assert _core._packed_bytes() < held


CHANGES = {
    "add_": lambda w: w.add_(1),
    "fill_": lambda w: w.fill_(2),
    "copy_": lambda w: w.copy_(weft.ones(90, 100)),
    "normal_": lambda w: w.normal_(),
    "uniform_": lambda w: w.uniform_(),
    "zero_": lambda w: w.zero_(),
    "one element": lambda w: w.__setitem__((3, 4), 5.0),
    "mask": lambda w: w.__setitem__(w > 0, 5.0),
    "a view": lambda w: w[2].mul_(3),
    "a transposed view": lambda w: w.t().relu_(),
    "detached": lambda w: w.detach().sub_(1),
    "data": lambda w: w.data.sub_(1),
    "index_copy_": lambda w: w.index_copy_(0, weft.tensor([1]), weft.ones(1, 100)),
    "scatter_": lambda w: w.scatter_(0, weft.zeros(1, 100, dtype=weft.int64), weft.ones(1, 100)),
    "masked_fill_": lambda w: w.masked_fill_(w > 0, 1.0),
    "out": lambda w: weft.add(weft.ones(90, 100), 1, out=w),
    "init": lambda w: weft.nn.init.xavier_uniform_(w),
    "numpy": lambda w: w.numpy().fill(3.0),
    "dlpack": lambda w: np.from_dlpack(w).fill(3.0),
    "buffer": lambda w: np.asarray(memoryview(w)).fill(3.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_never_an_old_number(change):
    x, w = problem()
    for _ in range(3):
        F.linear(x, w)
    CHANGES[change](w)
    for _ in range(3):
        assert bits(F.linear(x, w)) == bits(F.linear(x, w.clone()))


def test_numpy_that_looks_in_for_long():
    x, w = problem()
    view = w.numpy()
    for i in range(4):
        view[...] = i
        assert bits(F.linear(x, w)) == bits(F.linear(x, w.clone()))


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
def test_training(optimizer):
    x, w = problem()
    w.requires_grad_()
    step = getattr(weft.optim, optimizer)([w], lr=0.1)
    for _ in range(3):
        for _ in range(3):  # gradients of several batches
            y = F.linear(x, w)
            assert bits(y.detach()) == bits(F.linear(x, w.detach().clone()))
            y.square().mean().backward()
        step.step()
        step.zero_grad()


def test_state_dict():
    x, _ = problem()
    layer, other = weft.nn.Linear(100, 90), weft.nn.Linear(100, 90)
    for _ in range(3):
        layer(x)
    layer.load_state_dict(other.state_dict())
    assert bits(layer(x).detach()) == bits(other(x).detach())


def test_recorded_step_follows_the_weight():
    x, w = problem()
    with weft.no_grad():
        f = weft.compile(lambda x: F.linear(x, w), fullgraph=True)
        for _ in range(3):
            assert bits(f(x)) == bits(F.linear(x, w))
        w.mul_(2)
        for _ in range(2):
            assert bits(f(x)) == bits(F.linear(x, w.clone()))

        change = weft.compile(lambda x: w.copy_(x), fullgraph=True)
        for value in (1.0, 2.0, 3.0):
            change(weft.full((90, 100), value))
            assert bits(f(x)) == bits(F.linear(x, w)) == bits(F.linear(x, w.clone()))


def test_many_threads():
    x, w = problem(rows=64, features=500, out=500)
    expected, wrong = bits(F.linear(x, w)), []

    def work():
        wrong.extend(1 for _ in range(30) if bits(F.linear(x, w)) != expected)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_no_more_than_a_few_copies_of_one_storage():
    x, w = problem(out=1000)
    w.add_(0)

    def windows():
        for i in range(50):
            for _ in range(3):
                F.linear(x, w[i : i + 900])

    assert packed(windows) <= 4 * 912 * 100 * 4
