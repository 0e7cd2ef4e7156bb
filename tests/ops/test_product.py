"""What PyTorch's catalogue of samples leaves out of products: einsum's many forms, chains, in-place twins, modules."""

import random as python_random

import numpy as np
import pytest

import weft
from oracle import check_same
from weft import nn
from weft.operations._contraction import plan
from weft.testing import assert_close

torch = pytest.importorskip("torch")
random = np.random.default_rng(0)


def randn(*shape):
    return random.standard_normal(shape)


def drawn(choose):
    """A random expression and operands for it."""
    size = {k: choose.choice([1, 2, 3, 4]) for k in "abcdeA"}
    under_dots = choose.choice([[], [2], [1], [3, 2]])
    terms, shapes = [], []
    for _ in range(choose.randint(1, 4)):
        letters = [choose.choice("abcdeA") for _ in range(choose.randint(0, 4))]
        stretched = choose.random() < 0.1
        shape = [1 if stretched else size[k] for k in letters]
        if choose.random() < 0.3:
            at = choose.randint(0, len(letters))
            letters.insert(at, "...")
            shape[at:at] = under_dots
        terms.append("".join(letters))
        shapes.append(shape)
    equation = ",".join(terms)
    if choose.random() < 0.7:
        known = sorted({*equation} - {".", ","})
        choose.shuffle(known)
        out = known[: choose.randint(0, 4)]
        if "..." in equation and choose.random() < 0.6:
            out.insert(choose.randint(0, len(out)), "...")
        equation += "->" + "".join(out)
    return equation, [randn(*s) for s in shapes]


@pytest.mark.parametrize("seed", range(150))
def test_einsum_of_random_expressions(seed):
    equation, arrays = drawn(python_random.Random(seed))
    try:
        torch.einsum(equation, [torch.tensor(a) for a in arrays])
    except RuntimeError:
        with pytest.raises(RuntimeError, match="einsum"):
            weft.einsum(equation, [weft.tensor(a) for a in arrays])
        return
    check_same(lambda m, *x: m.einsum(equation, *x), *arrays, dtypes=("float64",), rtol=1e-9, atol=1e-9)


def test_einsum_with_sublists():
    a, b = randn(2, 3), randn(3, 4)
    check_same(lambda m, x, y: m.einsum(x, [0, 1], y, [1, 2], [0, 2]), a, b)
    check_same(lambda m, x, y: m.einsum(x, [0, 1], y, [1, 2]), a, b)
    check_same(lambda m, x, y: m.einsum(x, [..., 1], y, [1, 30], [30, ...]), a, b)
    for wrong in ([52, 0], [-1, 0], [..., ...]):
        with pytest.raises(RuntimeError, match="einsum"):
            weft.einsum(weft.tensor(a), wrong)


@pytest.mark.parametrize("equation", ["i.j", "ij->ii", "ij->k", "i", "ijk", "i..", "ij...k...", "i1", "ij,jk", "i-j"])
def test_einsum_refuses(equation):
    with pytest.raises(RuntimeError, match="einsum"):
        weft.einsum(equation, weft.ones(2, 3))


def test_einsum_of_a_diagonal_is_a_view():
    x = weft.arange(9.0).reshape(3, 3)
    assert weft.einsum("ii->i", x).data_ptr() == x.data_ptr()


def test_einsum_multiplies_in_the_best_order():
    """Left to right would be 10^9 multiplications, this is 2 * 10^6."""
    shapes = ((1000, 2), (2, 1000), (1000, 1000), (1000, 3))
    terms = (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))
    assert plan(terms, ("a", "e"), shapes).path == [(1, 2), (4, 3), (0, 5)]
    arrays = [randn(*[s // 100 + 1 for s in shape]) for shape in shapes]
    check_same(lambda m, *x: m.einsum("ab,bc,cd,de->ae", *x), *arrays)


def test_einsum_of_many_operands():
    arrays = [randn(3, 3) for _ in range(9)]
    check_same(lambda m, *x: m.einsum("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", *x), *arrays, dtypes=("float64",))


def test_second_derivative_of_einsum():
    x = weft.tensor(randn(3, 3), requires_grad=True)
    (first,) = weft.autograd.grad(weft.einsum("ij,jk,ki->", x, x, x), x, create_graph=True)
    first.sum().backward()
    y = torch.tensor(x.tolist(), dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.einsum("ij,jk,ki->", y, y, y), y, create_graph=True)
    first.sum().backward()
    assert_close(x.grad, y.grad.numpy())


def test_chain_matmul():
    arrays = [randn(*s) for s in ((2, 10), (10, 3), (3, 8), (8, 1))]
    check_same(lambda m, *x: m.chain_matmul(*x) if m is weft else m.linalg.multi_dot(x), *arrays)
    assert weft.chain_matmul(x := weft.ones(2, 3)) is x
    with pytest.raises(RuntimeError, match="chain_matmul"):
        weft.chain_matmul(weft.ones(2), weft.ones(2, 2))


def test_ger_is_outer():
    check_same(lambda m, x, y: m.ger(x, y), randn(3), randn(4))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_products_of_integers_wrap(dtype):
    a = weft.tensor([[100, 3], [5, 7]], dtype=getattr(weft, dtype))
    t = torch.tensor([[100, 3], [5, 7]], dtype=getattr(torch, dtype))
    for f in (lambda x: x @ x, lambda x: x.mv(x[0]), lambda x: x[0].dot(x[0]), lambda x: x[None].bmm(x[None])):
        assert f(a).tolist() == f(t).tolist()
        assert str(f(a).dtype)[5:] == dtype


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("addmm_", [(2, 4), (2, 3), (3, 4)]),
        ("addmv_", [(2,), (2, 3), (3,)]),
        ("addr_", [(2, 3), (2,), (3,)]),
        ("addbmm_", [(2, 4), (5, 2, 3), (5, 3, 4)]),
        ("baddbmm_", [(5, 2, 4), (5, 2, 3), (5, 3, 4)]),
    ],
)
def test_in_place(name, shapes):
    arrays = [randn(*s) for s in shapes]
    check_same(lambda m, x, *rest: getattr(x * 1, name)(*rest, beta=0.5, alpha=2), *arrays)
    x, *rest = (weft.tensor(a) for a in arrays)
    assert getattr(x, name)(*rest) is x
    with pytest.raises((RuntimeError, ValueError), match="add"):
        getattr(weft.ones(1).double(), name)(*rest)


def test_beta_of_zero_ignores_the_input():
    bad = weft.full((2, 2), float("nan"))
    x = weft.eye(2)
    assert bad.addmm(x, x, beta=0).tolist() == x.tolist()
    assert bad[0].addmv(x, x[0], beta=0).tolist() == [1.0, 0.0]
    assert bad.addr(x[0], x[0], beta=0).tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert bad.addbmm(x[None], x[None], beta=0).tolist() == x.tolist()


def test_bilinear_module():
    layer = nn.Bilinear(3, 4, 5)
    twin = torch.nn.Bilinear(3, 4, 5)
    assert repr(layer) == repr(twin)
    twin.load_state_dict({k: torch.tensor(v.tolist()) for k, v in layer.state_dict().items()})
    a, b = randn(2, 6, 3), randn(2, 6, 4)
    want = twin.double()(torch.tensor(a), torch.tensor(b)).detach().numpy()
    assert_close(layer.double()(weft.tensor(a), weft.tensor(b)), want, rtol=1e-6)
    assert float(layer.weight.abs().max()) <= 3**-0.5 and "bias" not in nn.Bilinear(3, 4, 5, bias=False).state_dict()
    with pytest.raises(ValueError, match="in1_features"):
        nn.Bilinear(0, 4, 5)


def test_arrays_multiply_as_matrices():
    x, a = weft.tensor(randn(2, 3)), randn(3, 4)
    for y in (x @ a, a.T @ x.T):
        assert isinstance(y, weft.Tensor)
    assert_close(x @ a, x.numpy() @ a)
