import gc
import threading
import weakref

import numpy as np
import pytest

import weft
from oracle import check_same

X = np.random.default_rng(2).standard_normal((3, 4))


def leaf(*shape):
    return weft.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)


def test_chain_and_sharing():
    check_same(lambda m, x: (x * x + x.exp() * x) / (1 + x * x), X)


def test_diamond_accumulates():
    x = weft.tensor([2.0], requires_grad=True)
    y = x * 3
    (y * y + y).backward()
    assert x.grad.item() == 2 * 6 * 3 + 3


def test_accumulation_over_backwards():
    x = leaf(3)
    for _ in range(3):
        (x * 2).sum().backward()
    assert x.grad.tolist() == [6, 6, 6]
    x.grad = None
    assert x.grad is None


def test_gradient_is_not_shared_with_the_graph():
    a, b = leaf(3), leaf(3)
    (a + b).backward(weft.ones(3, dtype=weft.float64))
    a.grad += 1
    assert b.grad.tolist() == [1, 1, 1]


def test_second_backward_is_an_error():
    x = leaf(3)
    y = (x.tanh() * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"second time.*retain_graph"):
        y.backward()


def test_retain_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * x.detach().numpy())


def test_changed_in_place_names_the_operation():
    x = leaf(3)
    y = x.exp()
    z = y * 2
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"\[exp\].*changed in place"):
        (z * y).sum().backward()


@pytest.mark.parametrize(
    "call",
    [lambda x: x.add_(1), lambda x: x[0].mul_(2), lambda x: x.view(-1).zero_(), lambda x: x.__setitem__(0, 1.0)],
)
def test_leaf_in_place(call):
    x = leaf(3)
    with pytest.raises(RuntimeError, match="leaf"):
        call(x)
    with weft.no_grad():
        call(x)
    assert x._version == 1


def test_expanded_in_place():
    with pytest.raises(RuntimeError, match="expand"):
        weft.zeros(1).expand(3).add_(1)


IN_PLACE = {
    "base": lambda m, x, w: (x * 1).mul_(w).add_(x),
    "view": lambda m, x, w: _after(x * 1, lambda y: y[0].mul_(w[0])),
    "view of a view": lambda m, x, w: _after(x * 1, lambda y: y.t()[1:][0].mul_(w[:, 0])),
    "view read after the base changed": lambda m, x, w: _view_then_base(x * 1, w),
    "constant base": lambda m, x, w: _after(m.zeros(3, 4, dtype=x.dtype), lambda y: y[1].copy_((x * w)[1])),
    "rows of a buffer": lambda m, x, w: _rows(m.zeros(3, 4, dtype=x.dtype), x * w),
    "non-contiguous base": lambda m, x, w: _after((x * 1).t() * 1, lambda y: y[1:3].mul_(w.t()[1:3])),
}


def _after(y, change):
    change(y)
    return y * y


def _view_then_base(y, w):
    row = y[1]
    y.mul_(w)
    return row * y


def _rows(buffer, x):
    for i in range(3):
        buffer[i] = x[i] * (i + 1)
    return buffer * 2


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_history(name):
    check_same(IN_PLACE[name], X, X[::-1].copy() + 0.5)


def test_no_grad_and_friends():
    x = leaf(2)
    with weft.no_grad():
        assert not (x * 2).requires_grad
        with weft.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @weft.no_grad()
    def quiet():
        return x * 2

    @weft.no_grad
    def also_quiet():
        return x * 2

    assert not quiet().requires_grad and not also_quiet().requires_grad
    weft.set_grad_enabled(False)
    try:
        assert not weft.is_grad_enabled()
    finally:
        weft.set_grad_enabled(True)
    with weft.set_grad_enabled(False):
        assert not weft.is_grad_enabled()
    assert weft.is_grad_enabled()
    assert not x.detach().requires_grad


def test_grad_mode_belongs_to_the_thread():
    seen = []
    with weft.no_grad():
        thread = threading.Thread(target=lambda: seen.append(weft.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_autograd_grad():
    x, y = leaf(3), leaf(3)
    z = (x * y).sum()
    gx, gy = weft.autograd.grad(z, (x, y))
    np.testing.assert_array_equal(gx.numpy(), y.detach().numpy())
    np.testing.assert_array_equal(gy.numpy(), x.detach().numpy())
    assert x.grad is None


def test_autograd_grad_of_an_intermediate():
    x = leaf(3)
    h = x * 2
    z = (h * h).sum()
    (gh,) = weft.autograd.grad(z, h)
    np.testing.assert_allclose(gh.numpy(), 2 * h.detach().numpy())


def test_unused_input():
    x, y = leaf(3), leaf(3)
    with pytest.raises(RuntimeError, match="allow_unused"):
        weft.autograd.grad((x * 2).sum(), (x, y))
    assert weft.autograd.grad((x * 2).sum(), (x, y), allow_unused=True)[1] is None


def test_second_derivative():
    x = leaf(4)
    (g,) = weft.autograd.grad((x * x * x).sum(), x, create_graph=True)
    (gg,) = weft.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(gg.numpy(), 6 * x.detach().numpy(), rtol=1e-12)


def test_gradient_penalty_reaches_the_weights():
    w, x = leaf(3, 3), leaf(2, 3)
    y = (x @ w).tanh().sum()
    (g,) = weft.autograd.grad(y, x, create_graph=True)
    (g * g).sum().backward()
    assert w.grad is not None and float((w.grad * w.grad).sum()) > 0


def test_backward_inputs():
    x, y = leaf(2), leaf(2)
    (x * y).sum().backward(inputs=[x])
    assert x.grad is not None and y.grad is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: (x * 2).backward(), "one element"),
        (lambda x: (x * 2).backward(weft.ones(2, dtype=weft.float64)), "shape"),
        (lambda x: x.detach().sum().backward(), "does not require"),
        (lambda x: (x * 2).backward(weft.ones(3)), "dtype"),
        (lambda x: (x * 2).requires_grad_(False), "leaf"),
        (lambda x: weft.arange(3).requires_grad_(), "floating"),
        (lambda x: x.detach().register_hook(print), "does not require"),
    ],
)
def test_bad_calls(call, words):
    with pytest.raises(RuntimeError, match=words):
        call(leaf(3))


def test_hooks():
    x = leaf(3)
    h = x * 2
    seen = []
    handle = h.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g * 10)
    h.sum().backward()
    assert seen == [[1, 1, 1]] and x.grad.tolist() == [20, 20, 20]
    handle.remove()
    (x * 2).sum().backward()
    assert len(seen) == 1


def test_hook_errors_come_out():
    x = leaf(3)

    def broken(grad):
        raise KeyError("from the hook")

    x.register_hook(broken)
    with pytest.raises(KeyError, match="from the hook"):
        (x * 2).sum().backward()


def test_retain_grad():
    x = leaf(3)
    h = x * 2
    h.retain_grad()
    (h * h).sum().backward()
    np.testing.assert_allclose(h.grad.numpy(), 2 * h.detach().numpy())


class Square(weft.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        y = weft.from_numpy(x.detach().numpy() ** 2 * scale)
        ctx.save_for_backward(x)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * x * (2 * ctx.scale), None


def test_function_in_python():
    x = leaf(3)
    y = Square.apply(x, 3.0)
    assert y.requires_grad and y.grad_fn.name() == "Square"
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * x.detach().numpy())


def test_function_notices_changes():
    x = leaf(3) * 1
    y = Square.apply(x, 1.0)
    x.add_(1)
    with pytest.raises(RuntimeError, match=r"\[Square\].*changed in place"):
        y.sum().backward()


def test_long_chains_are_freed_without_recursion():
    x = weft.zeros(1, requires_grad=True)
    y = x
    for _ in range(200_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 200_001
    del y


def test_nothing_leaks():
    def graph():
        x = leaf(3)
        y = (x.exp() * x.tanh()).sum()
        buffer = weft.zeros(3, dtype=weft.float64)
        buffer[1:] = y.sigmoid()
        return x, buffer

    gc.collect()
    before = weft.memory_stats()["in_use"]
    for _ in range(100):
        x, buffer = graph()
        buffer.sum().backward()
        unused = graph()
    del x, buffer, unused
    gc.collect()
    assert weft.memory_stats()["in_use"] == before


def test_objects_keep_their_identity():
    x = leaf(2)
    (x * 2).sum().backward()
    assert x.grad is x.grad
    ref = weakref.ref(x)
    assert ref() is x
    del x
    assert ref() is None


def test_threads_run_backward_at_once():
    w = [leaf(50, 50) for _ in range(4)]
    errors = []

    def work(p):
        try:
            for _ in range(20):
                p.grad = None
                (p @ p).tanh().sum().backward()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(p,)) for p in w]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert all(np.array_equal(w[0].grad.numpy(), p.grad.numpy()) for p in w)
