"""Elementwise operations: values and gradients beside PyTorch, promotion, broadcasting, layouts, in place, errors."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, check_same, same_bits, torch
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
    a, b = random.integers(-100, 100, (2, 300))
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


def strided(x):
    """The same numbers behind other memory."""
    t = weft.tensor(x)
    yield t.t().contiguous().t() if t.dim() == 2 else t.clone()
    wide = weft.zeros(*[2 * n for n in x.shape])
    view = wide[tuple(slice(0, None, 2) for _ in x.shape)]
    view.copy_(t)
    yield view
    if x.ndim == 2:
        yield weft.stack([t, t], dim=2)[:, :, 1]


@pytest.mark.parametrize("shape", [(5, 7), (130, 3), (3, 130), (64, 200), (200, 300), (70000,)], ids=str)
def test_strided_operands(isa, shape):
    a, b = normal(*shape).astype(np.float32), normal(*shape).astype(np.float32)
    for x in strided(a):
        for y in strided(b):
            assert to_numpy(x + y).tobytes() == (a + b).tobytes()
        assert to_numpy(x * 2).tobytes() == (a * 2).tobytes()
        assert to_numpy(x > 0).tobytes() == (a > 0).tobytes()
        x.mul_(2)
        assert to_numpy(x.contiguous()).tobytes() == (a * 2).tobytes()


def test_result_keeps_the_memory_order():
    x = weft.tensor(normal(2, 3, 4, 5).astype(np.float32)).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert (x + 1).stride() == x.stride() and weft.relu(x).stride() == x.stride()
    assert_close(x + x, to_numpy(x) * 2)


def test_in_place():
    a = normal(4, 5).astype(np.float32)
    x = weft.tensor(a)
    before = x.data_ptr()
    x += 1
    x *= weft.tensor([2.0])
    x -= weft.ones(4, 1)
    x /= 2
    assert x.data_ptr() == before
    assert_close(x, ((a + 1) * 2 - 1) / 2, terms=4)
    assert_close(weft.tensor(a).relu_(), np.maximum(a, 0))
    assert_close(weft.tensor(a).clamp_(-0.5, 0.5), a.clip(-0.5, 0.5))
    assert_close(weft.tensor(a).add_(weft.ones(5), alpha=3), a + 3)
    out = weft.empty(4, 5)
    assert weft.add(weft.tensor(a), 1, out=out) is out
    assert_close(out, a + 1)
    shifted = weft.tensor(np.arange(6.0))
    shifted[1:].add_(shifted[:-1])  # the operand shares memory: as if it had been copied first
    assert to_numpy(shifted).tolist() == [0, 1, 3, 5, 7, 9]


def test_in_place_errors():
    with pytest.raises(RuntimeError, match="can't be cast"):
        weft.tensor([1, 2]).add_(1.5)
    with pytest.raises(RuntimeError, match="can't be cast"):
        weft.tensor([1, 2]).div_(2)
    with pytest.raises(RuntimeError, match="can't be cast"):
        weft.tensor([True]).add_(1)
    with pytest.raises(RuntimeError, match="shape"):
        weft.ones(3).add_(weft.ones(2, 3))
    with pytest.raises(RuntimeError, match="expand"):
        weft.ones(1).expand(3).add_(1)
    leaf = weft.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf.add_(1)
    with pytest.raises(RuntimeError, match="out="):
        weft.add(leaf, 1, out=weft.empty(3))
    with pytest.raises(RuntimeError, match="in place"):
        y = leaf * 1
        z = y * y
        y.add_(1)
        z.sum().backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: x.mul_(y),
        lambda x, y: x.add_(y, alpha=2),
        lambda x, y: x.sub_(y),
        lambda x, y: x.div_(y),
        lambda x, y: x.exp_(),
        lambda x, y: x.sin_(),
        lambda x, y: x.relu_(),
        lambda x, y: x.clamp_(-0.3, 0.3),
        lambda x, y: x.addcmul_(y, y, value=0.5),
        lambda x, y: x.lerp_(y, 0.3),
        lambda x, y: x.masked_fill_(y > 1, 2.0),
        lambda x, y: x[1:].mul_(y[1:]),
    ],
)
def test_in_place_gradients(change):
    def f(x, y):
        x = x * 1
        change(x, y)
        return x * x

    check(f, f, normal(6), positive(6), dtypes=("float64",))


def test_in_place_with_itself():
    gradcheck(lambda x: (x * 1).mul_(x), normal(5))
    x = weft.tensor(normal(5), requires_grad=True)
    y = x * 1
    y.mul_(y)
    y.sum().backward()
    assert_close(x.grad, 2 * to_numpy(x))


def test_backward_keeps_only_what_it_reads():
    """A change of what no gradient needs is no error."""
    for f in (
        lambda a, b: a + b,
        lambda a, b: a / b,
        lambda a, b: -a + 0 * b.detach(),
        lambda a, b: weft.where(b > 0, a, b),
    ):
        a, b = (weft.ones(3, requires_grad=True) for _ in range(2))
        inner = a * 2
        y = f(inner, b)
        inner.add_(1)
        y.sum().backward()


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


def test_gradient_only_where_wanted():
    a, b = weft.ones(3, requires_grad=True), weft.ones(3)
    assert not (b + b).requires_grad and (a + b).requires_grad and not (a > b).requires_grad
    (a * b).sum().backward()
    assert b.grad is None
    with weft.no_grad():
        assert not (a * 2).requires_grad
    half = weft.ones(3, dtype=weft.float16, requires_grad=True)
    (half * weft.ones(3)).sum().backward()
    assert half.grad.dtype == weft.float16


def test_equal_bits_on_any_number_of_threads():
    x = weft.tensor(normal(300, 1000).astype(np.float32))
    y = weft.tensor(normal(1000).astype(np.float32))
    same_bits(lambda: (F.gelu(x), x * y, x.t() + y[:300], x > y))


def test_errors():
    with pytest.raises((RuntimeError, ValueError), match=r"broadcast|shape"):
        weft.ones(2, 3) + weft.ones(2)
    with pytest.raises(TypeError):
        weft.ones(2) + "x"
    with pytest.raises(TypeError):
        weft.add(1, 2)
    with pytest.raises(TypeError):
        weft.ones(2) & weft.ones(2)
    with pytest.raises(RuntimeError, match="rounding_mode"):
        weft.div(weft.ones(2), 2, rounding_mode="up")
    with pytest.raises(ValueError, match="approximate"):
        F.gelu(weft.ones(2), approximate="erf")


def test_closeness():
    x = weft.tensor([1.0, 2.0, np.nan])
    assert not weft.allclose(x, x) and weft.allclose(x, x, equal_nan=True)
    assert weft.equal(x[:2], x[:2]) and not weft.equal(x[:2], x[:1])
    assert to_numpy(weft.isclose(x, x + 1e-7)).tolist() == [True, True, False]
