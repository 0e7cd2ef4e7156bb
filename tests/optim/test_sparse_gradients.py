"""Embedding(sparse=True): gradients of some rows, and the optimizers that take them, beside PyTorch's."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import same_bits, torch
from weft.testing import assert_close, to_numpy

rng = np.random.default_rng(0)


def table(rows, cols, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, cols)).astype(np.float32)


def gradient(ids, rows, cols, dtype=weft.float32, **options):
    """The sparse gradient, and the dense one of the same."""
    ids = weft.tensor(ids)
    dy = weft.tensor(np.random.default_rng(1).standard_normal((*ids.shape, cols))).to(dtype)
    grads = []
    for sparse in (True, False):
        w = weft.tensor(table(rows, cols)).to(dtype).requires_grad_()
        F.embedding(ids, w, sparse=sparse, **options).backward(dy)
        grads.append(w.grad)
    return grads


@pytest.mark.parametrize("rows", [1, 7, 2047, 2048, 2049, 5_000_000])
@pytest.mark.parametrize("n", [1, 2, 300])
def test_it_is_the_dense_one(rows, n):
    ids = rng.integers(0, rows, n)
    cols = 1 if rows > 10_000 else 17
    sparse, dense = gradient(ids, rows, cols)
    assert sparse.is_sparse and not dense.is_sparse
    assert tuple(sparse.shape) == (rows, cols) and sparse.dtype == weft.float32
    assert sparse.is_coalesced() and sparse.coalesce() is sparse
    assert (sparse.sparse_dim(), sparse.dense_dim()) == (1, 1)
    unique = np.unique(ids)
    assert sparse._nnz() == len(unique)
    np.testing.assert_array_equal(sparse.indices().numpy(), unique[None])
    np.testing.assert_array_equal(sparse._values().numpy(), dense.numpy()[unique])
    np.testing.assert_array_equal(sparse.to_dense().numpy(), dense.numpy())
    assert dense.to_dense() is dense


@pytest.mark.parametrize("cols", [0, 1, 15, 16, 17, 65])
def test_every_instruction_set_dtype_and_width(isa, cols):
    ids = rng.integers(0, 9, (4, 25))
    for dtype in (weft.float16, weft.bfloat16, weft.float32, weft.float64):
        for padding in (None, 3):
            sparse, dense = gradient(ids, 11, cols, dtype, padding_idx=padding)
            assert sparse.dtype == dtype and sparse._nnz() == (9 if padding is None else 8)
            assert_close(sparse.to_dense(), dense)


def test_it_is_taken_twice_and_wrong_ids_are_named(isa):
    """The rows are found in the forward pass, also those of ids that the table does not have."""
    w = weft.tensor(table(50, 3)).requires_grad_()
    ids = weft.tensor(rng.integers(0, 50, 700))
    y = F.embedding(ids, w, sparse=True)
    for scale in (1.0, 3.0):
        (g,) = weft.autograd.grad(y, w, weft.full((700, 3), scale), retain_graph=True)
        np.testing.assert_array_equal(g.to_dense()[:, 0].numpy(), scale * np.bincount(ids.numpy(), minlength=50))
    for wrong in (50, -1, 2**62, -(2**62)):
        ids[411] = wrong
        with pytest.raises(IndexError, match=f"id {wrong} at position 411"):
            F.embedding(ids, w, sparse=True)


def test_no_ids_and_only_padding():
    for ids, padding in ((np.zeros(0, np.int64), None), (np.full(5, 2), 2)):
        sparse, dense = gradient(ids, 4, 3, padding_idx=padding)
        assert sparse._nnz() == 0 and tuple(sparse.values().shape) == (0, 3)
        assert_close(sparse.to_dense(), dense)


def test_sums_of_gradients():
    """Sparse and sparse, sparse and dense in either order: on the way, and in .grad."""
    values = table(10, 4)
    ids = [weft.tensor(rng.integers(0, 10, 6)) for _ in range(2)]

    def run(kinds, twice):
        w = weft.tensor(values, requires_grad=True)
        x = weft.tensor(table(3, 4, 5))
        terms = {
            "sparse": lambda: F.embedding(ids[0], w, sparse=True).square().sum(),
            "other": lambda: F.embedding(ids[1], w, sparse=True).sum(),
            "dense": lambda: (x @ w.t()).square().sum(),
            "plain": lambda: F.embedding(ids[0], w).square().sum(),
        }
        if twice:
            for kind in kinds:
                terms[kind]().backward()
        else:
            sum(terms[kind]() for kind in kinds).backward()
        return w.grad

    for twice in (False, True):
        both = run(["sparse", "other"], twice)
        assert both.is_sparse and both.is_coalesced()
        assert both._nnz() == len(np.unique(np.concatenate([i.numpy() for i in ids])))
        for kinds in (["sparse", "dense"], ["dense", "sparse"]):
            got = run(kinds, twice)
            assert not got.is_sparse
            assert_close(got, run([{"sparse": "plain"}.get(k, k) for k in kinds], twice), terms=20)


def test_autograd_grad_hooks_and_a_second_holder():
    w = weft.tensor(table(5, 3), requires_grad=True)
    y = F.embedding(weft.tensor([1, 3, 1]), w, sparse=True).sum()
    (g,) = weft.autograd.grad(y, w, retain_graph=True)
    assert g.is_sparse and g.indices().tolist() == [[1, 3]]
    seen = []
    w.register_hook(seen.append)
    y.backward(retain_graph=True)
    y.backward()
    assert_close(w.grad.values(), np.array([[4] * 3, [2] * 3], np.float32))
    assert_close(seen[0].values(), np.array([[2] * 3, [1] * 3], np.float32))  # not changed by the sum
    assert w.grad.clone().is_sparse and w.grad.detach().is_sparse


def test_other_operations_refuse_it():
    w = weft.tensor(table(4, 4), requires_grad=True)
    F.embedding(weft.tensor([1]), w, sparse=True).sum().backward()
    g = w.grad
    for use in (
        lambda: g + 1,
        lambda: g.t() @ g,
        lambda: g[0],
        lambda: g.numpy(),
        lambda: g.sum(),
        lambda: g.mul_(2),
        lambda: weft.zeros(4, 4).copy_(g),
        lambda: g.view(-1),
        lambda: g.tolist(),
        lambda: np.from_dlpack(g),
    ):
        with pytest.raises((NotImplementedError, BufferError), match="sparse"):
            use()
    for name in ("indices", "values", "coalesce", "is_coalesced", "_nnz"):
        with pytest.raises(RuntimeError, match="expected a sparse tensor, got a dense one"):
            getattr(weft.ones(2), name)()
    assert repr(g).startswith("tensor(indices=tensor([[1]]),") and "size=(4, 4), nnz=1" in repr(g)


def test_no_second_derivative():
    w = weft.tensor(table(4, 4), requires_grad=True)
    with pytest.raises(RuntimeError, match="sparse=False"):
        weft.autograd.grad(F.embedding(weft.tensor([1]), w, sparse=True).square().sum(), w, create_graph=True)


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "maximize": True}),
    ("SparseAdam", {"lr": 0.1}),
    ("SparseAdam", {"lr": 0.1, "betas": (0.5, 0.9), "eps": 0.1, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 0.01}),
]


def train(m, name, options, cols=5, layer="Embedding", clip=None, steps=6):
    draw = np.random.default_rng(3)
    net = getattr(m.nn, layer)(40, cols, sparse=True)
    with m.no_grad():
        net.weight.copy_(m.tensor(table(40, cols)))
    optimizer = getattr(m.optim, name)(net.parameters(), **options)
    for _ in range(steps):
        ids = m.tensor(draw.integers(0, 30, (8, 3)))
        optimizer.zero_grad()
        net(ids).square().sum().backward()
        assert net.weight.grad.is_sparse
        if clip:
            m.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
    return net.weight


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
@pytest.mark.parametrize("layer", ["Embedding", "EmbeddingBag"])
def test_training_beside_pytorch(name, options, layer, isa):
    if torch is None:
        pytest.skip("compares with PyTorch")
    for cols in (5, 16, 33):
        got, expected = (train(m, name, options, cols, layer) for m in (weft, torch))
        assert_close(got, expected.detach().numpy(), terms=400)
        np.testing.assert_array_equal(got.detach().numpy()[30:], table(40, cols)[30:])  # rows never used


def test_rows_longer_than_a_piece_and_other_dtypes():
    for dtype in (weft.float32, weft.float64, weft.bfloat16):
        start = weft.tensor(table(6, 40_003)).to(dtype)
        weights = []
        for sparse in (True, False):
            w = start.clone().requires_grad_()
            F.embedding(weft.tensor([4, 1, 4]), w, sparse=sparse).square().sum().backward()
            weft.optim.Adagrad([w], lr=0.1).step()
            weights.append(to_numpy(w.detach()))
        np.testing.assert_array_equal(*weights)


def test_state_of_unused_rows_stays():
    w = weft.tensor(table(4, 3), requires_grad=True)
    optimizer = weft.optim.SparseAdam([w], lr=0.1)
    for ids in ([0, 2], [2]):
        optimizer.zero_grad()
        F.embedding(weft.tensor(ids), w, sparse=True).sum().backward()
        optimizer.step()
    m = optimizer.state[w]["exp_avg"]
    assert_close(m[0], np.full(3, 0.1, np.float32))
    assert_close(m[2], np.full(3, 0.19, np.float32))
    assert_close(m[1], np.zeros(3, np.float32))


def test_sparse_and_dense_parameters_in_one_group():
    layers = [weft.nn.Embedding(9, 4, sparse=True), weft.nn.Linear(4, 2), weft.nn.Embedding(9, 4, sparse=True)]
    model = weft.nn.ModuleList(layers)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = weft.optim.SGD(model.parameters(), lr=0.5)
    ids = weft.tensor([3, 5, 3])
    layers[1](layers[0](ids) + layers[2](ids)).square().sum().backward()
    optimizer.step(max_norm=1.0)
    grads = [p.grad.to_dense() for p in model.parameters()]
    norm = sum(float(g.square().sum()) for g in grads) ** 0.5
    assert_close(float(optimizer.grad_norm), norm, rtol=1e-5)
    for p, old, g in zip(model.parameters(), before, grads, strict=True):
        assert_close(p, old - 0.5 * g * min(1.0, 1 / (norm + 1e-6)), terms=50)


@pytest.mark.parametrize("norm", [2.0, 1.0, float("inf")])
def test_clipping(norm):
    w = weft.tensor(table(9, 4), requires_grad=True)
    dense = weft.tensor(table(9, 4), requires_grad=True)
    for x, sparse in ((w, True), (dense, False)):
        F.embedding(weft.tensor([1, 1, 7]), x, sparse=sparse).square().sum().backward()
    norms = [weft.nn.utils.clip_grad_norm_([x], 0.5, norm) for x in (w, dense)]
    assert_close(*norms)
    assert w.grad.is_sparse
    assert_close(w.grad.to_dense(), dense.grad)
    weft.nn.utils.clip_grad_value_([w], 0.01)
    assert float(w.grad.values().abs().max()) <= 0.01


def test_optimizers_that_take_none():
    def step(name, sparse=True, **options):
        w = weft.tensor(table(4, 3), requires_grad=True)
        F.embedding(weft.tensor([1]), w, sparse=sparse).sum().backward()
        getattr(weft.optim, name)([w], **options).step()

    with pytest.raises(RuntimeError, match="Adam does not support sparse gradients, please consider SparseAdam"):
        step("Adam")
    for name in ("AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adadelta", "ASGD", "Rprop", "Lion", "Adafactor"):
        with pytest.raises((RuntimeError, NotImplementedError), match="sparse"):
            step(name)
    for name, options in (("SGD", {"momentum": 0.9}), ("SGD", {"weight_decay": 0.1}), ("Adagrad", {"weight_decay": 1})):
        with pytest.raises(RuntimeError, match="not compatible with sparse gradients"):
            step(name, **options)
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients"):
        step("SparseAdam", sparse=False)
    with pytest.raises(ValueError, match="max"):
        F.embedding_bag(weft.tensor([[0]]), weft.ones(2, 2), mode="max", sparse=True)


def test_state_of_pytorch_can_be_loaded():
    if torch is None:
        pytest.skip("compares with PyTorch")
    theirs = torch.nn.Embedding(6, 3, sparse=True)
    optimizer = torch.optim.SparseAdam(theirs.parameters())
    theirs(torch.tensor([1, 2])).sum().backward()
    optimizer.step()
    own = weft.nn.Embedding(6, 3, sparse=True)
    with weft.no_grad():
        own.weight.copy_(weft.tensor(theirs.weight.detach().numpy()))
    ours = weft.optim.SparseAdam(own.parameters())
    ours.load_state_dict(optimizer.state_dict())
    for m, net, o in ((torch, theirs, optimizer), (weft, own, ours)):
        o.zero_grad()
        net(m.tensor([2, 5])).square().sum().backward()
        o.step()
    assert_close(own.weight, theirs.weight.detach().numpy())


def test_same_bits_for_any_number_of_threads():
    ids, dy = weft.tensor(rng.integers(0, 5000, 20_000)), weft.tensor(table(20_000, 64))

    def run():
        w = weft.tensor(table(5000, 64), requires_grad=True)
        optimizer = weft.optim.SparseAdam([w], lr=0.1)
        F.embedding(ids, w, sparse=True).backward(dy)
        F.embedding(ids, w, sparse=True).backward(dy)
        optimizer.step(max_norm=1.0)
        return w.detach(), w.grad.values()

    same_bits(run)
