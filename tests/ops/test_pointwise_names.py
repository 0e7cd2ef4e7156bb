"""Elementwise operations under PyTorch's names: which operands may be numbers, aliases, operators, twins in place."""

import math

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check_same, torch
from weft import nn
from weft.testing import assert_close, to_numpy

random = np.random.default_rng(0)
NUMBERS = [1.5, 2, True]


@pytest.fixture
def double():
    weft.set_default_dtype(weft.float64)
    yield
    weft.set_default_dtype(weft.float32)


def test_default_dtype_of_functions_of_integers(double):
    n = weft.tensor([1, 2])
    for y in (
        n.sqrt(),
        n / n,
        n + 0.5,
        0.5 * n,
        weft.deg2rad(n),
        weft.where(n > 1, 0.5, n),
        n.clamp(max=1.5),
        n.pow(0.5),
    ):
        assert y.dtype == weft.float64
    assert (n + 1).dtype == weft.int64 and (n > 0.5).dtype == weft.bool
    assert (weft.ones(2, dtype=weft.float16) + 0.5).dtype == weft.float16


BOTH = "add sub mul div floor_divide remainder pow float_power xlogy"
SECOND = "fmod eq ne lt le gt ge greater not_equal copysign rsub clamp_min clamp_max"
NEITHER = """maximum minimum fmax fmin atan2 arctan2 hypot logaddexp logaddexp2 logical_and logical_or logical_xor
    heaviside gcd lcm ldexp"""


@pytest.mark.parametrize("name", f"{BOTH} {SECOND} {NEITHER}".split())
def test_which_operands_may_be_numbers(name):
    f = getattr(weft, name)
    x = weft.tensor([1.0, 2.0])
    if name in NEITHER.split():
        with pytest.raises(TypeError):
            f(x, 2)
    else:
        assert f(x, 2).shape == (2,)
    if name in BOTH.split():
        assert f(2, x).shape == (2,)
    else:
        with pytest.raises(TypeError):
            f(2, x)


ALIASES = {
    "abs": "absolute", "neg": "negative", "sub": "subtract", "mul": "multiply", "div": "divide true_divide",
    "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "trunc": "fix",
    "sign": "sgn", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "clamp": "clip",
}  # fmt: skip


@pytest.mark.parametrize("name", ALIASES)
def test_aliases(name):
    for other in ALIASES[name].split():
        for home in (weft, weft.Tensor):
            assert callable(getattr(home, other))
        assert callable(getattr(weft.Tensor, other + "_"))
    x = weft.tensor([0.5, -0.25])
    if name in ("asin", "sign", "neg"):
        y = x.clone()
        assert weft.equal(getattr(y, other + "_")(), getattr(x, name)()) and weft.equal(getattr(weft, other)(x), y)


IN_PLACE = """
    abs acos acosh add addcdiv addcmul asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min copysign cos cosh deg2rad div eq
    erf erfc erfinv exp exp2 expm1 float_power floor floor_divide fmod frac gcd ge gt heaviside hypot lcm ldexp
    le lerp log log10 log1p log2 logical_and logical_not logical_or logical_xor logit lt masked_fill mul
    nan_to_num ne neg pow rad2deg reciprocal relu remainder round rsqrt sgn sigmoid sign sin sinc sinh sqrt
    square sub tan tanh trunc xlogy
"""


def test_every_elementwise_name_of_pytorch():
    """Methods and functions whose names PyTorch has without the underscore."""
    if torch is None:
        pytest.skip("needs PyTorch")
    for name in IN_PLACE.split():
        for form in (name, name + "_"):
            assert hasattr(weft.Tensor, form), form
            assert not hasattr(torch, form) or hasattr(weft, form), form


def test_operators():
    x, n = np.array([5.0, -7.5, 0.25]), np.array([5, -7, 12])
    for f in (
        lambda m, x: +x,
        lambda m, x: x.__rdiv__(2),
        lambda m, x: x.__div__(2),
        lambda m, x: 2**x,
    ):
        check_same(f, x)
    check_same(lambda m, x: 7.5 % x, x, grad=False)
    for f in (
        lambda m, n: n << 2,
        lambda m, n: n >> 1,
        lambda m, n: 2 << abs(n),
        lambda m, n: 1000 >> abs(n),
        lambda m, n: n >> 70,
        lambda m, n: n << 70,
        lambda m, n: n >> -1,
        lambda m, n: n & 6 | 1 ^ n,
        lambda m, n: 100 % n,
        lambda m, n: 100 // n,
    ):
        check_same(f, n, grad=False)
    q, r = divmod(weft.tensor(n), 4)
    assert (q.tolist(), r.tolist()) == ([1, -2, 3], [1, 1, 0])
    assert round(weft.tensor([1.26]), 1).item() == pytest.approx(1.3)
    with pytest.raises(TypeError):
        weft.tensor([1.0]) << 1


def test_operators_in_place():
    def change(m, x, n):
        x, n = x * 1, n.clone()
        x //= 2
        x %= 3
        x **= 2
        n &= 29
        n |= 2
        n ^= 1
        n <<= 3
        n >>= 1
        return x, n

    check_same(change, np.array([5.5, -7.5, 9.0]), np.array([5, 7, 12]), grad=False)
    x = weft.tensor([2.0], requires_grad=True)
    y = x * 1
    y **= 3
    y.backward()
    assert x.grad.item() == 12


@pytest.mark.parametrize("name", ["celu", "elu", "leaky_relu", "hardtanh", "relu", "selu", "threshold", "rrelu"])
def test_activations_in_place(name):
    arguments = (0.1, -1.0) if name == "threshold" else ()
    values = random.standard_normal(20).astype(np.float32)
    for change in (
        lambda x: getattr(F, name)(x, *arguments, inplace=True),
        lambda x: getattr(F, name + "_")(x, *arguments),
    ):
        leaf = weft.tensor(values, requires_grad=True)
        x = leaf * 1
        at = x.data_ptr()
        assert change(x) is x and x.data_ptr() == at
        other = weft.tensor(values, requires_grad=True)
        y = getattr(F, name)(other, *arguments)
        x.sum().backward()
        y.sum().backward()
        assert weft.equal(x, y) and weft.equal(leaf.grad, other.grad)


def test_rrelu_in_training():
    x = -weft.ones(4000, requires_grad=True)
    y = F.rrelu(x, 0.2, 0.6, training=True)
    assert (-y).min() >= 0.2 and (-y).max() <= 0.6 and abs(-y.mean().item() - 0.4) < 0.02
    leaf = weft.tensor([-1.0, 2.0], requires_grad=True)
    z = F.rrelu_(leaf * 1, 0.2, 0.6, training=True)
    z.sum().backward()
    assert_close(leaf.grad, [-z[0].item(), 1.0], check_dtype=False)
    with pytest.raises(ValueError, match="lower"):
        F.rrelu(x, 0.6, 0.2)


def test_modules():
    x = weft.tensor(random.standard_normal((2, 3, 4, 4)).astype(np.float32))
    for module, text in (
        (nn.Hardshrink(0.3), "Hardshrink(0.3)"),
        (nn.Softshrink(), "Softshrink(0.5)"),
        (nn.Threshold(0.1, 2.0), "Threshold(threshold=0.1, value=2.0)"),
        (nn.RReLU(0.1, 0.3), "RReLU(lower=0.1, upper=0.3)"),
        (nn.Softmax2d(), "Softmax2d()"),
    ):
        assert repr(module) == text
        module.eval()
        if torch is not None:
            theirs = eval(f"torch.nn.{text}", {"torch": torch}).eval()
            assert_close(module(x), theirs(torch.tensor(to_numpy(x))), rtol=1e-5)
    with pytest.raises(ValueError, match="dimensions"):
        nn.Softmax2d()(weft.ones(2, 3))


def test_masked_fill_takes_the_dtype_of_the_tensor():
    mask = np.array([True, False])
    for x in (np.array([1, 2]), np.array([True, False]), np.array([1, 2], np.uint8)):
        for value in (1.5, -1, 0):
            check_same(
                lambda m, x, c, v=value: (x.masked_fill(c, v), x.clone().masked_fill_(c, v)), x, mask, grad=False
            )
    with pytest.raises(RuntimeError, match="fit"):
        weft.tensor([1]).masked_fill(weft.tensor([True]), math.inf)


def test_where_alone_is_nonzero():
    rows, columns = weft.where(weft.tensor([[0.0, 2.0], [3.0, 0.0]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])


def test_extremes():
    big = 3e38
    x, y = np.array([big, big, 0.0, np.inf, np.nan, 3.0]), np.array([big, 1.0, 0.0, np.nan, 1.0, 4.0])
    check_same(lambda m, x, y: m.hypot(x / 2, y / 2), x, y, grad=False)
    a = np.array([np.inf, -np.inf, np.inf, 800.0, -800.0, np.nan, 1.0])
    b = np.array([np.inf, -np.inf, -np.inf, 801.0, -799.0, 1.0, 1.0])
    for name in ("logaddexp", "logaddexp2", "fmax", "fmin"):
        check_same(lambda m, a, b, n=name: getattr(m, n)(a, b), a, b, grad=False, terms=2)
    check_same(lambda m, x: m.ldexp(x, m.tensor([200])), np.array([2.0**-100]), dtypes=("float32",), grad=False)
    check_same(lambda m, x: (m.asinh(x), m.acosh(abs(x))), np.array([1e20, -1e30, 2e9, 5e8, 1e4]), grad=False, terms=2)
    special = np.array([np.inf, -np.inf, np.nan, -0.0, 1.0])
    check_same(lambda m, x: (m.nan_to_num(x), m.nan_to_num(x, 7.0, 8.0, 9.0)), special, dtypes=("float64",))
    assert weft.nan_to_num(weft.tensor(np.inf, dtype=weft.float16)).item() == 65504
    check_same(lambda m, x: (m.signbit(x), m.isposinf(x), m.isneginf(x), m.isreal(x)), special, grad=False)
    check_same(lambda m, x: (m.logit(x), m.logit(x, 0.1), m.logit(x, 0.6)), np.array([0.0, 0.05, 0.5, 0.97, 1.0]))
    check_same(lambda m, x: m.sinc(x), np.array([0.0, 1.0, -0.5, 3.25]))


def test_out():
    x, y = random.uniform(0.1, 0.9, 6), random.uniform(0.1, 0.9, 6)
    calls = [
        lambda m, x, y, o: m.clamp(x, 0.2, 0.5, out=o),
        lambda m, x, y, o: m.clamp_min(x, 0.2, out=o),
        lambda m, x, y, o: m.where(x > 0.5, x, y, out=o),
        lambda m, x, y, o: m.lerp(x, y, 0.3, out=o),
        lambda m, x, y, o: m.addcmul(x, x, y, value=2, out=o),
        lambda m, x, y, o: m.logit(x, out=o),
        lambda m, x, y, o: m.frac(x, out=o),
        lambda m, x, y, o: m.nan_to_num(x, out=o),
        lambda m, x, y, o: m.round(x, decimals=1, out=o),
        lambda m, x, y, o: m.hypot(x, y, out=o),
        lambda m, x, y, o: m.deg2rad(x, out=o),
        lambda m, x, y, o: m.heaviside(x, y, out=o),
        lambda m, x, y, o: m.float_power(x, 2, out=o),
    ]
    for f in calls:
        check_same(lambda m, x, y, f=f: f(m, x, y, m.empty(6, dtype=m.float64)), x, y, dtypes=("float64",), grad=False)
        out = weft.empty(6, dtype=weft.float64)
        assert f(weft, weft.tensor(x), weft.tensor(y), out) is out
        with pytest.raises(RuntimeError, match="tape|grad"):
            f(weft, *(weft.tensor(v, requires_grad=True) for v in (x, y)), out)
    with pytest.raises(RuntimeError, match="fit"):
        weft.deg2rad(weft.ones(2), out=weft.empty(3))
    with pytest.raises(RuntimeError, match="cast"):
        weft.lerp(weft.ones(2), weft.ones(2), 0.5, out=weft.empty(2, dtype=weft.int64))


def test_second_derivatives():
    from weft.testing import gradcheck

    x, y = random.uniform(0.2, 0.8, 6), random.uniform(0.2, 0.8, 6)
    for f in (
        weft.erfc,
        weft.erfinv,
        weft.asinh,
        weft.atanh,
        weft.logit,
        lambda x: weft.acosh(x + 1),
        lambda x: F.celu(-x, 1.3),
        lambda x: weft.hypot(x, x * x),
        lambda x: weft.logaddexp(x, x * x),
        lambda x: weft.logaddexp2(x, x * x),
        lambda x: weft.xlogy(x, x + 1),
        lambda x: weft.copysign(x * x, -x),
    ):

        def slope(x, f=f):
            x = x if x.requires_grad else x.detach().requires_grad_()
            (g,) = weft.autograd.grad(f(x).sum(), x, create_graph=True)
            return g

        gradcheck(slope, x)
    gradcheck(lambda a, b: weft.hypot(a, b) + weft.xlogy(a, b) + weft.logaddexp(a, b), x, y)


def test_errors():
    x = weft.tensor([1, 2])
    with pytest.raises(RuntimeError, match="fit"):
        x.deg2rad_()
    with pytest.raises(RuntimeError, match="fit"):
        weft.ones(1).ldexp_(weft.tensor([1, 2]))
    with pytest.raises(RuntimeError, match="float64"):
        weft.ones(2).float_power_(2)
    with pytest.raises(RuntimeError, match="one dtype"):
        weft.heaviside(weft.ones(1), x)
    with pytest.raises(RuntimeError, match="alpha"):
        F.celu(weft.ones(1), 0.0)
    with pytest.raises(RuntimeError, match="lambd"):
        F.softshrink(weft.ones(1), -1.0)
    with pytest.raises(RuntimeError, match="bools"):
        +weft.tensor([True])
    with pytest.raises(RuntimeError, match="rtol"):
        weft.isclose(x, x, rtol=-1)
    for f in (weft.gcd, weft.bitwise_left_shift):
        with pytest.raises(NotImplementedError):
            f(weft.tensor([True]), weft.tensor([True]))
    with pytest.raises(NotImplementedError, match="integers"):
        x.round(decimals=1)
