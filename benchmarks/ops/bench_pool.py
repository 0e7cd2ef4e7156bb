import weft
from benchmarks.harness import Case, bench, randn, torch
from weft import _core as F

POOLS = {
    "max_pool2d": {"kernel_size": 2},
    "max_pool2d_3x3": {"kernel_size": 3, "stride": 2, "padding": 1},
    "avg_pool2d": {"kernel_size": 2},
    "adaptive_avg_pool2d": {"output_size": 1},
    "adaptive_avg_pool2d_7x7": {"output_size": 7},
}
VARIANTS = [{"pool": pool} for pool in POOLS]
SIZES = [(64, 16, 8, 8), (8, 64, 112, 112)]


def function(module, pool):
    name = pool.rpartition("2d")[0] + "2d"
    return lambda x: getattr(module, name)(x, **POOLS[pool])


def elements(shape):
    n, c, h, w = shape
    return n * c * h * w


@bench(VARIANTS, shape=SIZES)
def channels_last(pool, shape):
    def prepare(m, f):
        def make(x):
            x = x.contiguous(memory_format=m.channels_last)
            return lambda: f(x)

        return make

    return Case(
        inputs=[randn(*shape)],
        prepare=True,
        weft=prepare(weft, function(F, pool)),
        torch=prepare(torch, function(torch.nn.functional, pool)) if torch else None,
        bytes=4 * elements(shape),
    )


@bench(VARIANTS, shape=SIZES)
def forward(pool, shape):
    return Case(
        inputs=[randn(*shape)],
        weft=function(F, pool),
        torch=lambda x: function(torch.nn.functional, pool)(x),
        bytes=4 * elements(shape),
    )


def train(pool):
    def step(x):
        x.grad = None
        pool(x).sum().backward()
        return x.grad

    return step


@bench(VARIANTS, shape=SIZES)
def forward_backward(pool, shape):
    return Case(
        inputs=[randn(*shape)],
        weft=train(function(F, pool)),
        torch=lambda x: train(function(torch.nn.functional, pool))(x),
        grad=[0],
        bytes=8 * elements(shape),
    )
