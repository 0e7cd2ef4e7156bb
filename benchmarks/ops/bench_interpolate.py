import weft
from benchmarks.harness import Case, bench, randn, torch
from weft.nn import functional as F

MODES = ["nearest", "bilinear", "bicubic", "area"]
SIZES = [{"shape": (8, 64, 32, 32), "scale": 2}, {"shape": (8, 3, 224, 224), "scale": 0.5}]


def nbytes(shape, scale):
    n, c, h, w = shape
    return int(4 * n * c * h * w * (1 + scale * scale))


@bench(SIZES, mode=MODES)
def interpolate(shape, scale, mode):
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: F.interpolate(x, scale_factor=scale, mode=mode),
        torch=lambda x: torch.nn.functional.interpolate(x, scale_factor=scale, mode=mode),
        bytes=nbytes(shape, scale),
    )


@bench(SIZES, mode=MODES)
def interpolate_channels_last(shape, scale, mode):
    def prepare(m, f):
        def make(x):
            x = x.contiguous(memory_format=m.channels_last)
            return lambda: f.interpolate(x, scale_factor=scale, mode=mode)

        return make

    return Case(
        inputs=[randn(*shape)],
        prepare=True,
        weft=prepare(weft, F),
        torch=prepare(torch, torch.nn.functional) if torch else None,
        bytes=nbytes(shape, scale),
    )


def train(function, scale, mode):
    def step(x):
        x.grad = None
        function(x, scale_factor=scale, mode=mode).sum().backward()
        return x.grad

    return step


@bench(SIZES, mode=MODES)
def interpolate_backward(shape, scale, mode):
    return Case(
        inputs=[randn(*shape)],
        weft=train(F.interpolate, scale, mode),
        torch=lambda x: train(torch.nn.functional.interpolate, scale, mode)(x),
        grad=[0],
        bytes=2 * nbytes(shape, scale),
    )
