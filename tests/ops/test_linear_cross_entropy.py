"""linear_cross_entropy against linear and cross_entropy, with more rows than a chunk has."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import same_bits, torch
from weft.testing import assert_close, gradcheck

TF = torch.nn.functional if torch else None


def problem(rows, classes, features, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((rows, features)), rng.standard_normal((classes, features)) / features**0.5
    t = rng.integers(0, classes, rows)
    t[::5] = -100
    return x.astype(dtype), w.astype(dtype), rng.standard_normal(classes).astype(dtype), t


def composed(x, w, t, linear_bias=None, ignore_index=-100, **options):
    return F.cross_entropy(F.linear(x, w, linear_bias), t, ignore_index=ignore_index, **options)


def values_and_slopes(f, x, w, b, t, with_bias=True, **options):
    leaves = [weft.tensor(v) for v in (x, w, b)]
    for v in leaves:
        v.requires_grad = True
    y = f(leaves[0], leaves[1], weft.tensor(t), linear_bias=leaves[2] if with_bias else None, **options)
    weight = weft.arange(1, y.numel() + 1).reshape(y.shape).to(y.dtype)
    (y * weight).sum().backward()
    return [y.detach(), *(v.grad for v in leaves[: 3 if with_bias else 2])]


@pytest.mark.parametrize("reduction", ("mean", "sum", "none"))
@pytest.mark.parametrize("shape", ((1, 1, 1), (3, 7, 5), (600, 9, 4), (300, 40000, 3)), ids=str)
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_as_composed(shape, reduction, dtype):
    x, w, b, t = problem(*shape, dtype=dtype)
    class_weight = weft.tensor(np.random.default_rng(3).random(shape[1]).astype(dtype))
    tolerance = {"rtol": 2e-4, "atol": 2e-4 * shape[0]} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    for options in ({}, {"weight": class_weight, "label_smoothing": 0.1}, {"with_bias": False}):
        one = values_and_slopes(F.linear_cross_entropy, x, w, b, t, reduction=reduction, **options)
        two = values_and_slopes(composed, x, w, b, t, reduction=reduction, **options)
        for got, expected in zip(one, two, strict=True):
            assert_close(got, expected, **tolerance)


@pytest.mark.skipif(torch is None or not hasattr(TF, "linear_cross_entropy"), reason="needs PyTorch's")
def test_as_pytorch():
    x, w, b, t = problem(9, 6, 4)
    for options in ({}, {"ignore_index": 2}, {"reduction": "sum", "label_smoothing": 0.2}, {"reduction": "none"}):
        ours = F.linear_cross_entropy(
            *(weft.tensor(v) for v in (x, w, np.maximum(t, 0))), linear_bias=weft.tensor(b), **options
        )
        theirs = TF.linear_cross_entropy(
            *(torch.tensor(v) for v in (x, w, np.maximum(t, 0))), linear_bias=torch.tensor(b), **options
        )
        assert_close(ours, theirs.numpy(), rtol=1e-9, atol=1e-9)


def test_forms():
    x, w, b, t = (weft.tensor(v) for v in problem(4, 6, 3))
    one = F.linear_cross_entropy(x[1], w, t[1], reduction="none")
    assert one.shape == ()
    assert_close(one, composed(x, w, t, reduction="none")[1])
    p = weft.softmax(weft.tensor(np.random.default_rng(1).standard_normal((4, 6))), 1)
    assert_close(F.linear_cross_entropy(x, w, p, linear_bias=b), F.cross_entropy(F.linear(x, w, b), p))
    wide = w.reshape(3, 2, 3)  # three classes, two targets
    targets = weft.tensor([[0, 1], [2, 0], [1, 1], [0, 2]])
    expected = F.cross_entropy(F.linear(x, w).reshape(4, 3, 2), targets)
    assert_close(F.linear_cross_entropy(x, wide, targets), expected)
    nothing = weft.full((4,), -100, dtype=weft.int64)
    x.requires_grad = True
    loss = F.linear_cross_entropy(x, w, nothing)
    loss.backward()
    assert float(loss) == 0 and (x.grad == 0).all()
    none = F.linear_cross_entropy(weft.zeros(0, 3), weft.zeros(6, 3), weft.zeros(0, dtype=weft.int64), reduction="sum")
    assert float(none) == 0


@pytest.mark.parametrize("dtype", ("float16", "bfloat16"))
def test_half(dtype):
    x, w, b, t = problem(300, 50, 8)
    leaves = [weft.tensor(v).to(getattr(weft, dtype)) for v in (x, w, b)]
    for v in leaves:
        v.requires_grad = True
    exact = values_and_slopes(composed, *(v.detach().double().numpy() for v in leaves), t)
    loss = F.linear_cross_entropy(*leaves[:2], weft.tensor(t), linear_bias=leaves[2])
    loss.backward()
    for got, expected in zip([loss.detach(), *(v.grad for v in leaves)], exact, strict=True):
        assert_close(got.double(), expected, rtol=3e-2, atol=3e-2 * float(expected.abs().max()))


@pytest.mark.parametrize("reduction", ("mean", "none"))
def test_second_derivative(reduction):
    x, w, b, t = problem(5, 4, 3)

    def slopes(x, w, b):
        for v in (x, w, b):
            v.requires_grad = True
        y = F.linear_cross_entropy(x, w, weft.tensor(t), linear_bias=b, reduction=reduction)
        return tuple(weft.autograd.grad((y * y).sum(), (x, w, b), create_graph=True))

    gradcheck(slopes, x, w, b, rtol=1e-5, atol=1e-6)


def test_same_bits():
    x, w, b, t = problem(600, 300, 40, dtype=np.float32)
    same_bits(lambda: values_and_slopes(F.linear_cross_entropy, x, w, b, t))


def test_bad_input():
    x, w, t = weft.ones(2, 3), weft.ones(4, 3), weft.zeros(2, dtype=weft.int64)
    with pytest.raises(IndexError, match=r"\[0, 4\)"):
        F.linear_cross_entropy(x, w, t + 4)
    with pytest.raises(RuntimeError, match=r"\[2, 3\] and \[4, 5\]"):
        F.linear_cross_entropy(x, weft.ones(4, 5), t)
    with pytest.raises(RuntimeError, match="bias"):
        F.linear_cross_entropy(x, w, t, linear_bias=weft.ones(3))
    with pytest.raises(ValueError, match="labels of shape"):
        F.linear_cross_entropy(x, w, t[:1])
    with pytest.raises(ValueError, match="reduction"):
        F.linear_cross_entropy(x, w, t, reduction="max")
