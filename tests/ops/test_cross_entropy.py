import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, check, same_bits, torch
from weft.testing import gradcheck

TF = torch.nn.functional if torch else None
REDUCTIONS = ("none", "mean", "sum")


def randn(*shape, seed=0, scale=3.0):
    return np.random.default_rng(seed + 100).standard_normal(shape) * scale


def labels(classes, *shape, ignored=None, seed=0):
    random = np.random.default_rng(seed)
    t = random.integers(0, classes, shape)
    if ignored is not None:
        t = np.where(random.random(shape) < 0.3, ignored, t)
    return np.asarray(t)


def both(make, *arrays, **options):
    check(lambda *t: make(F, *t), lambda *t: make(TF, *t), *arrays, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("classes", (1, 2, 15, 16, 17, 64, 65, 1000))
def test_rows(isa, classes, reduction):
    x, t = randn(6, classes), labels(classes, 6)
    both(lambda f, x, t: f.cross_entropy(x, t, reduction=reduction), x, t, dtypes=FLOATS, terms=64, atol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", (0.0, 0.2, 1.0))
@pytest.mark.parametrize("weighted", (False, True))
def test_options(isa, reduction, smoothing, weighted):
    x, t = randn(50, 9), labels(9, 50, ignored=3)
    w = np.abs(randn(9, seed=1))

    def loss(f, x, t, *w):
        return f.cross_entropy(x, t, *w, ignore_index=3, reduction=reduction, label_smoothing=smoothing)

    both(loss, x, t, *([w] if weighted else []), grad=[0], terms=64)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_shapes(reduction):
    for shape in ((5,), (4, 5), (4, 5, 3), (2, 5, 3, 4), (0, 5)):
        x = randn(*shape)
        t = labels(5, *(shape[:1] + shape[2:] if len(shape) > 1 else ()))
        if reduction == "mean" and x.size == 0:
            assert F.cross_entropy(weft.tensor(x), weft.tensor(t)).item() == 0
            continue
        both(lambda f, x, t: f.cross_entropy(x, t, reduction=reduction), x, t, terms=64)
        p = np.exp(randn(*shape, seed=1))
        both(lambda f, x, t: f.cross_entropy(x, t, reduction=reduction), x, p, terms=64)
    both(lambda f, x, t: f.cross_entropy(x.t(), t, reduction=reduction), randn(5, 7), labels(5, 7))


def test_probabilities():
    x, p, w = randn(6, 5), np.exp(randn(6, 5, seed=1)), np.abs(randn(5, seed=2))
    for reduction in REDUCTIONS:
        both(
            lambda f, x, p, w: f.cross_entropy(x, p, w, reduction=reduction, label_smoothing=0.1),  # noqa: B023
            x,
            p,
            w,
            grad=[0, 1],
            terms=64,
        )


def test_all_ignored_is_zero():
    x = weft.tensor(randn(3, 4), requires_grad=True)
    t = weft.full((3,), -100, dtype=weft.int64)
    for loss in (F.cross_entropy(x, t), F.nll_loss(x, t), F.cross_entropy(x, t, label_smoothing=0.1)):
        assert loss.item() == 0
        x.grad = None
        loss.backward()
        assert (x.grad.numpy() == 0).all()


def test_extremes(isa):
    x = np.array([[1e38, -1e38, 0], [0, 200, 0], [-np.inf, 0, 1], [1e4, 1e4 + 1, 1e4]], np.float64)
    t = np.array([0, 1, 1, 1])
    both(lambda f, x, t: f.cross_entropy(x, t, reduction="none"), x, t, dtypes=("float32",), atol=1e-6)
    nan = weft.tensor(np.full((1, 3), -np.inf, np.float32))
    assert np.isnan(F.cross_entropy(nan, weft.tensor([0])).item())
    y = F.cross_entropy(weft.tensor([[-np.inf, 0.0]]), weft.tensor([0]))
    assert y.item() == np.inf


@pytest.mark.parametrize("dtype", (np.uint8, np.int16, np.int32))
def test_small_integer_labels(dtype):
    x, t = weft.tensor(randn(4, 5)), labels(5, 4)
    assert F.cross_entropy(x, weft.tensor(t.astype(dtype))).item() == F.cross_entropy(x, weft.tensor(t)).item()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", (False, True))
def test_nll_loss(reduction, weighted):
    w = np.abs(randn(5, seed=1))
    for shape in ((5,), (6, 5), (3, 5, 4)):
        x, t = randn(*shape), labels(5, *(shape[:1] + shape[2:] if len(shape) > 1 else ()), ignored=2)
        if len(shape) == 1:
            t = np.asarray(1)
        both(
            lambda f, x, t, *w: f.nll_loss(x, t, *w, ignore_index=2, reduction=reduction),
            x,
            t,
            *([w] if weighted else []),
            grad=[0],
            terms=64,
        )


@pytest.mark.parametrize("shape", ((1000, 40), (3, 50000)))
def test_same_bits(isa, shape):
    x, t = weft.tensor(randn(*shape)).float(), weft.tensor(labels(shape[1], shape[0]))

    def run():
        v = x.detach()
        v.requires_grad = True
        loss = F.cross_entropy(v, t, label_smoothing=0.1)
        loss.backward()
        return loss.detach(), v.grad

    same_bits(run)


@pytest.mark.parametrize("reduction", ("mean", "none"))
def test_second_derivative(reduction):
    x, t, w = randn(4, 5, scale=1), weft.tensor(labels(5, 4, ignored=1)), weft.tensor(np.abs(randn(5, seed=1)))
    v = weft.tensor(randn(4, seed=2))

    def slope(x):
        x.requires_grad = True
        loss = F.cross_entropy(x, t, w, ignore_index=1, reduction=reduction, label_smoothing=0.1)
        return weft.autograd.grad((loss * loss * v).sum(), x, create_graph=True)[0]

    gradcheck(slope, x)


@pytest.mark.parametrize("loss", (F.cross_entropy, F.nll_loss))
def test_bad_input(loss):
    x = weft.ones(3, 4)
    for bad in (4, -1, 2**40):
        with pytest.raises(IndexError, match=rf"\[0, 4\).*got {bad} at position 1"):
            loss(x, weft.tensor([0, bad, 9]))
    with pytest.raises(ValueError, match=r"labels of shape \[3\]"):
        loss(x, weft.tensor([0, 1]))
    with pytest.raises(ValueError, match="reduction"):
        loss(x, weft.tensor([0, 1, 2]), reduction="max")
    with pytest.raises(RuntimeError, match="integer labels"):
        loss(x, weft.ones(3))
    with pytest.raises(RuntimeError, match="weight"):
        loss(x, weft.tensor([0, 1, 2]), weft.ones(3))
    with pytest.raises(RuntimeError, match="int64"):
        loss(weft.arange(4), weft.tensor(1))
    with pytest.raises(RuntimeError, match="label_smoothing"):
        F.cross_entropy(x, weft.tensor([0, 1, 2]), label_smoothing=1.5)
