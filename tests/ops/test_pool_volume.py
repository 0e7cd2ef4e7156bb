"""Pools of volumes, and the pools that are formulas of max and average pools; see test_pool.py for images."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check_same, same_bits, torch
from weft.testing import gradcheck

rng = np.random.default_rng(3)


def randn(*shape):
    return rng.standard_normal(shape)


def functional(m):
    return F if m is weft else torch.nn.functional


def check_pool(name, x, *args, dtypes=("float32", "float64"), grad=True, **options):
    check_same(lambda m, *x: getattr(functional(m), name)(*x, *args, **options), x, dtypes=dtypes, grad=grad)


SIZES = [(1, 1, 1), (3, 5, 7), (4, 8, 16), (6, 7, 33), (2, 3, 64)]
WINDOWS = [(1, None, 0), (2, None, 1), (3, 2, 1), ((1, 3, 2), (2, 1, 3), (0, 1, 1)), ((3, 1, 9), 1, (1, 0, 4))]


def fits(size, kernel):  # PyTorch does not count the padding here
    return all(n >= k for n, k in zip(size, (kernel,) * 3 if isinstance(kernel, int) else kernel, strict=True))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_max_and_average(isa, size):
    for kernel, stride, padding in WINDOWS:
        for ceil_mode in (False, True):
            if fits(size, kernel):
                x = randn(2, 3, *size)
                check_pool("max_pool3d", x, kernel, stride, padding, ceil_mode=ceil_mode)
                for count in (False, True):
                    check_pool("avg_pool3d", x, kernel, stride, padding, ceil_mode, count)


def test_dilation_divisor_and_indices(isa):
    x = randn(2, 2, 7, 8, 21)
    check_pool("max_pool3d", x, 3, 2, 1, (1, 2, 3))
    for divisor in (5, -3):
        check_pool("avg_pool3d", x, 2, divisor_override=divisor)
    for name in ("max_pool3d", "max_pool3d_with_indices"):
        check_pool(name, x, (2, 3, 9), return_indices=True, grad=False)


@pytest.mark.parametrize("outputs", [1, 3, (2, 5, 3), (None, 4, 7), (7, 8, None)], ids=str)
def test_adaptive(isa, outputs):
    check_pool("adaptive_avg_pool3d", randn(2, 3, 7, 8, 9), outputs)
    check_pool("adaptive_max_pool3d", randn(3, 7, 8, 9), outputs)
    check_pool("adaptive_max_pool3d_with_indices", randn(2, 3, 7, 8, 9), outputs, grad=False)


def test_integers_are_divided_towards_zero():
    x = rng.integers(-9, 9, (2, 3, 4, 6))
    check_pool("avg_pool2d", x, 2)
    check_pool("avg_pool3d", x, 2, 1, 1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_lp_pool(n):
    x = randn(2, 3, *(7, 8, 9)[:n])
    check_pool(f"lp_pool{n}d", x, 2, 3)
    check_pool(f"lp_pool{n}d", np.abs(x) + 0.1, 3.0, 2, 1, True)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_unpool(n):
    x = randn(2, 3, *(7, 8, 9)[:n])
    options = {"kernel_size": 3, "stride": 2, "padding": 1}

    def there_and_back(m, x, output_size=None):
        y, index = getattr(functional(m), f"max_pool{n}d")(x, **options, return_indices=True)
        return getattr(functional(m), f"max_unpool{n}d")(y, index, **options, output_size=output_size)

    check_same(there_and_back, x[..., :7] if n == 1 else x[:, :, :7, :7] if n == 2 else x[:, :, :7, :7, :7])
    check_same(lambda m, x: there_and_back(m, x, x.shape), x)
    check_same(lambda m, x: there_and_back(m, x, x.shape[1:][-n:]), x[0])


@pytest.mark.parametrize("n", [2, 3])
def test_fractional_max_pool(n):
    x, samples = randn(2, 3, *(9, 11, 8)[:n]), rng.random((2, 3, n))

    def pool(m, x, *samples, **options):
        samples = samples[0] if samples else None
        return getattr(functional(m), f"fractional_max_pool{n}d")(x, 2, **options, _random_samples=samples)

    for options in ({"output_size": (5, 4, 6)[:n]}, {"output_ratio": (0.4, 0.6, 0.5)[:n]}):
        options |= {"return_indices": n == 2}
        check_same(lambda m, x, u, o=options: pool(m, x, u, **o), x, samples, grad=False, dtypes=("float64",))
    check_same(lambda m, x, u: pool(m, x, u, output_size=4), x, samples, grad=[0], dtypes=("float64",))
    y, index = getattr(F, f"fractional_max_pool{n}d_with_indices")(weft.tensor(x[0]), 3, 3)
    assert np.array_equal(y.numpy(), weft.tensor(x[0]).flatten(1).gather(1, index.flatten(1)).reshape(y.shape).numpy())


def test_second_derivatives():
    def gradient(pool):
        def first(x):
            x = x if x.requires_grad else x.requires_grad_()
            y = pool(x)
            return weft.autograd.grad((y * y * y).sum(), x, create_graph=True)[0]

        return first

    for pool in (lambda x: F.max_pool3d(x, 2, 1), lambda x: F.avg_pool3d(x, 2, 1, 1)):
        gradcheck(gradient(pool), randn(1, 2, 3, 3, 2))


def test_same_bits_on_any_number_of_threads():
    x = weft.tensor(randn(2, 8, 9, 17, 18)).float()

    def run():
        a = x.clone().requires_grad_()
        y = F.avg_pool3d(a, 3, 2, 1) + F.max_pool3d(a, 3, 2, 1)
        y.sum().backward()
        return y, a.grad

    same_bits(run)


def test_bad_arguments():
    x = weft.zeros(1, 2, 4, 4, 4)
    with pytest.raises(RuntimeError, match="one int or three"):
        F.max_pool3d(x, (2, 2))
    with pytest.raises(RuntimeError, match="other than 0"):
        F.avg_pool3d(x, 2, divisor_override=0)
    with pytest.raises(ValueError, match="int64 indices"):
        F.max_unpool2d(x[0], weft.zeros(2, 4, 4, 4), 2)
    with pytest.raises(ValueError, match="within one stride"):
        F.max_unpool1d(x[0, 0], x[0, 0].long(), 2, output_size=(11,))
    with pytest.raises(ValueError, match="either output_size or output_ratio"):
        F.fractional_max_pool2d(x[0], 2)
    with pytest.raises(ValueError, match="do not fit"):
        F.fractional_max_pool2d(x[0], 2, 4)
