"""Elementwise operations: promotion, numbers, integers, booleans, closeness."""

import numpy as np
import pytest

import weft
from oracle import check_same, torch
from weft.testing import assert_close, to_numpy


@pytest.mark.parametrize("a", ["float32", "float16", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("b", ["float64", "bfloat16", "int16", "uint8", "bool"])
def test_promotion_of_tensors(a, b):
    if torch is None:
        pytest.skip("needs PyTorch")
    values = np.array([0, 1, 1, 0, 1])
    for shape_a, shape_b in (((5,), (5,)), ((5,), ()), ((), (5,))):

        def make(m, dtype, shape):
            return m.tensor(values).to(getattr(m, dtype)) if shape else m.tensor(1).to(getattr(m, dtype))

        for op in ("add", "mul", "true_divide", "maximum", "eq"):
            got = getattr(weft, op)(make(weft, a, shape_a), make(weft, b, shape_b))
            want = getattr(torch, op)(make(torch, a, shape_a), make(torch, b, shape_b))
            assert_close(got, want, name=f"{op} {shape_a} {shape_b}")


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool"])
@pytest.mark.parametrize("number", [True, 2, 1.5])
def test_numbers_are_weak(dtype, number):
    if torch is None:
        pytest.skip("needs PyTorch")
    x, t = weft.tensor([0, 1, 1]).to(getattr(weft, dtype)), torch.tensor([0, 1, 1]).to(getattr(torch, dtype))
    for f in (
        lambda v: v + number,
        lambda v: number * v,
        lambda v: v / number,
        lambda v: v == number,
        lambda v: number < v,
    ):
        assert_close(f(x), f(t))


def test_integers(isa):
    a, b = np.random.default_rng(0).integers(-100, 100, (2, 300))
    b[b == 0] = 7
    for dtype in ("int8", "int16", "int32", "int64"):
        x, y = weft.tensor(a.astype(dtype)), weft.tensor(b.astype(dtype))
        n, d = a.astype(dtype), b.astype(dtype)
        with np.errstate(over="ignore"):
            for got, want in (
                (x + y, n + d),
                (x - y, n - d),
                (x * y, n * d),
                (x // y, n // d),
                (x % y, n % d),
                (weft.fmod(x, y), np.fmod(n, d)),
                (x & y, n & d),
                (x | y, n | d),
                (x ^ y, n ^ d),
                (~x, ~n),
                (-x, -n),
                (abs(x), abs(n)),
                (weft.maximum(x, y), np.maximum(n, d)),
                (x.clamp(-3, 50), n.clip(-3, 50)),
                (weft.square(x), n * n),
            ):
                assert to_numpy(got).tolist() == want.tolist()
                assert str(got.dtype).endswith(dtype)
    smallest = weft.tensor([np.iinfo(np.int64).min])
    assert to_numpy(smallest // -1).tolist() == [np.iinfo(np.int64).min]  # wraps, and does not trap
    for f in (lambda x, y: x // y, lambda x, y: x % y):
        with pytest.raises(RuntimeError, match="division by zero"):
            f(weft.tensor([1, 2]), weft.tensor([1, 0]))
        with pytest.raises(RuntimeError, match="division by zero"):
            f(weft.tensor([1, 2]), 0)


def test_bools():
    a, b = weft.tensor([True, True, False, False]), weft.tensor([True, False, True, False])
    assert to_numpy(a & b).tolist() == [True, False, False, False]
    assert to_numpy(a ^ b).tolist() == [False, True, True, False]
    assert to_numpy(~a).tolist() == [False, False, True, True]
    assert to_numpy(a + b).tolist() == [True, True, True, False]
    for f in (lambda: a - b, lambda: -a):
        with pytest.raises(RuntimeError, match="bools"):
            f()


def test_floor_division_and_remainder_follow_python():
    a = np.array([7.0, -7.0, 7.0, -7.0, 0.0, -0.0, 1e-3, 5.5, np.inf, 3.0])
    b = np.array([2.0, 2.0, -2.0, -2.0, 3.0, 3.0, -1.0, 0.5, 2.0, np.inf])
    with np.errstate(all="ignore"):
        check_same(lambda m, a, b: m.floor_divide(a, b), a, b, grad=False)
        check_same(lambda m, a, b: m.remainder(a, b), a, b, grad=False)
        check_same(lambda m, a, b: m.div(a, b, rounding_mode="trunc"), a, b, grad=False)


def test_closeness():
    x = weft.tensor([1.0, 2.0, np.nan])
    assert not weft.allclose(x, x) and weft.allclose(x, x, equal_nan=True)
    assert weft.equal(x[:2], x[:2]) and not weft.equal(x[:2], x[:1])
    assert to_numpy(weft.isclose(x, x + 1e-7)).tolist() == [True, True, False]
