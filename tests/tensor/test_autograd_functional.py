"""weft.autograd.functional, gradcheck and grad() beside PyTorch."""

import numpy as np
import pytest

import weft
from weft.autograd import functional, gradcheck, gradgradcheck
from weft.testing import assert_close

torch = pytest.importorskip("torch")

random = np.random.default_rng(0)
A, B = random.standard_normal((2, 3)), random.standard_normal(3)

FUNCTIONS = {
    "one to one": (lambda a: (a * a).exp(), (A,)),
    "one to number": (lambda a: (a * a * a).sum(), (A,)),
    "two to number": (lambda a, b: (a * b * b).sum() + b.exp().sum(), (A, B)),
    "two to two": (lambda a, b: (a @ b, a.sin() * b), (A, B)),
    "linear": (lambda a, b: (a * 2, b.sum()), (A, B)),
}
NUMBERS = ["one to number", "two to number"]


def alike(ours, theirs):
    if isinstance(theirs, tuple):
        assert isinstance(ours, tuple) and len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            alike(a, b)
    else:
        assert ours.requires_grad == theirs.requires_grad
        assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def arguments(m, arrays):
    tensors = tuple(m.tensor(x) for x in arrays)
    return tensors if len(tensors) > 1 else tensors[0]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_jacobian(name, create_graph):
    f, arrays = FUNCTIONS[name]
    if create_graph and name == "linear":
        return  # PyTorch's result requires gradients by chance
    got, want = (
        m.autograd.functional.jacobian(f, arguments(m, arrays), create_graph=create_graph) for m in (weft, torch)
    )
    alike(got, want)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vjp_and_jvp(name):
    f, arrays = FUNCTIONS[name]
    outputs = f(*(torch.tensor(x) for x in arrays))
    shapes = [tuple(y.shape) for y in (outputs if isinstance(outputs, tuple) else (outputs,))]
    v, u = [random.standard_normal(s) for s in shapes], [random.standard_normal(x.shape) for x in arrays]
    for name, vector in (("vjp", v), ("jvp", u)):
        got, want = (
            getattr(m.autograd.functional, name)(f, arguments(m, arrays), arguments(m, vector)) for m in (weft, torch)
        )
        alike(got, want)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_hessian_and_its_products(name, create_graph):
    f, arrays = FUNCTIONS[name]
    v = [random.standard_normal(x.shape) for x in arrays]
    for which in ("hvp", "vhp"):
        got, want = (
            getattr(m.autograd.functional, which)(f, arguments(m, arrays), arguments(m, v), create_graph=create_graph)
            for m in (weft, torch)
        )
        alike(got, want)
    got, want = (
        m.autograd.functional.hessian(f, arguments(m, arrays), create_graph=create_graph, vectorize=False)
        for m in (weft, torch)
    )
    alike(got, want)


def test_the_graph_reaches_the_inputs():
    x = weft.tensor(B, requires_grad=True)
    functional.hessian(lambda x: (x * x * x).sum(), x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [6, 6, 6]
    y = weft.tensor(B, requires_grad=True)
    functional.jacobian(lambda x: x * y * y, weft.tensor(B), create_graph=True).sum().backward()
    assert_close(y.grad, 2 * B, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: functional.vjp(lambda x: x * 2, x), RuntimeError),
        (lambda x: functional.vjp(lambda x: x * 2, x, weft.ones(2)), RuntimeError),
        (lambda x: functional.jvp(lambda x: x * 2, x), RuntimeError),
        (lambda x: functional.hessian(lambda x: x * 2, x), RuntimeError),
        (lambda x: functional.jacobian(lambda x: 3, x), TypeError),
        (lambda x: functional.jacobian(lambda x: x * 2, [x]), TypeError),
        (lambda x: functional.jacobian(lambda x: weft.ones(2), x, strict=True), RuntimeError),
        (lambda x: functional.hessian(lambda x: x.sum(), x, strict=True), RuntimeError),
        (lambda x: functional.jacobian(lambda x: x * 2, x, strategy="sideways"), ValueError),
    ],
)
def test_wrong_calls(call, error):
    with pytest.raises(error):
        call(weft.tensor(B))


def test_grad_options():
    x, y = (weft.tensor(B, requires_grad=True) for _ in range(2))
    z = (x * x).sum()
    gx, gy = weft.autograd.grad(z, (x, y), retain_graph=True, materialize_grads=True)
    assert gy.tolist() == [0, 0, 0] and gx.tolist() == (2 * B).tolist()
    assert weft.autograd.grad(z, [x, x], retain_graph=True)[1].tolist() == (2 * B).tolist()
    with pytest.raises(ValueError, match="allow_unused"):
        weft.autograd.grad(z, (x, y), allow_unused=False, materialize_grads=True)
    with pytest.raises(NotImplementedError, match="is_grads_batched"):
        weft.autograd.grad(z, x, is_grads_batched=True)
    h = x * 2
    k = h * h
    weft.autograd.backward([k.sum()], inputs=[h, x])
    assert_close(h.grad, 4 * B, rtol=1e-12)
    assert_close(x.grad, 8 * B, rtol=1e-12)


class Wrong(weft.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, dy):
        return dy * 3


def test_gradcheck():
    x = weft.tensor(A, requires_grad=True)
    assert gradcheck(lambda x: (x * x, x.exp()), (x,)) and gradcheck(lambda x: x.sum(), x, fast_mode=True)
    for fast in (False, True):
        with pytest.raises(RuntimeError, match="Jacobian mismatch for output 0 with respect to input 0"):
            gradcheck(Wrong.apply, x, fast_mode=fast)
        assert not gradcheck(Wrong.apply, x, raise_exception=False, fast_mode=fast)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(lambda x: x.detach() * 2 + x * 0, x)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(lambda x: x.detach(), x)
    with pytest.raises(ValueError, match="requires a gradient"):
        gradcheck(lambda x: x, weft.tensor(A))
    with pytest.warns(UserWarning, match="float64"):
        gradcheck(lambda x: x * 0, weft.tensor(A, requires_grad=True).float())
    with pytest.raises(NotImplementedError):
        gradcheck(lambda x: x, x, check_forward_ad=True)
    assert gradcheck(lambda x, n: x * n, (x, 3)) and gradcheck(lambda x: x.argmax(), x)
    assert x.tolist() == A.tolist() and x.grad is None


class WrongTwice(weft.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * 2 * x.detach()


def test_gradgradcheck():
    x = weft.tensor(A, requires_grad=True)
    assert gradgradcheck(lambda x: (x * x * x).sin(), x)
    assert gradgradcheck(lambda x: x * x, x, weft.ones(2, 3, dtype=weft.float64, requires_grad=True))
    assert gradgradcheck(lambda x: x.exp(), x, gen_non_contig_grad_outputs=True, fast_mode=True)
    assert gradcheck(WrongTwice.apply, x)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradgradcheck(WrongTwice.apply, x)
