"""Elementwise operations: values and gradients beside PyTorch, broadcasting, second derivatives."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, check_same, torch
from weft.testing import assert_close, gradcheck, to_numpy

SIZES = (0, 1, 3, 15, 16, 17, 64, 67, 1000)
random = np.random.default_rng(0)


def normal(*shape):
    return random.standard_normal(shape)


def positive(*shape):
    return np.abs(normal(*shape)) + 0.1


def unit(*shape):
    return random.uniform(-0.95, 0.95, shape)


UNARY = {
    **dict.fromkeys(
        [
            "neg",
            "abs",
            "square",
            "exp",
            "exp2",
            "expm1",
            "sin",
            "cos",
            "tanh",
            "sinh",
            "cosh",
            "atan",
            "asinh",
            "erf",
            "erfc",
            "sigmoid",
            "relu",
        ],
        normal,
    ),
    **dict.fromkeys(["reciprocal", "sqrt", "rsqrt", "log", "log2", "log10", "log1p"], positive),
    **dict.fromkeys(["asin", "acos", "tan", "atanh", "erfinv"], unit),
    "acosh": lambda n: 1 + positive(n),
    **dict.fromkeys(["sign", "floor", "ceil", "round", "trunc", "frac"], normal),
}
ACTIVATIONS = {
    "relu": {},
    "relu6": {},
    "silu": {},
    "mish": {},
    "selu": {},
    "hardsigmoid": {},
    "hardswish": {},
    "logsigmoid": {},
    "gelu": {},
    "gelu tanh": {"approximate": "tanh"},
    "softplus": {"beta": 2.0, "threshold": 3.0},
    "elu": {"alpha": 0.7},
    "leaky_relu": {"negative_slope": 0.2},
    "hardtanh": {"min_val": -0.5, "max_val": 0.7},
    "celu": {"alpha": 1.3},
    "hardshrink": {"lambd": 0.3},
    "softshrink": {"lambd": 0.3},
    "threshold": {"threshold": 0.2, "value": -3.0},
}
# Units in the last place of float32, beyond the strict tolerance of the comparator.
LOOSE = {
    "tanh": 6,
    "erf": 7,
    "erfc": 9,
    "asinh": 4,
    "acosh": 4,
    "atanh": 4,
    "erfinv": 5,
    "gelu": 12,
    "gelu tanh": 12,
    "mish": 12,
    "silu": 6,
    "logsigmoid": 6,
    "selu": 6,
    "sigmoid": 6,
}


def rtol_of(name):
    return {"rtol": LOOSE[name] * 2.0**-23} if name in LOOSE else {}


@pytest.mark.parametrize("name", UNARY)
def test_unary(isa, name):
    for n in SIZES:
        check_same(lambda m, x: getattr(m, name)(x), UNARY[name](n), terms=1, atol=1e-6, **rtol_of(name))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(isa, name):
    function, options = name.split()[0], ACTIVATIONS[name]
    x = np.concatenate([normal(67) * 3, [0.0, -0.0, 20.0, -20.0, 1e-4, -1e-4]])
    check(
        lambda x: getattr(F, function)(x, **options),
        lambda x: getattr(torch.nn.functional, function)(x, **options),
        x,
        terms=1,
        atol=2e-6,
        **rtol_of(name),
    )


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "tanh", "exp", "sigmoid"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(isa, name, dtype):
    m = {"gelu": F, "silu": F}.get(name, weft)
    for n in (1, 16, 17, 515, 1100):
        x = normal(n).astype(np.float32)
        h = weft.tensor(x).to(getattr(weft, dtype))
        y = getattr(m, name)(h)
        assert y.dtype == getattr(weft, dtype)
        exact = getattr(m, name)(h.to(weft.float64))
        assert_close(y, exact, check_dtype=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu_keeps_its_tail(isa, dtype):
    """Relative accuracy where 1 + erf(x) would cancel to nothing."""
    from math import erfc, sqrt

    x = np.linspace(-12, 6, 1001)
    want = np.array([0.5 * v * erfc(-v / sqrt(2)) for v in x.astype(dtype).astype(np.float64)])
    assert_close(
        F.gelu(weft.tensor(x.astype(dtype))),
        want,
        rtol=(16 if dtype == "float32" else 300) * float(np.finfo(dtype).eps),
        check_dtype=False,
    )


def test_special_values(isa):
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e30, -1e30], np.float32)
    with np.errstate(all="ignore"):
        for name in [
            "exp",
            "log",
            "sqrt",
            "tanh",
            "sin",
            "cos",
            "floor",
            "ceil",
            "trunc",
            "abs",
            "expm1",
            "log1p",
            "log2",
            "log10",
            "exp2",
        ]:
            got = to_numpy(getattr(weft, name)(weft.tensor(x)))
            want = getattr(np, name)(x.astype(np.float64)).astype(np.float32)
            if name in ("sin", "cos"):
                got, want = got[:5], want[:5]
            assert_close(got, want, name=name)
    relu = to_numpy(weft.relu(weft.tensor(x)))
    assert np.isnan(relu[2]) and relu[0] == np.inf and relu[1] == 0
    nan, one = weft.tensor([np.nan, 1.0]), weft.tensor([1.0, np.nan])
    assert np.isnan(to_numpy(weft.maximum(nan, one))).all() and np.isnan(to_numpy(weft.minimum(nan, one))).all()
    assert np.isnan(to_numpy(nan.clamp(0, 2))[0])
    assert to_numpy(weft.isnan(weft.tensor(x))).tolist() == np.isnan(x).tolist()
    assert to_numpy(weft.isinf(weft.tensor(x))).tolist() == np.isinf(x).tolist()
    assert to_numpy(weft.isfinite(weft.tensor(x))).tolist() == np.isfinite(x).tolist()


BINARY = ["add", "sub", "mul", "div", "maximum", "minimum", "atan2", "fmod", "remainder", "floor_divide"]
COMPARE = ["eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"]
SHAPES = [
    ((5,), (5,)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((2, 3, 4), (3, 1)),
    ((1,), (2, 0)),
    ((), (3, 2)),
    ((300, 200), (300, 1)),
    ((2, 1, 3, 1, 2), (4, 1, 5, 1)),
]


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_binary(isa, name, shapes):
    a, b = (normal(*s) for s in shapes)
    grad = shapes != ((300, 200), (300, 1)) or name in ("add", "mul", "div")
    if name == "floor_divide":
        grad = False
    check_same(
        lambda m, a, b: getattr(m, name)(a, b),
        a,
        b,
        grad=grad,
        terms=200,
        rtol=1e-4 if name in ("fmod", "remainder") else None,
        dtypes=("float64",) if name in ("fmod", "remainder", "floor_divide") else ("float32", "float64"),
    )


@pytest.mark.parametrize("name", COMPARE)
def test_comparisons(isa, name):
    a, b = (random.integers(-2, 3, (3, 67)).astype(np.float64) for _ in range(2))
    check_same(
        lambda m, a, b: getattr(m, name)(a, b), a, b, grad=False, dtypes=("float16", "bfloat16", "float32", "float64")
    )
    check_same(lambda m, a, b: getattr(m, name)(a, b), a.astype(np.int64), b.astype(np.int32), grad=False)


def test_pow(isa):
    x, y = positive(40), normal(40)
    check_same(lambda m, a, b: m.pow(a, b), x, y, terms=4)
    for e in (2, 3, 0.5, -1, -0.5, 0, 1, 1.5, -2, 4):
        check_same(lambda m, a, e=e: a**e, x, terms=4)
    check_same(lambda m, b: 2.5**b, y, terms=4)
    special = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, np.inf, -np.inf, np.nan])
    a, b = (v.ravel() for v in np.meshgrid(special, special))
    check_same(lambda m, a, b: m.pow(a, b), a, b, grad=False)
    i = random.integers(-5, 6, 50)
    assert to_numpy(weft.tensor(i) ** 3).tolist() == (i**3).tolist()
    with pytest.raises(RuntimeError, match="negative integer powers"):
        weft.tensor(i) ** -1


def test_ternary(isa):
    x, a, b = normal(4, 5), normal(4, 5), positive(5)
    mask = random.random((4, 1)) > 0.5
    check_same(lambda m, c, a, b: m.where(c, a, b), mask, a, b)
    check_same(lambda m, c, a: m.where(c, a, 0.5), mask, a)
    check_same(lambda m, a, b: m.lerp(a, b, 0.7), x, a)
    check_same(lambda m, a, b, w: m.lerp(a, b, w), x, a, unit(4, 5))
    check_same(lambda m, x, a, b: m.addcmul(x, a, b, value=0.5), x, a, b)
    check_same(lambda m, x, a, b: m.addcdiv(x, a, b, value=-2), x, a, b)
    check_same(lambda m, x: m.clamp(x, -0.5, 0.7), x)
    check_same(lambda m, x: m.clamp(x, min=0.1), x)
    check_same(lambda m, x: x.clamp(max=0.1), x)
    check_same(lambda m, x, a, b: m.clamp(x, a, a + b), x, a, b)
    check_same(lambda m, x, c: x.masked_fill(c, -1e9), x, mask)
    with pytest.raises(RuntimeError, match="neither"):
        weft.ones(2).clamp()
    with pytest.raises(RuntimeError, match="bool"):
        weft.where(weft.ones(2), weft.ones(2), weft.ones(2))


def test_second_derivatives():
    """The derivative of a fused derivative is its functor on tensors."""
    for f, x in [
        *(
            (getattr(weft, n), UNARY[n](7))
            for n in UNARY
            if n not in ("sign", "floor", "ceil", "round", "trunc", "frac")
        ),
        *(((lambda x, n=n: getattr(F, n.split()[0])(x, **ACTIVATIONS[n])), normal(7)) for n in ACTIVATIONS),
        (lambda x: x**3, normal(7)),
        (lambda x: x**2.5, positive(7)),
        (lambda x: 2.0**x, normal(7)),
        (lambda x: 1 / x, positive(7)),
        (lambda x: weft.maximum(x, -x), normal(7)),
        (lambda x: weft.atan2(x, x * x + 1), normal(7)),
        (lambda x: weft.lerp(x, x * x, 0.3), normal(7)),
    ]:

        def slope(x, f=f):
            x = x if x.requires_grad else x.detach().requires_grad_()
            (g,) = weft.autograd.grad(f(x).sum(), x, create_graph=True)
            return g

        if slope(weft.tensor(x, requires_grad=True)).requires_grad:
            gradcheck(slope, x)


@pytest.mark.parametrize("shape, weights", [((5,), 1), ((17, 33), 33), ((2, 3, 4, 5), 3), ((2, 3, 16), 1), ((0, 3), 3)])
def test_prelu(isa, shape, weights):
    x, w = normal(*shape), normal(weights)
    check_same(lambda m, x, w: m.prelu(x, w), x, w)
    if x.size:
        x, w = (weft.tensor(a, requires_grad=True) for a in (x, w))
        gradcheck(lambda x, w: weft.autograd.grad(weft.prelu(x, w).square().sum(), (x, w), create_graph=True), x, w)
