import numpy as np
import pytest

import weft
from oracle import same_bits
from weft.testing import assert_close, gradcheck

random = np.random.default_rng(0)


def sparse(rows, columns, density=0.3):
    """A random matrix: dense, and as crow, col, values."""
    mask = random.random((rows, columns)) < density
    dense = np.where(mask, random.standard_normal((rows, columns)), 0)
    crow = np.concatenate([[0], mask.sum(1).cumsum()])
    return dense, weft.tensor(crow), weft.tensor(np.nonzero(mask)[1]), dense[mask]


@pytest.mark.parametrize("width", [1, 3, 16, 64, 67, 130])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_product(width, dtype, isa):
    kind = getattr(weft, dtype)
    a, crow, col, values = sparse(9, 13)
    x = weft.tensor(random.standard_normal((13, width))).to(kind)
    v = weft.tensor(values).to(kind)
    rounded = np.where(a != 0, 1.0, 0.0)
    rounded[a != 0] = v.double().numpy()
    y = weft.csr_matmul(crow, col, v, x)
    assert y.dtype == kind
    assert_close(y, rounded @ x.double().numpy(), terms=13, check_dtype=False)


def test_vector_transpose_and_repeated_columns():
    a, crow, col, values = sparse(6, 4)
    x, v = random.standard_normal(4), weft.tensor(values)
    assert_close(weft.csr_matmul(crow, col, v, weft.tensor(x)), a @ x, rtol=1e-12, atol=1e-14)
    t_crow, t_col, order = weft.csr_transpose(crow, col, 4)
    z = random.standard_normal((6, 2))
    assert_close(weft.csr_matmul(t_crow, t_col, v[order], weft.tensor(z)), a.T @ z, rtol=1e-12, atol=1e-14)
    twice = weft.csr_matmul(
        weft.tensor([0, 2]), weft.tensor([1, 1]), weft.tensor([2.0, 3.0]), weft.tensor([[1.0], [10.0]])
    )
    assert twice.tolist() == [[50.0]]


@pytest.mark.parametrize("given", [False, True])
def test_gradients_of_both_orders(given):
    _, crow, col, values = sparse(5, 4, 0.5)
    transposed = weft.csr_transpose(crow, col, 4) if given else None
    x = random.standard_normal((4, 3))

    def f(v, x):
        return weft.csr_matmul(crow, col, v, x, transposed=transposed)

    gradcheck(f, values, x)
    assert weft.autograd.gradgradcheck(f, [weft.tensor(values, requires_grad=True), weft.tensor(x, requires_grad=True)])


def test_same_bits():
    _, crow, col, values = sparse(400, 300, 0.2)
    x = weft.tensor(random.standard_normal((300, 70)).astype(np.float32), requires_grad=True)
    v = weft.tensor(values.astype(np.float32), requires_grad=True)

    def run():
        y = weft.csr_matmul(crow, col, v, x)
        return (y, *weft.autograd.grad(y, (v, x), weft.ones_like(y)))

    same_bits(run)


def test_empty():
    none = weft.zeros(0, dtype=weft.int64)
    assert weft.csr_matmul(weft.tensor([0, 0, 0]), none, weft.zeros(0), weft.ones(3, 2)).tolist() == [[0, 0]] * 2
    assert weft.csr_matmul(weft.tensor([0]), none, weft.zeros(0), weft.ones(3, 2)).shape == (0, 2)
    assert weft.csr_matmul(weft.tensor([0, 0]), none, weft.zeros(0), weft.ones(3, 0)).shape == (1, 0)


CROW, COL, V, X = weft.tensor([0, 1, 3]), weft.tensor([0, 1, 2]), weft.ones(3), weft.ones(3, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            (CROW, weft.tensor([0, 1, 3]), V, X),
            IndexError,
            "index 3 is out of bounds for dimension 1",
        ),
        ((CROW, weft.tensor([0, 1, -1]), V, X), IndexError, "index -1"),
        ((weft.tensor([0, 1, 2]), COL, V, X), ValueError, "from 0 to 3"),
        ((weft.tensor([0, 4, 3]), COL, V, X), ValueError, "ascending"),
        ((CROW, COL, weft.ones(2), X), ValueError, "one shape"),
        ((CROW, COL, V, X.double()), TypeError, "one floating dtype"),
        ((CROW.float(), COL, V, X), ValueError, "int64"),
        ((CROW, COL, V, weft.ones(3, 2, 2)), ValueError, "dense"),
        ((weft.zeros(0, dtype=weft.int64), COL, V, X), ValueError, "crow_indices"),
    ],
)
def test_wrong_input(arguments, error, words):
    with pytest.raises(error, match=words):
        weft.csr_matmul(*arguments)


def test_a_wrong_transpose_is_refused():
    with pytest.raises(ValueError, match="csr_transpose"):
        weft.csr_matmul(CROW, COL, V, X, transposed=weft.csr_transpose(CROW, COL, 5))
    bad = weft.csr_transpose(CROW, COL, 3)
    with pytest.raises(IndexError, match="order|index"):
        v = weft.ones(3, requires_grad=True)
        x = weft.ones(3, 2, requires_grad=True)
        weft.csr_matmul(CROW, COL, v, x, transposed=(*bad[:2], bad[2] + 5)).sum().backward()
