"""Errors of the vector functions over all floats: python tests/kernels/ulp.py [NAME…] prints the table of
docs/accuracy.md. A function takes about a minute on one core."""

import math
import sys

import numpy as np

import weft
import weft.nn.functional as F
from weft import _core
from weft.testing import to_numpy

SMALLEST, LARGEST = np.finfo(np.float32).tiny, float(np.finfo(np.float32).max)
BLOCK = 2**15  # floats at a time: what is computed from them stays in cache


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_sigmoid(x):
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


# In weft's float64, which test_math.py checks against the C library: a call of Python's for each float takes hours.
def erf(x):
    return to_numpy(weft.erf(weft.tensor(x)))


def erfc(x):
    return to_numpy(weft.erfc(weft.tensor(x)))


def erfinv(x):
    return to_numpy(weft.erfinv(weft.tensor(x)))


def gelu(x):
    return x * (0.5 * erfc(x * -math.sqrt(0.5)))


# name: (function, reference in float64, bound in ulp)
FUNCTIONS = {
    "exp": (weft.exp, np.exp, 1.02),
    "exp2": (weft.exp2, np.exp2, 1.01),
    "expm1": (weft.expm1, np.expm1, 1.5),
    "log": (weft.log, np.log, 1.0),
    "log2": (weft.log2, np.log2, 1.42),
    "log10": (weft.log10, np.log10, 1.15),
    "log1p": (weft.log1p, np.log1p, 1.6),
    "tanh": (weft.tanh, np.tanh, 6.0),
    "sigmoid": (weft.sigmoid, sigmoid, 2.6),
    "erf": (weft.erf, erf, 6.6),
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
    "gelu": (F.gelu, gelu, 8.3),
    "silu": (F.silu, lambda x: x * sigmoid(x), 3.0),
    "logsigmoid": (F.logsigmoid, log_sigmoid, 3.5),
    "root": (lambda x: weft.pow(x, 0.3125), lambda x: np.power(x, 0.3125), 1.2),
    "power of x": (lambda x: weft.pow(0.75, x), lambda x: np.power(0.75, x), 1.2),
}


def errors(x, got, want):
    """In units of the last place of the true value, infinity counting as 2^128; where no unit measures, 0 for what has
    to be there, and infinity for anything else."""
    unit = (want.view(np.int64) & 0x7FF0000000000000).view(np.float64)
    error = np.abs(np.clip(got.astype(np.float64), -(2.0**128), 2.0**128) - want) / unit * 2.0**23
    huge, tiny = np.abs(want) > LARGEST * (1 + 2.0**-23), np.abs(want) < SMALLEST * 32
    error[huge] = np.where(got[huge] == np.copysign(np.inf, want[huge]), 0, np.inf)
    error[tiny] = np.where(np.abs(got[tiny]) <= SMALLEST * 33, 0, np.inf)  # a product of x with something flushed
    error[np.isnan(error)] = np.inf
    error[(np.abs(x) < SMALLEST) & (x != 0)] = 0  # flushed itself
    return error


def worst(x, got, want, least=0.5):
    """The largest error, or `least` where none is above it. Most results are the nearest float or its neighbour, and
    need no division: who is n floats away from the nearest errs by at most 2n + 0.5 units."""
    with np.errstate(all="ignore"):
        nearest = want.astype(np.float32)
        away = np.abs(got.view(np.int32) - nearest.view(np.int32)).view(np.uint32)
        odd = away > int((least - 0.5) / 2)
        if not odd.any():
            return least
        odd &= ~(np.isnan(got) & np.isnan(nearest))
        at = np.flatnonzero(odd)
        return float(errors(x[at], got[at], want[at]).max(initial=least))


def worst_of_all_floats(name, isas):
    """The largest error of each instruction set."""
    function, reference, _ = FUNCTIONS[name]
    found = dict.fromkeys(isas, 0.5)
    for first in range(0, 2**32, BLOCK):
        x = np.arange(first, first + BLOCK, dtype=np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            want = reference(x.astype(np.float64))
        given = weft.tensor(x)
        for isa in isas:
            _core.set_cpu_isa(isa)
            found[isa] = worst(x, to_numpy(function(given)), want, found[isa])
        _core.set_cpu_isa(isas[0])
    return found


def main():
    isas = _core.cpu_isas()
    for name in sys.argv[1:] or FUNCTIONS:
        found = worst_of_all_floats(name, isas)
        print(f"| {name} | {FUNCTIONS[name][2]} |", *(f"{e:.3f} |" for e in found.values()), flush=True)


if __name__ == "__main__":
    main()
