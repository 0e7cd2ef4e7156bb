"""Convolutions of random shapes, all three products in every combination of memory formats, beside PyTorch.

What a kernel does wrong shows at the seam of two of its cuts, where nobody thought of a case."""

import numpy as np
import pytest
from test_conv_layout import arrays, check, run

from oracle import same_bits

COUNTS = [1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 24, 33]  # channels of a group, around the lanes of each instruction set
ROOM = {1: 70, 2: 11, 3: 4}  # how much larger than its kernel an input may be, by axes


def random_case(seed):
    r = np.random.default_rng(seed)
    pick = lambda values: int(r.choice(values))  # noqa: E731
    axes, kind = pick([1, 2, 2, 2, 3]), pick(range(5))
    transposed = bool(r.random() < 0.35)
    groups, inside, outside = 1, pick(COUNTS), pick(COUNTS)
    kernel, stride, dilation = (r.integers(1, 1 + most, axes) for most in (5 if axes < 3 else 3, 3, 3))
    if kind == 0:  # what Winograd's algorithm takes
        inside, outside = pick([32, 40, 65]), pick([32, 48, 64])
        kernel, stride, dilation = np.full(axes, 3), np.ones(axes, int), np.ones(axes, int)
        kernel[: axes - 2] = pick([1, 3])
    elif kind == 1:  # depthwise
        groups, inside, outside = pick([3, 8, 17, 33]), 1, pick([1, 1, 2])
    elif kind == 2:
        groups = pick([2, 3, 4])
    if r.random() < 0.2:
        stride, dilation = np.full(axes, stride[0]), np.ones(axes, int)  # as in most networks
    padding = r.integers(0, 1 + np.minimum(kernel, 3))
    reach = dilation * (kernel - 1)
    if transposed:
        size = 1 + r.integers(0, ROOM[axes], axes) // stride
        short = np.maximum(0, 2 * padding + 1 - (size - 1) * stride - reach - 1)
        size += -(-short // stride)
        output_padding = r.integers(0, np.maximum(stride, dilation))
    else:
        size = np.maximum(1, reach + 1 - 2 * padding) + r.integers(0, ROOM[axes], axes)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    if transposed:
        options["output_padding"] = output_padding
    options = {name: tuple(v.tolist()) for name, v in options.items()} | {"groups": groups}
    shape = (pick([1, 2, 3]), groups * inside, *size.tolist())
    return shape, groups * outside, tuple(kernel.tolist()), transposed, options


CASES = [random_case(seed) for seed in range(100)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_random_shapes(isa, case):
    shape, outputs, kernel, transposed, options = case
    dtype = "float64" if shape[1] % 3 == 2 else "float32"
    check(shape, outputs, kernel, dtype, transposed, **options)


@pytest.mark.parametrize("case", CASES[::7], ids=str)
def test_same_bits_on_any_number_of_threads(isa, case):
    shape, outputs, kernel, transposed, options = case
    given = arrays(shape, outputs, kernel, "float32", transposed, options)
    same_bits(lambda: run(*given, len(shape) > 3, False, False, transposed, options))
