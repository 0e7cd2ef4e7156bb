import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, same_bits, torch
from weft.testing import assert_close, gradcheck

pytest.importorskip("torch")
TF = torch.nn.functional


def randn(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def both(x, *args, **kwargs):
    options = {"terms": 1024}
    check(lambda t: F.interpolate(t, *args, **kwargs), lambda t: TF.interpolate(t, *args, **kwargs), x, **options)


SPACES = {
    3: ((7,), (1,), (33,)),
    4: ((7, 5), (1, 1), (13, 40)),
    5: ((3, 7, 5), (1, 1, 1), (2, 9, 17)),
}
MODES = [(n, m) for n, ms in {3: "linear", 4: "bilinear bicubic", 5: "trilinear"}.items() for m in ms.split()]


@pytest.mark.parametrize("dim, mode", MODES)
@pytest.mark.parametrize("align_corners", (False, True))
def test_positions_between_elements(isa, dim, mode, align_corners):
    for space in SPACES[dim]:
        x = randn(2, 3, *space)
        for size in (1, 4, 17, space):
            both(x, size, mode=mode, align_corners=align_corners)
        both(x, scale_factor=1.7, mode=mode, align_corners=align_corners)
        both(x, scale_factor=2.3, mode=mode, align_corners=align_corners, recompute_scale_factor=True)


@pytest.mark.parametrize("dim", (3, 4, 5))
@pytest.mark.parametrize("mode", ("nearest", "nearest-exact", "area"))
def test_positions_of_elements(isa, dim, mode):
    for space in SPACES[dim]:
        x = randn(2, 3, *space)
        for size in (1, 4, 17, space):
            both(x, size, mode=mode)
        both(x, scale_factor=1.7, mode=mode)
        both(x, scale_factor=2, mode=mode)
    both(randn(1, 1, *SPACES[dim][2]), scale_factor=0.6, mode=mode)


@pytest.mark.parametrize("mode", ("bilinear", "bicubic", "lanczos"))
def test_antialias(mode):
    for size in ((3, 4), (30, 9), (20, 24)):
        both(randn(2, 3, 20, 24), size, mode=mode, antialias=True)
    both(randn(2, 3, 20, 24), scale_factor=(0.4, 1.3), mode=mode, antialias=True)


@pytest.mark.parametrize("mode", ("nearest", "nearest-exact", "bilinear", "bicubic"))
def test_images_of_bytes(mode):
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 31), dtype=np.uint8)
    for size in ((80, 62), (17, 12), (50, 8)):
        for antialias in (False, True) if mode in ("bilinear", "bicubic") else (False,):
            ours = F.interpolate(weft.tensor(x), size, mode=mode, antialias=antialias)
            theirs = TF.interpolate(torch.tensor(x), size, mode=mode, antialias=antialias)
            assert ours.dtype == weft.uint8 and np.array_equal(ours.numpy(), theirs.numpy())


def test_half_precision_and_views():
    x = weft.tensor(randn(2, 6, 8, 3)).bfloat16()
    want = F.interpolate(x.float(), 5, mode="bilinear").bfloat16()
    assert F.interpolate(x, 5, mode="bilinear").tolist() == want.tolist()
    view = x.float().permute(0, 3, 1, 2)
    y = F.interpolate(view, 5, mode="bicubic")
    assert y.stride() == (75, 1, 15, 3)  # channels last, as they were
    assert_close(y, F.interpolate(view.contiguous(), 5, mode="bicubic").numpy(), terms=1024)


@pytest.mark.parametrize("mode", ("nearest", "bilinear", "bicubic"))
def test_channels_last(isa, mode):
    x = randn(2, 19, 6, 8)
    for size in ((12, 16), (3, 11), (6, 20)):
        check(
            lambda t, size=size: F.interpolate(t.contiguous(memory_format=weft.channels_last), size, mode=mode),
            lambda t, size=size: TF.interpolate(t, size, mode=mode),
            x,
            terms=1024,
        )


@pytest.mark.parametrize("width", (4095, 8193))
def test_wide(isa, width):
    both(randn(1, 1, 3, width), (5, width * 2), mode="bilinear")
    both(randn(1, 1, 3, width), (2, width // 3), mode="nearest")


@pytest.mark.parametrize("size", ((4, 15), (17, 31), (3, 64)))
def test_elements_that_no_output_reads(isa, size):
    for mode in ("nearest", "bilinear"):
        both(randn(2, 3, 17, 64), size, mode=mode)
    x = weft.zeros(1, 1, 17, 64, requires_grad=True)
    F.interpolate(x, size).backward(weft.full((1, 1, *size), float("inf")))
    other = torch.zeros(1, 1, 17, 64, requires_grad=True)
    TF.interpolate(other, size).backward(torch.full((1, 1, *size), float("inf")))
    assert x.grad.tolist() == other.grad.tolist()


def test_whole_lines(isa):
    """Every width around a vector's, so that vectors of outputs end inside and outside of their inputs."""
    for width in (1, 2, 15, 16, 17, 31, 32, 33, 40):
        for size in (width, 2 * width, 2 * width + 1, max(width // 2, 1)):
            both(randn(2, 1, 4, width), (5, size), mode="bicubic")
            both(randn(2, 1, 4, width), (8, size))


def test_second_derivatives_and_threads():
    def gradient(x):
        x = x if x.requires_grad else x.detach().requires_grad_()
        y = F.interpolate(x, (5, 3), mode="bicubic").sin()
        return weft.autograd.grad(y.sum(), x, create_graph=True)[0]

    gradcheck(gradient, randn(1, 2, 3, 4))
    x = weft.tensor(randn(4, 8, 60, 60)).float()
    same_bits(lambda: F.interpolate(x, (133, 31), mode="bilinear"))


def test_plan():
    def step(x):
        return F.interpolate(F.interpolate(x, 9, mode="bicubic"), 4, mode="area")

    plan = weft.compile(step, fullgraph=True)
    for seed in (1, 2):
        x = weft.tensor(np.random.default_rng(seed).standard_normal((1, 2, 5, 6))).float()
        assert plan(x).tolist() == step(x).tolist()


def test_older_names():
    x = weft.tensor(randn(1, 2, 3, 4))
    assert F.upsample(x, 5, mode="bilinear").tolist() == F.interpolate(x, 5, mode="bilinear").tolist()
    assert F.upsample_nearest(x, scale_factor=2).tolist() == F.interpolate(x, scale_factor=2).tolist()
    aligned = F.interpolate(x, 5, mode="bilinear", align_corners=True)
    assert F.upsample_bilinear(x, 5).tolist() == aligned.tolist()


@pytest.mark.parametrize(
    "error, arguments",
    [
        (ValueError, {}),
        (ValueError, {"size": 3, "scale_factor": 2}),
        (ValueError, {"size": (3, 3, 3)}),
        (ValueError, {"scale_factor": (2,)}),
        (ValueError, {"size": 3, "align_corners": True}),
        (ValueError, {"size": 3, "recompute_scale_factor": True}),
        (ValueError, {"size": 3, "antialias": True}),
        (ValueError, {"size": 3, "mode": "lanczos"}),
        (TypeError, {"size": (3.0, 3.0)}),
        (RuntimeError, {"size": 0}),
        (NotImplementedError, {"size": 3, "mode": "trilinear"}),
        (NotImplementedError, {"size": 3, "mode": "cubic"}),
    ],
)
def test_wrong_arguments(error, arguments):
    x = randn(1, 2, 3, 4)
    with pytest.raises(error, match=r"\[interpolate\]"):
        F.interpolate(weft.tensor(x), **arguments)
    with pytest.raises((ValueError, TypeError, RuntimeError, NotImplementedError)):
        TF.interpolate(torch.tensor(x), **arguments)
