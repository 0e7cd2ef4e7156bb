import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, same_bits, torch
from weft.testing import assert_close


def table(rows, cols, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, cols))


def ids_of(shape, rows, seed=1):
    return np.random.default_rng(seed).integers(0, rows, shape)


def both(ids, weight, dtypes=("float32", "float64"), **options):
    reference = lambda w: w[ids]  # noqa: E731
    check(
        lambda w: F.embedding(weft.tensor(ids), w, **options),
        lambda w: torch.nn.functional.embedding(torch.tensor(ids), w, **options),
        weight,
        dtypes=dtypes,
        reference=reference,
        terms=max(ids.size, 1),
    )


@pytest.mark.parametrize("cols", [0, 1, 15, 16, 17, 64, 65])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (5, 3), (2, 3, 4)])
def test_shapes(shape, cols):
    both(ids_of(shape, 11), table(11, cols))


def test_every_instruction_set_and_dtype(isa):
    both(ids_of((300,), 10), table(10, 33), dtypes=("float16", "bfloat16", "float32", "float64"))


@pytest.mark.parametrize("rows", [1, 7, 1000, 1_100_000])
@pytest.mark.parametrize("n", [1, 3, 4, 33, 500, 5003])
def test_gradients_add_in_order(isa, n, rows):
    """Ids used once and ids used often: exactly the sums of one place after the other."""
    rng = np.random.default_rng(n)
    ids = np.where(rng.random(n) < 0.5, np.minimum(rng.zipf(1.3, n), rows) - 1, rng.integers(0, rows, n))
    for cols in (1, 70) if rows <= 1000 else (1,):
        dy = rng.standard_normal((n, cols)).astype(np.float32)
        for padding in (None, int(ids[0])):
            keep = ids != padding
            sums = np.zeros((rows, cols), np.float32)
            np.add.at(sums, ids[keep], dy[keep])
            for sparse in (True, False):
                w = weft.zeros(rows, cols, requires_grad=True)
                F.embedding(weft.tensor(ids), w, padding_idx=padding, sparse=sparse).backward(weft.tensor(dy))
                assert (w.grad.to_dense().numpy() == sums).all()
            assert w.grad.shape == (rows, cols)


def test_padding_row_gets_no_gradient():
    both(ids_of((50,), 7), table(7, 5), padding_idx=3)
    both(ids_of((50,), 7), table(7, 5), padding_idx=-1)


def test_scale_grad_by_freq():
    both(ids_of((50,), 7), table(7, 5), scale_grad_by_freq=True)


def test_int32_ids_and_non_contiguous_input():
    w = table(9, 6).astype(np.float32)
    ids = ids_of((4, 5), 9).astype(np.int32)
    y = F.embedding(weft.tensor(ids).t(), weft.tensor(w.T.copy()).t())
    assert_close(y, w[ids.T])


def test_gradient_is_summed_in_half_precision_without_losing_terms():
    """1000 times 1 in float16 sums exactly when the sum is kept in float32."""
    w = weft.zeros(2, 3, dtype=weft.float16, requires_grad=True)
    F.embedding(weft.zeros(4096, dtype=weft.int64), w).sum().backward()
    assert_close(w.grad, np.array([[4096] * 3, [0] * 3], np.float16))


def test_second_derivative():
    ids = weft.tensor([1, 0, 1, 2])
    w = weft.tensor(table(4, 3), requires_grad=True)
    dy = weft.tensor(table(4, 3, 1), requires_grad=True)
    for padding in (None, 1):
        (dw,) = weft.autograd.grad(F.embedding(ids, w, padding_idx=padding), w, dy, create_graph=True)
        (ddy,) = weft.autograd.grad((dw * w.detach()).sum(), dy)
        expected = w.detach().numpy()[ids.numpy()]
        expected[ids.numpy() == padding] = 0
        assert_close(ddy, expected)


def test_ids_changed_before_backward_are_noticed():
    ids = weft.tensor([0, 1])
    y = F.embedding(ids, weft.ones(3, 2, requires_grad=True))
    ids.fill_(2)
    with pytest.raises(RuntimeError, match="in place"):
        y.sum().backward()


def test_same_bits_for_any_number_of_threads():
    ids = weft.tensor(ids_of((20_000,), 500))
    values = weft.tensor(table(500, 64).astype(np.float32))
    dy = weft.tensor(table(20_000, 64, 2).astype(np.float32))

    def run():
        w = values.clone().requires_grad_()
        y = F.embedding(ids, w)
        y.backward(dy)
        return y, w.grad

    same_bits(run)


def test_bad_input():
    w = weft.ones(4, 3)
    with pytest.raises(IndexError, match="id 4 at position 2 .* 4 rows"):
        F.embedding(weft.tensor([[0, 1], [4, 9]]), w)
    with pytest.raises(IndexError, match="id -1 at position 0"):
        F.embedding(weft.tensor([-1]), w)
    with pytest.raises(IndexError, match="0 rows"):
        F.embedding(weft.tensor([0]), weft.ones(0, 3))
    with pytest.raises(TypeError, match="int32 or int64, got float32"):
        F.embedding(weft.ones(3), w)
    with pytest.raises(ValueError, match="2 dimensions"):
        F.embedding(weft.tensor([0]), weft.ones(4))
    with pytest.raises(ValueError, match="padding_idx 4"):
        F.embedding(weft.tensor([0]), w, padding_idx=4)
    with pytest.raises(RuntimeError, match="scale_grad_by_freq"):
        F.embedding(weft.tensor([0]), w, sparse=True, scale_grad_by_freq=True)
