import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check_same, torch

IDS = np.array([3, 1, 4, 1, 5, 0, 2, 6, 5, 3])
BAGS = [np.array([0, 3, 3, 7]), np.array([0]), np.array([0, 10]), np.array([0, 0, 0, 4, 9])]


def table(rows=7, cols=5):
    return np.random.default_rng(rows).standard_normal((rows, cols))


def functional(m):
    return F if m is weft else torch.nn.functional


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("offsets", BAGS, ids=str)
def test_offsets(mode, offsets):
    for options in ({}, {"padding_idx": 1}, {"padding_idx": -2}):
        check_same(
            lambda m, ids, w, o, options=options: functional(m).embedding_bag(ids, w, o, mode=mode, **options),
            IDS,
            table(),
            offsets,
        )
    last = np.append(offsets, len(IDS))
    check_same(
        lambda m, ids, w, o: functional(m).embedding_bag(ids, w, o, mode=mode, include_last_offset=True),
        IDS,
        table(),
        last,
    )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_one_size(mode):
    check_same(lambda m, ids, w: functional(m).embedding_bag(ids, w, mode=mode), IDS.reshape(2, 5), table())
    check_same(lambda m, ids, w: functional(m).embedding_bag(ids, w, mode=mode), IDS[:0].reshape(0, 5), table())
    empty = F.embedding_bag(weft.zeros(3, 0, dtype=weft.int64), weft.ones(7, 5), mode=mode)
    assert empty.shape == (3, 5) and not empty.numpy().any()


def test_per_sample_weights_and_frequency():
    factors = np.linspace(-1, 2, 10)
    check_same(
        lambda m, ids, w, f: functional(m).embedding_bag(ids, w, mode="sum", per_sample_weights=f),
        IDS.reshape(2, 5),
        table(),
        factors.reshape(2, 5),
    )
    w = weft.ones(7, 1, requires_grad=True)
    y = F.embedding_bag(weft.tensor(IDS), w, weft.tensor([0, 2]), mode="sum", scale_grad_by_freq=True)
    y.backward(weft.tensor([[1.0], [100.0]]))
    assert w.grad.flatten().tolist() == [100, 50.5, 100, 50.5, 100, 100, 100]


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
def test_max_norm_changes_the_rows_in_use(norm_type):
    def run(m, ids, w):
        w = w.clone()
        y = functional(m).embedding(ids, w, max_norm=1.5, norm_type=norm_type)
        return y, w

    check_same(run, IDS[:5], table(), grad=False)


def test_bad_arguments():
    ids, w = weft.tensor(IDS), weft.tensor(table())
    with pytest.raises(ValueError, match="with offsets"):
        F.embedding_bag(ids, w)
    with pytest.raises(ValueError, match="with offsets"):
        F.embedding_bag(ids.reshape(2, 5), w, weft.tensor([0]))
    with pytest.raises(ValueError, match="from 0 to 10, the first 0"):
        F.embedding_bag(ids, w, weft.tensor([1, 4]))
    with pytest.raises(ValueError, match="mode"):
        F.embedding_bag(ids.reshape(2, 5), w, mode="median")
    with pytest.raises(NotImplementedError, match="mode='sum'"):
        F.embedding_bag(ids.reshape(2, 5), w, per_sample_weights=weft.ones(2, 5, dtype=weft.float64))
