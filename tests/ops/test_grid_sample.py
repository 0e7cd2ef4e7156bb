import warnings

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, same_bits, torch

pytest.importorskip("torch")
TF = torch.nn.functional


def randn(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def both(x, grid, *args):
    check(lambda a, g: F.grid_sample(a, g, *args), lambda a, g: TF.grid_sample(a, g, *args), x, grid, terms=256)


@pytest.mark.parametrize("align_corners", (False, True))
@pytest.mark.parametrize("padding", ("zeros", "border", "reflection"))
@pytest.mark.parametrize("mode", ("bilinear", "nearest", "bicubic"))
def test_images(mode, padding, align_corners):
    both(randn(2, 11, 6, 5), randn(2, 7, 9, 2) * 1.5, mode, padding, align_corners)
    both(randn(1, 1, 1, 4), randn(1, 1, 40, 2), mode, padding, align_corners)
    both(randn(2, 3, 4, 5), randn(2, 0, 3, 2), mode, padding, align_corners)


@pytest.mark.parametrize("align_corners", (False, True))
@pytest.mark.parametrize("padding", ("zeros", "border", "reflection"))
@pytest.mark.parametrize("mode", ("bilinear", "nearest"))
def test_volumes(mode, padding, align_corners):
    both(randn(2, 3, 4, 6, 5), randn(2, 3, 4, 5, 3) * 1.5, mode, padding, align_corners)


def test_far_away():
    x = weft.ones(1, 1, 3, 3)
    for far in (1e10, -1e30, float("inf"), float("nan")):
        for mode in ("bilinear", "nearest", "bicubic"):
            grid = weft.full((1, 1, 1, 2), far)
            assert F.grid_sample(x, grid, mode, "border", False).item() == pytest.approx(1)
    assert F.grid_sample(x, weft.full((1, 1, 1, 2), 1e10), "bilinear", "zeros", False).item() == 0


def test_threads_and_half():
    x, grid = weft.tensor(randn(2, 20, 30, 30)).float(), weft.tensor(randn(2, 50, 50, 2)).float()

    def run():
        a, g = x.detach().requires_grad_(), grid.detach().requires_grad_()
        y = F.grid_sample(a, g, align_corners=False)
        y.sum().backward()
        return y.detach(), a.grad, g.grad

    same_bits(run)
    half = F.grid_sample(x.half(), grid.half(), align_corners=False)
    assert half.dtype == weft.float16


def test_no_second_derivative():
    x, grid = weft.tensor(randn(1, 1, 3, 3)).requires_grad_(), weft.zeros(1, 2, 2, 2, dtype=weft.float64)
    (g,) = weft.autograd.grad(F.grid_sample(x, grid).sin().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="grid_sample"):
        g.sum().backward()


@pytest.mark.parametrize(
    "x, grid, options",
    [
        ((1, 2, 3), (1, 2, 2), {}),
        ((1, 2, 3, 3), (1, 4, 4, 3), {}),
        ((1, 2, 3, 3), (2, 4, 4, 2), {}),
        ((1, 2, 0, 3), (1, 4, 4, 2), {}),
        ((1, 2, 3, 3), (1, 4, 4, 2), {"mode": "linear"}),
        ((1, 2, 3, 3), (1, 4, 4, 2), {"padding_mode": "wrap"}),
        ((1, 2, 3, 3, 3), (1, 4, 4, 4, 3), {"mode": "bicubic"}),
    ],
)
def test_wrong_arguments(x, grid, options):
    with pytest.raises((ValueError, RuntimeError), match=r"\[grid_sample\]"):
        F.grid_sample(weft.zeros(x), weft.zeros(grid), **options)


@pytest.mark.parametrize("align_corners", (False, True))
@pytest.mark.parametrize("size", ((2, 3, 4, 5), (2, 1, 3, 4, 5), (2, 3, 1, 5)))
def test_affine_grid(size, align_corners):
    n = len(size) - 2
    theta = randn(2, n, n + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(lambda t: F.affine_grid(t, size, align_corners), lambda t: TF.affine_grid(t, size, align_corners), theta)


def test_affine_grid_errors():
    theta = weft.zeros(2, 2, 3)
    for bad in ((2, 3, 4), (3, 3, 4, 5), (2, 3, 0, 5), (2, 3, 4, 5, 6)):
        with pytest.raises((ValueError, NotImplementedError), match=r"\[affine_grid\]"):
            F.affine_grid(theta, bad)
    with pytest.raises(ValueError, match="floating"):
        F.affine_grid(weft.zeros(2, 2, 3, dtype=weft.int64), (2, 3, 4, 5))
