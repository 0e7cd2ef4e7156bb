"""Volumes, norms of rows and windows as columns on "cuda" against the CPU; images are in test_ops.py."""

from functools import partial

import numpy as np
import pytest
from agree import agree

import weft.nn.functional as F

rng = np.random.default_rng(1)


def normal(*shape):
    return rng.standard_normal(shape)


@pytest.fixture
def check(device):
    return partial(agree, device=device)


@pytest.mark.parametrize(
    "options", [{}, {"stride": (1, 2, 2), "padding": (0, 1, 1)}, {"dilation": (2, 1, 1)}, {"groups": 2}], ids=str
)
def test_conv3d(check, options):
    g = options.get("groups", 1)
    check(lambda x, w, b: F.conv3d(x, w, b, **options), normal(2, 4, 5, 6, 7), normal(6, 4 // g, 3, 2, 3), normal(6))


def test_conv_transpose3d(check):
    check(
        lambda x, w, b: F.conv_transpose3d(x, w, b, stride=(2, 1, 2), padding=1),
        normal(2, 4, 3, 4, 3),
        normal(4, 3, 3, 3, 2),
        normal(3),
    )


@pytest.mark.parametrize("options", [{}, {"stride": 1, "padding": 1}, {"ceil_mode": True, "stride": 3}], ids=str)
def test_pools(check, options):
    check(lambda x: F.max_pool3d(x, 3, **options), normal(2, 3, 5, 9, 10))
    check(lambda x: F.avg_pool3d(x, 3, **options), normal(2, 3, 5, 9, 10))
    check(lambda x: F.avg_pool3d(x, 2, count_include_pad=False, padding=1), normal(2, 3, 4, 7, 6))
    check(lambda x: F.adaptive_avg_pool3d(x, (2, 3, 4)), normal(2, 3, 5, 10, 9))
    check(lambda x: F.adaptive_max_pool3d(x, (2, 3, 4)), normal(2, 3, 5, 10, 9))
    check(lambda x: F.avg_pool2d(x, 2, padding=1), rng.integers(-9, 9, (2, 3, 5, 6)), grad=False)


@pytest.mark.parametrize("shape", [(9, 16), (5, 33), (3, 700)], ids=str)
def test_rms_norm(check, shape):
    cols = shape[-1]
    check(lambda x, w: F.rms_norm(x, (cols,), w), normal(*shape) + 1, normal(cols))
    check(lambda x: F.rms_norm(x, (cols,), eps=1e-2), normal(*shape))


@pytest.mark.parametrize("options", [{}, {"padding": 1, "stride": 2}, {"dilation": (1, 2), "padding": (0, 2)}], ids=str)
def test_unfold_and_fold(check, options):
    check(lambda x: F.unfold(x, (2, 3), **options), normal(2, 3, 6, 8))
    check(lambda x: F.fold(F.unfold(x, (2, 3), **options), (6, 8), (2, 3), **options), normal(2, 3, 6, 8))


def test_formulas(check):
    check(lambda x, w: F.group_norm(x, 2, w), normal(3, 4, 5), normal(4))
    check(lambda x: F.instance_norm(x), normal(3, 4, 5))
    check(lambda x: F.local_response_norm(x, 3), normal(3, 4, 5))
    check(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), normal(2, 3, 6, 8))
