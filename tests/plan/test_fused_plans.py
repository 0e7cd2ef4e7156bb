"""Neighbouring pointwise launches of a recorded step run as one pass, to the same bits."""

import numpy as np
import pytest

import weft
from oracle import same_bits

random = np.random.default_rng(0)


def tensor(*shape, dtype="float32"):
    return weft.tensor(random.standard_normal(shape).astype(np.float32)).to(getattr(weft, dtype))


def bits(t):
    return (
        str(t.dtype),
        tuple(t.shape),
        (t.float() if t.dtype in (weft.bfloat16, weft.float16) else t).numpy().tobytes(),
    )


def same(a, b):
    return list(map(bits, a)) == list(map(bits, b)) if isinstance(a, tuple) else bits(a) == bits(b)


def compare(f, *inputs, launches):
    compiled = weft.compile(f, fullgraph=True)
    for _ in range(3):
        inputs = [x.roll(1) for x in inputs]
        assert same(compiled(*inputs), f(*inputs))
    assert len(compiled.plans[0]) == launches, compiled.describe()
    return compiled


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_chain(isa, dtype):
    x, y = tensor(300, 500, dtype=dtype), tensor(300, 500, dtype=dtype)
    compiled = compare(lambda x, y: ((x * y + 1).tanh() - x) * 0.5, x, y, launches=1)
    assert "mul + add + tanh + sub + mul" in compiled.describe()


def test_broadcasts_join():
    x, row, column = tensor(300, 500), tensor(500), tensor(300, 1)
    compare(lambda x, row, column: ((x * 2 + row).relu() * column).exp() + x, x, row, column, launches=1)
    compare(lambda x, row: (x.sigmoid() * (x + row)).abs(), x, row, launches=1)


def test_in_place_and_reused_memory():
    def f(x):
        y = x * 2
        y.add_(x).mul_(y)
        for _ in range(5):
            y = (y * 0.5).sin() + x
        return y

    compare(f, tensor(1000, 100), launches=1)


def test_dtypes_change_on_the_way():
    compare(
        lambda x: ((x.double() * 2 > 0) & (x < 1)).to(weft.int32) + 3, tensor(400, 200), launches=5
    )  # conversions are copies


def test_what_does_not_join():
    x = tensor(400, 300)
    compare(lambda x: (x * 2).t().contiguous().exp() + 1, x, launches=3)  # turned around in between
    compare(lambda x: (x * 2)[1:] + (x * 2)[:-1], x, launches=2)  # other places of what the neighbours write
    compare(lambda x: (x[:10, :10] * 2).exp(), x, launches=2)  # little: in cache anyway

    def shifted(x):
        y = x * 1
        y[1:].add_(x[:-1])
        return y * 2

    compare(shifted, x, launches=3)


def test_threads():
    x, y = tensor(500, 700), tensor(700)
    f = weft.compile(lambda x, y: (x * y).tanh() * x + y, fullgraph=True)
    same_bits(lambda: f(x, y))


def test_backward_of_a_chain():
    x = tensor(300, 300)

    def f(x):
        z = x.detach().requires_grad_()
        y = (z * z + z.exp()).tanh() * z
        return weft.autograd.grad(y.sum(), z)[0]

    compiled = weft.compile(f, fullgraph=True)
    for _ in range(3):
        x = x.roll(1)
        assert bits(compiled(x)) == bits(f(x))
    assert "+" in compiled.describe()


def test_nothing_but_the_ends_is_in_memory():
    def f(x):
        for _ in range(8):
            x = x.sin()
        return x

    compiled = weft.compile(f, fullgraph=True)
    x = tensor(1 << 20)
    compiled(x)
    assert len(compiled.plans[0]) == 1
    assert bits(compiled(x)) == bits(f(x))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("shape", [(300, 500), (70, 9000), (1500, 40), (33, 1024)])
def test_reduction_of_rows_closes(isa, shape, dtype):
    x, y = tensor(*shape, dtype=dtype), tensor(*shape, dtype=dtype)
    compiled = compare(lambda x, y: (x * y).tanh().sum(-1), x, y, launches=1)
    assert "mul + tanh + sum" in compiled.describe()
    compare(lambda x, y: (x - y).abs().amax(1), x, y, launches=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [65_536, 100_001, 1 << 20])
def test_reduction_to_one_number_closes(isa, n, dtype):
    x, y = tensor(n, dtype=dtype), tensor(n, dtype=dtype)
    compiled = compare(lambda x, y: ((x - y) ** 2).mean(), x, y, launches=1)
    f = weft.compile(lambda x, y: (x * y).exp().sum(), fullgraph=True)
    same_bits(lambda: f(x, y))
    assert "sum" in compiled.describe() or "mean" in compiled.describe()


def test_what_a_reduction_reads_may_live_on():
    def f(x):
        y = (x * 2).exp()
        return y, y.sum(1), y.sum()

    compare(lambda x: (x.sin().sum(1), x.cos()), tensor(400, 300), launches=2)
    compiled = weft.compile(f, fullgraph=True)
    x = tensor(400, 300)
    for _ in range(3):
        x = x.roll(1)
        assert same(compiled(x), f(x))
    assert len(compiled.plans[0]) == 2


def test_reductions_that_do_not_close():
    x = tensor(400, 300)
    compare(lambda x: (x * 2).sum(0), x, launches=2)  # columns
    compare(lambda x: (x * 2).t().sum(1), x, launches=2)
    compare(lambda x: (x * 2)[:, 1:].sum(1), x, launches=2)  # with gaps
    compare(lambda x: (x * 2).var(1), x, launches=2)  # looks at each element twice: the mean closes


def test_what_nobody_reads_is_not_computed():
    def f(x):
        unread = (x + 1).tanh()  # both of them
        unread.mul_(2)
        x.t().contiguous()
        weft.zeros(5, 5)
        read = x.exp()
        turned = read.t().contiguous()
        return turned.sum(0)

    compare(f, tensor(20, 30), launches=3)
    compare(lambda x: x * 3 if x.isnan().any() is not None else x, tensor(20, 30), launches=1)
