"""Elementwise operations: layouts, in place, what backward keeps, equal bits, errors."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, same_bits
from weft.testing import assert_close, gradcheck, to_numpy

random = np.random.default_rng(0)


def normal(*shape):
    return random.standard_normal(shape)


def positive(*shape):
    return np.abs(normal(*shape)) + 0.1


def strided(x):
    """The same numbers behind other memory."""
    t = weft.tensor(x)
    yield t.t().contiguous().t() if t.dim() == 2 else t.clone()
    wide = weft.zeros(*[2 * n for n in x.shape])
    view = wide[tuple(slice(0, None, 2) for _ in x.shape)]
    view.copy_(t)
    yield view
    if x.ndim == 2:
        yield weft.stack([t, t], dim=2)[:, :, 1]


@pytest.mark.parametrize("shape", [(5, 7), (130, 3), (3, 130), (64, 200), (200, 300), (70000,)], ids=str)
def test_strided_operands(isa, shape):
    a, b = normal(*shape).astype(np.float32), normal(*shape).astype(np.float32)
    for x in strided(a):
        for y in strided(b):
            assert to_numpy(x + y).tobytes() == (a + b).tobytes()
        assert to_numpy(x * 2).tobytes() == (a * 2).tobytes()
        assert to_numpy(x > 0).tobytes() == (a > 0).tobytes()
        x.mul_(2)
        assert to_numpy(x.contiguous()).tobytes() == (a * 2).tobytes()


@pytest.mark.parametrize("cols", [1, 2, 3, 7, 15, 16, 17, 33, 64, 127, 128, 200, 256, 257])
def test_a_row_that_repeats(isa, cols):
    a, b = normal(300, cols).astype(np.float32), normal(cols).astype(np.float32)
    x, row = weft.tensor(a), weft.tensor(b)
    half, step = row.bfloat16(), weft.tensor(np.repeat(b, 3))[::3]
    for y, other in ((row, b), (half, to_numpy(half.float())), (step, b), (row.expand(300, cols), b)):
        assert to_numpy(x + y).tobytes() == (a + other).tobytes()
        assert to_numpy(y > x).tobytes() == (other > a).tobytes()
    assert to_numpy(weft.where(row > 0, x, row)).tobytes() == np.where(b > 0, a, b).tobytes()
    wide = weft.zeros(300, cols + 5)
    weft.add(x, row, out=wide[:, 2 : 2 + cols])
    assert to_numpy(wide[:, 2 : 2 + cols]).tobytes() == (a + b).tobytes() and wide[:, 2 + cols :].sum().item() == 0
    deep = x.reshape(3, 100, cols)
    assert to_numpy(deep * deep[1]).tobytes() == (a.reshape(3, 100, cols) * a[100:200]).tobytes()


@pytest.mark.parametrize("offset", [0, 3])
def test_results_larger_than_the_caches(isa, offset):
    n = 2**22 + 37
    a = normal(n + offset).astype(np.float32)
    x, out = weft.tensor(a)[offset:], weft.zeros(n + offset + 1)
    assert to_numpy(weft.relu(x)).tobytes() == np.maximum(a[offset:], 0).tobytes()
    weft.add(x, x.flip(0), out=out[offset:-1])
    assert to_numpy(out[offset:-1]).tobytes() == (a[offset:] + a[offset:][::-1]).tobytes()
    assert out[:offset].tolist() == [0] * offset and out[-1] == 0
    x.mul_(2)
    assert to_numpy(x).tobytes() == (a[offset:] * 2).tobytes()


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 513, 40000])
def test_results_of_tests(isa, n):
    a, b = normal(n), normal(n)
    for dtype in (weft.float32, weft.float64, weft.float16, weft.int64, weft.uint8):
        x, y = weft.tensor(a * 3).to(dtype), weft.tensor(b * 3).to(dtype)
        want = to_numpy(x.double()) > to_numpy(y.double())
        assert to_numpy(x > y).tobytes() == want.tobytes()
        assert to_numpy(weft.isfinite(x)).all()
        assert to_numpy(weft.gt(x, y, out=weft.empty(n, dtype=dtype)).double()).tolist() == want.tolist()
        assert to_numpy(x.clone().gt_(y).double()).tolist() == want.tolist()
        flags = weft.zeros(n, 2, dtype=weft.bool)
        weft.gt(x, y, out=flags[:, 1])
        assert flags[:, 1].tolist() == want.tolist() and not flags[:, 0].any()


def test_result_keeps_the_memory_order():
    x = weft.tensor(normal(2, 3, 4, 5).astype(np.float32)).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert (x + 1).stride() == x.stride() and weft.relu(x).stride() == x.stride()
    assert_close(x + x, to_numpy(x) * 2)


def test_in_place():
    a = normal(4, 5).astype(np.float32)
    x = weft.tensor(a)
    before = x.data_ptr()
    x += 1
    x *= weft.tensor([2.0])
    x -= weft.ones(4, 1)
    x /= 2
    assert x.data_ptr() == before
    assert_close(x, ((a + 1) * 2 - 1) / 2, terms=4)
    assert_close(weft.tensor(a).relu_(), np.maximum(a, 0))
    assert_close(weft.tensor(a).clamp_(-0.5, 0.5), a.clip(-0.5, 0.5))
    assert_close(weft.tensor(a).add_(weft.ones(5), alpha=3), a + 3)
    out = weft.empty(4, 5)
    assert weft.add(weft.tensor(a), 1, out=out) is out
    assert_close(out, a + 1)
    shifted = weft.tensor(np.arange(6.0))
    shifted[1:].add_(shifted[:-1])  # the operand shares memory: as if it had been copied first
    assert to_numpy(shifted).tolist() == [0, 1, 3, 5, 7, 9]


def test_in_place_errors():
    with pytest.raises(RuntimeError, match="can't be cast"):
        weft.tensor([1, 2]).add_(1.5)
    with pytest.raises(RuntimeError, match="can't be cast"):
        weft.tensor([1, 2]).div_(2)
    with pytest.raises(RuntimeError, match="can't be cast"):
        weft.tensor([True]).add_(1)
    with pytest.raises(RuntimeError, match="shape"):
        weft.ones(3).add_(weft.ones(2, 3))
    with pytest.raises(RuntimeError, match="expand"):
        weft.ones(1).expand(3).add_(1)
    leaf = weft.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf.add_(1)
    with pytest.raises(RuntimeError, match="out="):
        weft.add(leaf, 1, out=weft.empty(3))
    with pytest.raises(RuntimeError, match="in place"):
        y = leaf * 1
        z = y * y
        y.add_(1)
        z.sum().backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: x.mul_(y),
        lambda x, y: x.add_(y, alpha=2),
        lambda x, y: x.sub_(y),
        lambda x, y: x.div_(y),
        lambda x, y: x.exp_(),
        lambda x, y: x.sin_(),
        lambda x, y: x.relu_(),
        lambda x, y: x.clamp_(-0.3, 0.3),
        lambda x, y: x.addcmul_(y, y, value=0.5),
        lambda x, y: x.lerp_(y, 0.3),
        lambda x, y: x.masked_fill_(y > 1, 2.0),
        lambda x, y: x[1:].mul_(y[1:]),
    ],
)
def test_in_place_gradients(change):
    def f(x, y):
        x = x * 1
        change(x, y)
        return x * x

    check(f, f, normal(6), positive(6), dtypes=("float64",))


def test_in_place_with_itself():
    gradcheck(lambda x: (x * 1).mul_(x), normal(5))
    x = weft.tensor(normal(5), requires_grad=True)
    y = x * 1
    y.mul_(y)
    y.sum().backward()
    assert_close(x.grad, 2 * to_numpy(x))


def test_backward_keeps_only_what_it_reads():
    """A change of what no gradient needs is no error."""
    for f in (
        lambda a, b: a + b,
        lambda a, b: a / b,
        lambda a, b: -a + 0 * b.detach(),
        lambda a, b: weft.where(b > 0, a, b),
    ):
        a, b = (weft.ones(3, requires_grad=True) for _ in range(2))
        inner = a * 2
        y = f(inner, b)
        inner.add_(1)
        y.sum().backward()


def test_gradient_only_where_wanted():
    a, b = weft.ones(3, requires_grad=True), weft.ones(3)
    assert not (b + b).requires_grad and (a + b).requires_grad and not (a > b).requires_grad
    (a * b).sum().backward()
    assert b.grad is None
    with weft.no_grad():
        assert not (a * 2).requires_grad
    half = weft.ones(3, dtype=weft.float16, requires_grad=True)
    (half * weft.ones(3)).sum().backward()
    assert half.grad.dtype == weft.float16


def test_equal_bits_on_any_number_of_threads():
    x = weft.tensor(normal(300, 1000).astype(np.float32))
    y = weft.tensor(normal(1000).astype(np.float32))
    same_bits(lambda: (F.gelu(x), x * y, x.t() + y[:300], x > y))


def test_errors():
    with pytest.raises((RuntimeError, ValueError), match=r"broadcast|shape"):
        weft.ones(2, 3) + weft.ones(2)
    with pytest.raises(TypeError):
        weft.ones(2) + "x"
    with pytest.raises(TypeError):
        weft.add(1, 2)
    with pytest.raises(TypeError):
        weft.ones(2) & weft.ones(2)
    with pytest.raises(RuntimeError, match="rounding_mode"):
        weft.div(weft.ones(2), 2, rounding_mode="up")
    with pytest.raises(ValueError, match="approximate"):
        F.gelu(weft.ones(2), approximate="erf")
