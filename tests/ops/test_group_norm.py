import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, check, same_bits, torch
from weft.testing import assert_close, gradcheck

TF = torch.nn.functional if torch else None


def randn(*shape, seed=0):
    return np.random.default_rng(seed + 200).standard_normal(shape)


def both(make, *arrays, **options):
    check(lambda *t: make(F, *t), lambda *t: make(TF, *t), *arrays, **options)


def last(x):
    """The same numbers with the channels last in memory."""
    axes = (0, *range(2, x.dim()), 1)
    back = (0, x.dim() - 1, *range(1, x.dim() - 1))
    return x.permute(axes).contiguous().permute(back)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize(
    "shape, groups",
    [
        ((2, 4, 3, 5), 2),
        ((1, 6, 4, 4), 6),
        ((3, 64, 1, 2), 8),
        ((2, 70, 3, 3), 7),
        ((2, 130, 5, 5), 1),
        ((1, 16, 9, 15), 4),
        ((2, 17, 2, 65), 17),
        ((1, 3, 71, 70), 1),
        ((2, 6, 2, 3, 4), 3),
        ((2, 70, 41, 50), 7),  # channels-last items in parts from here on
        ((1, 130, 33, 33), 1),
    ],
    ids=str,
)
def test_shapes(isa, shape, groups, columns):
    x, w, b = randn(*shape), randn(shape[1], seed=1), randn(shape[1], seed=2)
    arrange = last if columns else (lambda x: x)
    both(lambda f, x, w, b: f.group_norm(arrange(x), groups, w, b), x, w, b, terms=4096)
    both(lambda f, x: f.group_norm(arrange(x), groups, eps=1e-3), x, terms=4096)


@pytest.mark.parametrize("channels", [1, 15, 16, 17, 63, 64, 65, 200])
def test_without_positions(isa, channels):
    x, w, b = randn(5, channels), randn(channels, seed=1), randn(channels, seed=2)
    both(lambda f, x, w: f.group_norm(x, 1, w, eps=0.1), x, w, atol=1e-5)
    both(lambda f, x, w, b: f.group_norm(x, 1, w, b, eps=0.1), x, w, b, atol=1e-5)


def test_bias_alone():
    x, b = weft.tensor(randn(2, 4, 3)), weft.tensor(randn(4), requires_grad=True)
    y = F.group_norm(x, 2, bias=b)
    y.sum().backward()
    assert_close(y, (F.group_norm(x, 2) + b.reshape(4, 1)).detach())
    assert b.grad.tolist() == [6.0] * 4


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("columns", [False, True])
def test_dtypes(isa, dtype, columns):
    x, w, b = randn(3, 20, 6, 5), randn(20, seed=1), randn(20, seed=2)
    arrange = last if columns else (lambda x: x)
    both(lambda f, x, w, b: f.group_norm(arrange(x), 5, w, b), x, w, b, dtypes=(dtype,), terms=256)


def test_memory_format():
    x = last(weft.tensor(randn(2, 8, 3, 5)))
    assert F.group_norm(x, 2).stride() == x.stride()
    assert F.group_norm(weft.ones(2, 8, 3, 5).transpose(2, 3), 2).is_contiguous()


def test_empty():
    w = weft.ones(4, requires_grad=True)
    y = F.group_norm(weft.zeros(0, 4, 3), 2, w)
    y.sum().backward()
    assert y.shape == (0, 4, 3) and w.grad.tolist() == [0.0] * 4


@pytest.mark.parametrize("columns", [False, True])
def test_large_mean(isa, columns):
    x = (1e4 + randn(2, 8, 40, 40)).astype(np.float32)
    t = weft.tensor(x)
    y = F.group_norm(last(t) if columns else t, 2).numpy().reshape(4, -1)
    exact = x.astype(np.float64).reshape(4, -1)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    assert np.abs(y - exact).max() < 2e-3


def test_level_changes(isa):
    """Parts and blocks whose means lie far apart, as seen from the first one."""
    x = randn(1, 64, 64, 64).astype(np.float32)
    x[:, :, 1:20] += 1000
    x[:, :, 40:] -= 3000
    y = F.group_norm(last(weft.tensor(x)), 4).numpy().reshape(4, -1)
    exact = x.astype(np.float64).reshape(4, -1)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    assert np.abs(y - exact).max() < 2e-6


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("size", [(20, 21), (40, 41)])
def test_same_bits(isa, size, columns):
    x, dy = (weft.tensor(randn(9, 96, *size, seed=s).astype(np.float32)) for s in (0, 1))

    def run():
        v, w, b = (last(x) if columns else x).detach(), weft.ones(96), weft.zeros(96)
        for t in (v, w, b):
            t.requires_grad = True
        y = F.group_norm(v, 8, w, b)
        y.backward(dy)
        return y.detach(), v.grad, w.grad, b.grad

    same_bits(run)


def test_second_derivative():
    x, w, b = (weft.tensor(randn(*s), requires_grad=True) for s in ((2, 4, 3), (4,), (4,)))
    dy = weft.tensor(randn(2, 4, 3, seed=3))

    def slopes(x, w, b):
        return weft.autograd.grad((F.group_norm(x, 2, w, b) * dy).sum(), (x, w, b), create_graph=True)

    gradcheck(slopes, x, w, b)


@pytest.mark.parametrize("columns", [False, True])
def test_instance_norm(columns):
    arrange = last if columns else (lambda x: x)
    x, w, b = randn(3, 5, 4, 6), randn(5, seed=1), randn(5, seed=2)
    both(lambda f, x, w, b: f.instance_norm(arrange(x), None, None, w, b), x, w, b)
    both(lambda f, x, m, v: f.instance_norm(arrange(x), m, v * v, momentum=0.3), x, w, b, grad=[0])

    def moved(f, x, m, v):
        f.instance_norm(arrange(x), m, v, momentum=0.3)
        return m, v

    both(moved, x, w, b * b, grad=False)


def test_wrong_input():
    x = weft.zeros(2, 6, 3)
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        F.group_norm(weft.zeros(6), 2)
    for groups in (4, 0, -1):
        with pytest.raises(ValueError, match="divisible by num_groups"):
            F.group_norm(x, groups)
    with pytest.raises(ValueError, match="weight and bias of shape"):
        F.group_norm(x, 2, weft.ones(3))
    with pytest.raises(NotImplementedError, match="floating"):
        F.group_norm(weft.zeros(2, 6, dtype=weft.int64), 2)
    assert_close(F.group_norm(x, 2), np.zeros((2, 6, 3), np.float32))
