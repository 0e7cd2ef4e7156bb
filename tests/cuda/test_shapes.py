"""Views, indices and random numbers on a device."""

from functools import partial

import numpy as np
import pytest
from agree import agree

import weft

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


@pytest.fixture
def check(device):
    return partial(agree, device=device)


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [False, True])
def test_scatter_reduce(check, reduce, include_self):
    i = rng.integers(0, 4, (70, 5))
    check(lambda x, j, s: x.scatter_reduce(0, j, s, reduce, include_self=include_self), normal(4, 5), i, normal(70, 5))


def test_gather_and_index(check):
    i = np.array([3, 0, 3])
    check(lambda x, j: x.index_fill(0, j, 2.0), normal(4, 5), i)
    check(lambda x, j, s: x.index_add(0, j, s, alpha=2), normal(4, 5), i, normal(3, 5))
    check(lambda x, j, s: x.put(j, s, accumulate=True), normal(4, 5), i, normal(3))
    check(lambda x, j: x.take(j), normal(4, 5), i)
    check(lambda x, s: x.masked_scatter(x > 0, s), normal(4, 5), normal(20))
    check(lambda x, j: x.repeat_interleave(j, 0), normal(3, 5), i)
    check(lambda x, j: x.take_along_dim(j.unsqueeze(1) - 4, 1), normal(3, 5), i)


@pytest.mark.parametrize("shape", [(0, 3), (5, 7), (64, 33), (3, 4, 6)])
def test_views(check, shape):
    check(lambda x: x.flip(0, -1), normal(*shape))
    check(lambda x: x.transpose(0, -1).flip(0), normal(*shape))
    check(lambda x: x.roll(2, 0), normal(*shape))
    check(lambda x: x.diagonal(1) * 1, normal(*shape))
    check(lambda x: weft.constant_pad_nd(x, (1, 2), 3.0), normal(*shape))
    check(lambda x: x.unfold(-1, 3, 2) * 1, normal(*shape))
    check(lambda x: x.tile(2, 1, 3), normal(*shape))


def test_as_strided(check):
    check(lambda x: (x * 1).as_strided((3, 3), (1, 1)) * 1, normal(7))


def test_nonzero_and_triangles(device):
    x = (weft.arange(12).reshape(3, 4) % 3).to(device)
    assert x.nonzero().cpu().tolist() == x.cpu().nonzero().tolist() and x.nonzero().is_cuda
    assert weft.tril_indices(3, 4, device=device).cpu().tolist() == weft.tril_indices(3, 4).tolist()


def test_random_numbers_are_the_cpus(device):
    for fill in ("exponential_", "cauchy_", "log_normal_"):
        weft.manual_seed(1)
        expected = getattr(weft.empty(500), fill)()
        weft.manual_seed(1)
        got = getattr(weft.empty(500, device=device), fill)()
        assert got.is_cuda
        np.testing.assert_allclose(got.cpu().numpy(), expected.numpy(), rtol=1e-3, atol=1e-5)
