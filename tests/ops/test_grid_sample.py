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


def both(x, grid, *args, **options):
    options = {"terms": 256, **options}
    check(lambda a, g: F.grid_sample(a, g, *args), lambda a, g: TF.grid_sample(a, g, *args), x, grid, **options)


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


@pytest.mark.parametrize("points", (1, 7, 8, 15, 16, 17, 33))
def test_vectors_of_points_and_channels(isa, points):
    for channels in (1, 4, 15, 16, 17, 65):
        both(randn(2, channels, 5, 6), randn(2, 1, points, 2), "bilinear", "zeros", False)
    both(randn(9, 70, 3, 4), randn(9, 1, points, 2), "bilinear", "border", True)


@pytest.mark.parametrize("mode", ("bilinear", "nearest", "bicubic"))
def test_groups_of_channels(isa, mode):
    """Each of which the kernel turns around by itself."""
    for channels in (8, 9, 33):
        both(randn(16, channels, 5, 7), randn(16, 3, 11, 2) * 1.5, mode, "zeros", False)
    both(randn(16, 17, 2, 3, 5), randn(16, 2, 3, 4, 3) * 1.5, "bilinear", "reflection", True)


@pytest.mark.parametrize("mode", ("bilinear", "nearest", "bicubic"))
def test_few_points_of_a_large_image(isa, mode):
    points = np.array([[0.31, 0.22], [-0.47, 0.63], [0.06, -0.71], [1.04, 0.4], [-0.9, -1.2]])
    x, grid = randn(2, 17, 30, 40), np.broadcast_to(points, (2, 1, 5, 2)).copy()
    both(x, grid, mode, "zeros", False, atol=1e-3)  # of weights: a position has as many places as a float
    check(
        lambda g: F.grid_sample(weft.tensor(x).to(g.dtype), g, mode, align_corners=False),
        lambda g: TF.grid_sample(torch.tensor(x).to(g.dtype), g, mode, align_corners=False),
        grid,
        atol=1e-2,
    )


def test_channels_last(isa):
    for points in (2, 40):
        check(
            lambda a, g: F.grid_sample(a.permute(0, 3, 1, 2), g, align_corners=False),
            lambda a, g: TF.grid_sample(a.permute(0, 3, 1, 2), g, align_corners=False),
            randn(2, 6, 5, 19),
            randn(2, 1, points, 2),
            terms=256,
        )


@pytest.mark.parametrize("shape", ((1, 2), (16, 8)))
def test_elements_that_no_point_reads(isa, shape):
    """Infinite ones leave no trace, in the result and in the gradients."""
    x = weft.full((*shape, 4, 4), float("inf"), requires_grad=True)
    with weft.no_grad():
        x[:, :, :2, :2] = 1
    grid = weft.tensor([[[-0.6, -0.6], [-1.2, -0.6]] * 2]).expand(shape[0], 1, 4, 2).clone().requires_grad_()
    y = F.grid_sample(x, grid, align_corners=False)
    y.sum().backward()
    assert y.isfinite().all() and grid.grad.isfinite().all()
    assert x.grad[:, :, 2:].count_nonzero() == 0


def test_far_away():
    x = weft.ones(1, 1, 3, 3)
    for far in (1e10, -1e30, float("inf"), float("nan")):
        for mode in ("bilinear", "nearest", "bicubic"):
            grid = weft.full((1, 1, 1, 2), far)
            assert F.grid_sample(x, grid, mode, "border", False).item() == pytest.approx(1)
    assert F.grid_sample(x, weft.full((1, 1, 1, 2), 1e10), "bilinear", "zeros", False).item() == 0


def test_threads_and_half():
    x, grid = weft.tensor(randn(8, 20, 30, 30)).float(), weft.tensor(randn(8, 30, 20, 2)).float()

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
