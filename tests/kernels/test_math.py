"""Errors of the vector functions in units of the last place, over floats of every exponent, on every instruction set.

Operations flush denormals, so results below the smallest normal number may be zero."""

import math

import numpy as np
import pytest
import ulp
from ulp import FUNCTIONS, SMALLEST

import weft
from weft import _core
from weft.testing import to_numpy


def every(step, first=0):
    bits = np.arange(first, 2**32, step, dtype=np.uint64).astype(np.uint32)
    return bits.view(np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_in_ulp(isa, name):
    function, reference, bound = FUNCTIONS[name]
    near = np.linspace(-20, 20, 20001, dtype=np.float32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 88.72, 88.73, 89, 104, -87.3, 128, -126, 1], np.float32)
    x = np.concatenate([every(10007), near, special])
    with np.errstate(all="ignore"):
        want = reference(x.astype(np.float64))
    assert ulp.worst(x, to_numpy(function(weft.tensor(x))), want) <= bound


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_floats(name):
    for isa, worst in ulp.worst_of_all_floats(name, _core.cpu_isas()).items():
        assert worst <= FUNCTIONS[name][2], isa


IN_PYTHON = {
    ulp.erf: math.erf,
    ulp.erfc: math.erfc,
    ulp.gelu: lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
}


@pytest.mark.parametrize("reference", IN_PYTHON)
def test_float64_references(isa, reference):
    x = every(4000037)
    x = np.concatenate([np.linspace(-9, 9, 4001), x[np.isfinite(x)].astype(np.float64)])
    want, got = np.array([IN_PYTHON[reference](v) for v in x.tolist()]), reference(x)
    seen = np.abs(want) > 1e-40  # beyond float32
    assert np.allclose(got[seen], want[seen], rtol=2e-14, atol=0)
    assert (np.abs(got[~seen]) < 1e-39).all()


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
    a, b = weft.tensor(np.abs(x)), weft.tensor(x * 3)
    assert all((a[i:] ** b[i:]).tolist() == (a**b)[i:].tolist() for i in range(100))


def test_powers_of_two_numbers(isa):
    random = np.random.default_rng(0)
    for spread, most, bound in ((100, 126, 1.2), (3, 20, 1.2), (0.05, 126, 3.0), (1e-3, 126, 1.2)):
        x = np.exp2(random.uniform(-spread, spread, 100_000)).astype(np.float32)
        y = random.uniform(-most, most, x.size) / np.maximum(np.abs(np.log2(x.astype(np.float64))), 1e-9)
        y = y.astype(np.float32)
        got = to_numpy(weft.tensor(x) ** weft.tensor(y))
        assert ulp.worst(x, got, np.power(x.astype(np.float64), y.astype(np.float64))) <= bound


def test_whole_powers_are_exact(isa):
    pairs = [(b, e) for b in range(1, 4097) for e in range(1, 25) if b**e < 2**24]
    base, exponent = (weft.tensor(v).float() for v in zip(*pairs, strict=True))
    want = [float(b**e) for b, e in pairs]
    assert (base**exponent).tolist() == want
    assert (weft.cat([base, -base]) ** weft.cat([exponent, exponent])).abs().tolist() == want * 2


def test_powers_at_the_edges(isa):
    special = [0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, 2.5, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-37]
    a, b = (v.ravel() for v in np.meshgrid(*[np.array(special, np.float32)] * 2))
    with np.errstate(all="ignore"):
        want = np.power(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
    want[np.abs(want) < SMALLEST] *= 0.0
    got = to_numpy(weft.tensor(a) ** weft.tensor(b))
    bad = ~np.isclose(got, want, rtol=3e-7, atol=SMALLEST, equal_nan=True)
    bad |= ~np.isnan(want) & (np.signbit(got) != np.signbit(want))
    assert not bad.any(), (a[bad], b[bad], got[bad], want[bad])


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
