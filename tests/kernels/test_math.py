"""Errors of the vector functions in units of the last place, over floats of every exponent, on every instruction set.

Operations flush denormals, so results below the smallest normal number may be zero."""

import math

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from weft.testing import to_numpy

SMALLEST, LARGEST = np.finfo(np.float32).tiny, float(np.finfo(np.float32).max)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_sigmoid(x):
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def gelu(x):
    return x * np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()])


def erf(x):
    return np.array([math.erf(v) for v in x.tolist()])


def erfc(x):
    return np.array([math.erfc(v) for v in x.tolist()])


def erfinv(x):
    """In float64, which test_erfinv_is_the_inverse() checks."""
    return to_numpy(weft.erfinv(weft.tensor(x)))


# name: (function, reference in float64, bound in ulp)
FUNCTIONS = {
    "exp": (weft.exp, np.exp, 1.01),
    "exp2": (weft.exp2, np.exp2, 1.01),
    "expm1": (weft.expm1, np.expm1, 1.5),
    "log": (weft.log, np.log, 1.0),
    "log2": (weft.log2, np.log2, 1.2),
    "log10": (weft.log10, np.log10, 1.1),
    "log1p": (weft.log1p, np.log1p, 1.6),
    "tanh": (weft.tanh, np.tanh, 5.5),
    "sigmoid": (weft.sigmoid, sigmoid, 2.6),
    "erf": (weft.erf, erf, 6.5),
    "erfc": (weft.erfc, erfc, 9.0),
    "erfinv": (weft.erfinv, erfinv, 4.0),
    "asinh": (weft.asinh, np.arcsinh, 3.0),
    "acosh": (weft.acosh, np.arccosh, 3.5),
    "atanh": (weft.atanh, np.arctanh, 3.5),
    "sinh": (weft.sinh, np.sinh, 2.5),
    "cosh": (weft.cosh, np.cosh, 2.0),
    "tan": (weft.tan, np.tan, 4.0),
    "asin": (weft.asin, np.arcsin, 3.5),
    "acos": (weft.acos, np.arccos, 3.5),
    "atan": (weft.atan, np.arctan, 2.5),
    "angle of (1, x)": (lambda x: weft.atan2(x, weft.ones_like(x)), lambda x: np.arctan2(x, 1.0), 2.5),
    "angle of (x, 1)": (lambda x: weft.atan2(weft.ones_like(x), x), lambda x: np.arctan2(1.0, x), 2.5),
    "sin": (weft.sin, np.sin, 1.6),
    "cos": (weft.cos, np.cos, 1.6),
    "sqrt": (weft.sqrt, np.sqrt, 0.5001),
    "rsqrt": (weft.rsqrt, lambda x: 1 / np.sqrt(x), 1.51),
    "gelu": (F.gelu, gelu, 7.0),
    "silu": (F.silu, lambda x: x * sigmoid(x), 3.0),
    "logsigmoid": (F.logsigmoid, log_sigmoid, 3.5),
    "root": (lambda x: weft.pow(x, 0.3125), lambda x: np.power(x, 0.3125), 0.502),
    "power of x": (lambda x: weft.pow(0.75, x), lambda x: np.power(0.75, x), 0.502),
}


def worst(function, reference, x):
    """The largest error over the floats x, in units of the last place of the true value."""
    x = x[(np.abs(x) >= SMALLEST) | ~np.isfinite(x) | (x == 0)]
    with np.errstate(all="ignore"):
        want = reference(x.astype(np.float64))
    got = to_numpy(function(weft.tensor(x)))
    rounded = want.astype(np.float32)
    nan = np.isnan(rounded)
    assert (np.isnan(got) == nan).all(), x[np.isnan(got) != nan][:5]
    infinite = np.abs(want) > LARGEST * (1 + 2.0**-23)
    assert (np.isinf(got[infinite]) & (np.sign(got[infinite]) == np.sign(want[infinite]))).all(), x[infinite][:5]
    tiny = np.abs(want) < SMALLEST * 32  # a product of x with something flushed
    assert (np.abs(got[tiny]) <= SMALLEST * 33).all(), x[tiny][:5]
    normal = ~(nan | infinite | tiny) & np.isfinite(got)
    w, g = want[normal], got[normal].astype(np.float64)
    ulp = np.exp2(np.floor(np.log2(np.abs(w))) - 23)
    error = np.abs(g - w) / ulp
    return float(error.max(initial=0.0))


def every(step, first=0):
    bits = np.arange(first, 2**32, step, dtype=np.uint64).astype(np.uint32)
    return bits.view(np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_in_ulp(isa, name):
    function, reference, bound = FUNCTIONS[name]
    step = 40009 if reference in (erf, erfc, gelu) else 10007
    near = np.linspace(-20, 20, 20001, dtype=np.float32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 88.72, 88.73, 89, 104, -87.3, 128, -126, 1], np.float32)
    x = np.concatenate([every(step), near, special])
    assert worst(function, reference, x) <= bound


# The same references for four thousand million floats: a call of Python's for each would take hours.
IN_FLOAT64 = {
    erf: lambda x: to_numpy(weft.erf(weft.tensor(x))),
    erfc: lambda x: to_numpy(weft.erfc(weft.tensor(x))),
    gelu: lambda x: x * (0.5 * to_numpy(weft.erfc(weft.tensor(x * -math.sqrt(0.5))))),
}


@pytest.mark.parametrize("reference", IN_FLOAT64)
def test_float64_references(isa, reference):
    x = np.concatenate([np.linspace(-9, 9, 4001), every(4000037).astype(np.float64)])
    x = x[np.isfinite(x)]
    want, got = reference(x), IN_FLOAT64[reference](x)
    seen = np.abs(want) > 1e-40  # beyond float32
    assert np.allclose(got[seen], want[seen], rtol=2e-14, atol=0)
    assert (np.abs(got[~seen]) < 1e-39).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_floats(isa, name):
    function, reference, bound = FUNCTIONS[name]
    reference = IN_FLOAT64.get(reference, reference)
    block = 2**24
    for first in range(0, 2**32, block):
        x = np.arange(first, first + block, dtype=np.uint64).astype(np.uint32).view(np.float32)
        assert worst(function, reference, x) <= bound, first


DOUBLE = ["exp", "exp2", "expm1", "log", "log1p", "tanh", "sigmoid", "sin", "cos", "sqrt", "asinh", "acosh", "atanh"]


@pytest.mark.parametrize("name", DOUBLE)
def test_float64(isa, name):
    """Against the same in extended precision where the machine has it."""
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("no extended precision")
    function, reference, _ = FUNCTIONS[name]
    random = np.random.default_rng(0)
    x = np.concatenate([random.standard_normal(20000) * 10.0 ** random.integers(-8, 3, 20000), [0.0, 1.0, -1.0]])
    with np.errstate(all="ignore"):
        want = reference(x.astype(np.longdouble))
    got = to_numpy(function(weft.tensor(x)))
    ok = np.isfinite(want) & (np.abs(want) > 1e-300) & (np.abs(want) < 1e300)
    assert (np.isnan(got) == np.isnan(want)).all()
    ulp = np.exp2(np.floor(np.log2(np.abs(want[ok]).astype(np.float64))) - 52)
    assert float((np.abs(got[ok] - want[ok]) / ulp).max()) <= (5.0 if name.endswith("h") else 3.0)


def test_erfinv_is_the_inverse(isa):
    small = np.array([1e-300, 1e-20, 1e-8, 0.1, 0.3, 0.5, 0.9])
    for x in (*small, *(1 - 2.0 ** -np.arange(1, 54))):
        y = weft.erfinv(weft.tensor([-x, x], dtype=weft.float64)).tolist()
        assert y[0] == -y[1]
        back, want = (math.erf(y[1]), x) if x < 0.5 else (math.erfc(y[1]), 1 - x)
        assert math.isclose(back, want, rel_tol=4e-15 * max(1, 2 * y[1] ** 2)), x
    edges = to_numpy(weft.erfinv(weft.tensor([-1.0, 1.0, 1.5, np.nan, 0.0])))
    assert edges[0] == -np.inf and edges[1] == np.inf and np.isnan(edges[2:4]).all() and edges[4] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lanes_are_alike(isa, dtype):
    """A value's result does not depend on where in a vector, or in its tail, it stands."""
    x = np.random.default_rng(0).standard_normal(100).astype(dtype)
    for name in ["exp", "log1p", "tanh", "sin", "erf"]:
        y = to_numpy(getattr(weft, name)(weft.tensor(np.abs(x))))
        for i in (0, 1, 7, 15, 16, 63, 64, 99):
            one = to_numpy(getattr(weft, name)(weft.tensor(np.abs(x[i : i + 1]))))
            assert one[0] == y[i], (name, i)


def test_angles_and_remainders_at_the_edges(isa):
    special = np.array([0, -0.0, 1, -1, 3, -2, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-37, 2.0**30], np.float32)
    a, b = (v.ravel() for v in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        for name, reference in (("atan2", np.arctan2), ("fmod", np.fmod)):
            got = to_numpy(getattr(weft, name)(weft.tensor(a), weft.tensor(b)))
            want = reference(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
            want[np.abs(want) < SMALLEST] *= 0.0
            bad = ~(np.isclose(got, want, rtol=3e-7, atol=SMALLEST, equal_nan=True))
            bad |= ~np.isnan(want) & (np.signbit(got) != np.signbit(want))
            assert not bad.any(), (name, a[bad], b[bad], got[bad], want[bad])


def test_fmod_is_exact(isa):
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(20000) * np.exp2(random.uniform(-20, 20, 20000)) for _ in range(2))
    a, b = a.astype(np.float32), b.astype(np.float32)
    a[:5000] = b[:5000] * random.integers(1, 1000, 5000)  # whole quotients, and next to whole ones
    got = to_numpy(weft.fmod(weft.tensor(a), weft.tensor(b)))
    assert (got == np.fmod(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)).all()
