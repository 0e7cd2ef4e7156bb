"""Operations written in Python, saved-tensor hooks, inference mode."""

import numpy as np
import pytest

import weft
from weft.autograd import Function, gradcheck, gradgradcheck
from weft.autograd.function import once_differentiable
from weft.autograd.graph import save_on_cpu, saved_tensors_hooks
from weft.testing import assert_close


def leaf(*shape):
    return weft.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y, None)
        return y

    @staticmethod
    def backward(ctx, dy):
        y, nothing = ctx.saved_tensors
        assert nothing is None
        return dy * y


class Scale(Function):
    """The form with setup_context."""

    @staticmethod
    def forward(x, by):
        return x * by, x * 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.by = inputs[1]

    @staticmethod
    def backward(ctx, dy, dz):
        assert ctx.needs_input_grad == (True, False)
        return dy * ctx.by + dz * 2, None


def test_outputs_saved_for_backward_have_second_derivatives():
    x = leaf(3)
    assert gradcheck(Exp.apply, x) and gradgradcheck(Exp.apply, x)
    assert gradcheck(lambda x: Scale.apply(x, 3.0), x) and gradgradcheck(lambda x: Scale.apply(x, 3.0), x)


@pytest.mark.parametrize("materialize", [True, False])
def test_missing_gradients(materialize):
    seen = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            fixed = x.argmax()
            ctx.mark_non_differentiable(fixed)
            return x * 1, x * 2, fixed

        @staticmethod
        def backward(ctx, *grads):
            seen.append([None if g is None else g.tolist() for g in grads])
            return grads[0], None, None

    x = leaf(2)
    y, z, fixed = Two.apply(x)
    assert z.requires_grad and not fixed.requires_grad
    y.sum().backward()
    assert seen == [[[1, 1], [0, 0], 0]] if materialize else seen == [[[1, 1], None, None]]


class Double(Function):
    @staticmethod
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx, dy):
        return dy * 2


def test_mark_dirty():
    x = leaf(4)
    h = x * 1
    y = Double.apply(h)
    assert y is h and y.grad_fn.name() == "Double"
    (y * y).sum().backward()
    assert_close(x.grad, 8 * x.detach().numpy(), rtol=1e-12)

    x.grad = None
    h = x * 1
    Double.apply(h[1:3])
    h.sum().backward()
    assert x.grad.tolist() == [1, 2, 2, 1]
    with pytest.raises(RuntimeError, match="leaf"):
        Double.apply(x)

    class Forgets(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x * 1

    with pytest.raises(RuntimeError, match="not returned"):
        Forgets.apply(x * 1)


def test_once_differentiable():
    class Fused(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        @once_differentiable
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return dy * weft.from_numpy(np.cos(x.detach().numpy()))

    x = leaf(3)
    assert gradcheck(Fused.apply, x)
    (g,) = weft.autograd.grad(Fused.apply(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def returning(gradient):
    class Odd(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, dy):
            return gradient(dy)

    return Odd.apply


def test_gradients_are_made_to_fit_or_refused():
    x = leaf(2, 3)
    returning(lambda dy: dy.expand(4, 2, 3))(x).sum().backward()
    assert x.grad.tolist() == [[4, 4, 4]] * 2
    x.grad = None
    returning(lambda dy: (dy.float(), None))(x).sum().backward()
    assert x.grad.dtype == weft.float64
    for bad in (lambda dy: dy.sum(), lambda dy: dy[:, :2], lambda dy: (dy, dy), lambda dy: ()):
        with pytest.raises(RuntimeError, match=r"\[Odd\]"):
            returning(bad)(x).sum().backward()
    with pytest.raises(TypeError):
        returning(lambda dy: 3.0)(x).sum().backward()
    y = x * 2
    y.register_hook(lambda g: g[0])
    with pytest.raises(RuntimeError, match="hook returned"):
        y.sum().backward()


def test_tensor_hooks():
    x = leaf(3)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, t.grad.tolist())))
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert seen == [(True, [2, 2, 2]), (True, [4, 4, 4])]
    handle.remove()
    weft.autograd.grad((x * 2).sum(), x)
    assert len(seen) == 2
    h = x * 2
    with pytest.raises(RuntimeError, match="leaf"):
        h.register_post_accumulate_grad_hook(print)
    assert not h.retains_grad
    h.retain_grad()
    h.register_hook(lambda g: g * 5)
    assert h.retains_grad and not x.retains_grad
    h.sum().backward()
    assert h.grad.tolist() == [5, 5, 5]


def test_saved_tensors_hooks():
    x, w = leaf(3, 4), leaf(4, 2)
    kept = []

    def pack(t):
        kept.append(tuple(t.shape))
        assert not t.requires_grad
        return t.numpy().copy()

    def run():
        return ((x @ w).tanh() * x.sum()).exp().sum()

    want = weft.autograd.grad(run(), (x, w))
    with saved_tensors_hooks(pack, weft.from_numpy):
        y = run()
    assert (3, 4) in kept and (4, 2) in kept and (3, 2) in kept
    for got, expected in zip(weft.autograd.grad(y, (x, w), retain_graph=True), want, strict=True):
        assert got.numpy().tobytes() == expected.numpy().tobytes()

    def hooked(x, w):
        with saved_tensors_hooks(lambda t: t * 1, lambda t: t):
            return ((x @ w).tanh() * x.sum()).exp()

    small = [leaf(2, 2), leaf(2, 2)]
    assert gradcheck(hooked, small) and gradgradcheck(hooked, small)
    with save_on_cpu():
        y = Exp.apply(x).sum()
    y.backward()
    with saved_tensors_hooks(lambda t: t, lambda t: t[:1]):
        y = x.exp().sum()
    with pytest.raises(RuntimeError, match="came back"):
        y.backward()
    with saved_tensors_hooks(lambda t: t, lambda t: None):
        y = x.exp().sum()
    with pytest.raises(TypeError, match="unpack"):
        y.backward()


def test_inference_mode():
    x = leaf(3)
    with weft.inference_mode():
        assert weft.is_inference_mode_enabled() and not weft.is_grad_enabled()
        y = x * 2
        assert y.is_inference() and not y.requires_grad and not x[1:].is_inference()
        y.add_(1)
        with weft.enable_grad():
            assert not (x * 2).requires_grad
        with weft.inference_mode(False):
            assert (x * 2).requires_grad and not (x * 2).is_inference()
    assert not weft.is_inference_mode_enabled() and weft.is_grad_enabled()
    assert not x.is_inference() and y[1:].is_inference() and not y.clone().is_inference()
    assert (x + y).requires_grad  # nothing of y is saved
    with pytest.raises(RuntimeError, match="saved for backward"):
        x * y
    for call in (lambda: y.add_(1), lambda: y.requires_grad_(), lambda: y._version):
        with pytest.raises(RuntimeError, match="inference mode"):
            call()

    @weft.inference_mode()
    def once():
        return x * 2

    @weft.inference_mode
    def twice():
        return x * 2

    assert once().is_inference() and twice().is_inference() and not weft.is_inference_mode_enabled()
