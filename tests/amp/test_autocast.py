"""Autocast on the CPU beside PyTorch's: what each operation returns, what gradients come back, what regions do."""

import threading
import warnings

import numpy as np
import pytest

import weft
from weft import nn
from weft.utils.checkpoint import checkpoint

torch = pytest.importorskip("torch")

# operation: shapes of its tensors, and the call, for a module m and its functional F
LOWER = {
    "matmul": ([(3, 4), (4, 5)], lambda m, F, a, b: m.matmul(a, b)),
    "@": ([(3, 4), (4, 5)], lambda m, F, a, b: a @ b),
    "method": ([(3, 4), (4, 5)], lambda m, F, a, b: a.matmul(b)),
    "mm": ([(3, 4), (4, 5)], lambda m, F, a, b: m.mm(a, b)),
    "bmm": ([(2, 3, 4), (2, 4, 5)], lambda m, F, a, b: m.bmm(a, b)),
    "addmm": ([(5,), (3, 4), (4, 5)], lambda m, F, c, a, b: m.addmm(c, a, b)),
    "baddbmm": ([(2, 3, 5), (2, 3, 4), (2, 4, 5)], lambda m, F, c, a, b: m.baddbmm(c, a, b)),
    "addbmm": ([(3, 5), (2, 3, 4), (2, 4, 5)], lambda m, F, c, a, b: m.addbmm(c, a, b)),
    "tensordot": ([(3, 4), (4, 5)], lambda m, F, a, b: m.tensordot(a, b, 1)),
    "einsum": ([(3, 4), (4, 5)], lambda m, F, a, b: m.einsum("ij,jk->ik", a, b)),
    "linear": ([(3, 4), (5, 4), (5,)], lambda m, F, x, w, b: F.linear(x, w, b)),
    "conv1d": ([(1, 2, 8), (3, 2, 3), (3,)], lambda m, F, x, w, b: F.conv1d(x, w, b)),
    "conv2d": ([(1, 2, 8, 8), (3, 2, 3, 3)], lambda m, F, x, w: F.conv2d(x, w)),
    "conv3d": ([(1, 2, 6, 6, 6), (3, 2, 3, 3, 3)], lambda m, F, x, w: F.conv3d(x, w)),
    "conv_transpose1d": ([(1, 2, 8), (2, 3, 3)], lambda m, F, x, w: F.conv_transpose1d(x, w)),
    "conv_transpose2d": ([(1, 2, 8, 8), (2, 3, 3, 3)], lambda m, F, x, w: F.conv_transpose2d(x, w)),
    "attention": ([(1, 2, 8, 8)] * 3, lambda m, F, q, k, v: F.scaled_dot_product_attention(q, k, v)),
    "prelu": ([(3, 4), (1,)], lambda m, F, x, w: F.prelu(x, w)),
}
FLOAT32 = {
    "mse_loss": ([(3, 4)] * 2, lambda m, F, x, y: F.mse_loss(x, y)),
    "l1_loss": ([(3, 4)] * 2, lambda m, F, x, y: F.l1_loss(x, y)),
    "smooth_l1_loss": ([(3, 4)] * 2, lambda m, F, x, y: F.smooth_l1_loss(x, y)),
    "huber_loss": ([(3, 4)] * 2, lambda m, F, x, y: F.huber_loss(x, y)),
    "bce": ([(3, 4)] * 2, lambda m, F, x, y: F.binary_cross_entropy(x.sigmoid(), y.sigmoid())),
    "bce_logits": ([(3, 4)] * 2, lambda m, F, x, y: F.binary_cross_entropy_with_logits(x, y.sigmoid())),
    "kl_div": ([(3, 4)] * 2, lambda m, F, x, y: F.kl_div(x, y.sigmoid(), reduction="batchmean")),
    "cross_entropy": ([(3, 4)], lambda m, F, x: F.cross_entropy(x, m.tensor([0, 3, 1]))),
    "nll_loss": ([(3, 4)], lambda m, F, x: F.nll_loss(x, m.tensor([0, 3, 1]))),
    "poisson_nll_loss": ([(3, 4)] * 2, lambda m, F, x, y: F.poisson_nll_loss(x, y.sigmoid())),
    "soft_margin_loss": ([(3,)], lambda m, F, x: F.soft_margin_loss(x, m.ones(3))),
    "cosine_embedding_loss": ([(3, 4)] * 2, lambda m, F, x, y: F.cosine_embedding_loss(x, y, m.ones(3))),
    "hinge_embedding_loss": ([(3,)], lambda m, F, x: F.hinge_embedding_loss(x, m.ones(3))),
    "triplet_margin_loss": ([(3, 4)] * 3, lambda m, F, x, y, z: F.triplet_margin_loss(x, y, z)),
    "multi_margin_loss": ([(3, 4)], lambda m, F, x: F.multi_margin_loss(x, m.tensor([0, 3, 1]))),
    "prod": ([(3, 4)], lambda m, F, x: x.prod()),
    "prod of a dimension": ([(3, 4)], lambda m, F, x: m.prod(x, 1)),
    "cdist": ([(3, 4), (2, 4)], lambda m, F, x, y: m.cdist(x, y)),
    "trace": ([(4, 4)], lambda m, F, x: m.trace(x)),
    "quantile": ([(9,)], lambda m, F, x: m.quantile(x, 0.5)),
    "grid_sample": ([(1, 1, 4, 4), (1, 3, 3, 2)], lambda m, F, x, g: F.grid_sample(x, g, align_corners=False)),
}
AS_GIVEN = {
    "add": ([(3,)] * 2, lambda m, F, x, y: x + y),
    "add float32": ([(3,)] * 2, lambda m, F, x, y: x + y.float()),
    "softmax": ([(3, 4)], lambda m, F, x: F.softmax(x, -1)),
    "log_softmax": ([(3, 4)], lambda m, F, x: F.log_softmax(x, -1)),
    "layer_norm": ([(3, 4)], lambda m, F, x: F.layer_norm(x, (4,), m.ones(4), m.ones(4))),
    "batch_norm": ([(3, 4)], lambda m, F, x: F.batch_norm(x, m.zeros(4), m.ones(4), m.ones(4), m.ones(4), True)),
    "exp": ([(3,)], lambda m, F, x: x.exp()),
    "pow": ([(3,)], lambda m, F, x: x.pow(2)),
    "sum": ([(3,)], lambda m, F, x: x.sum()),
    "mean": ([(3,)], lambda m, F, x: x.mean()),
    "gelu": ([(3,)], lambda m, F, x: F.gelu(x)),
    "mv": ([(3, 4), (4,)], lambda m, F, a, v: m.mv(a, v)),
    "cat float32": ([(3,)] * 2, lambda m, F, x, y: m.cat([x, y.float()])),
    "max_pool2d": ([(1, 2, 8, 8)], lambda m, F, x: F.max_pool2d(x, 2)),
}
ALL = {**LOWER, **FLOAT32, **AS_GIVEN}


def values(shapes, seed=0):
    random = np.random.default_rng(seed)
    return [random.standard_normal(s).astype(np.float32) for s in shapes]


def name_of(t):
    return str(t.dtype).split(".")[-1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("given", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("op", ALL)
def test_dtypes_are_pytorchs(op, given):
    shapes, call = ALL[op]
    if given == "float64" and ("float32" in op or "norm" in op):
        return
    with weft.autocast("cpu", dtype=weft.bfloat16):
        got = call(weft, nn.functional, *(weft.tensor(v).to(getattr(weft, given)) for v in values(shapes)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = call(
            torch, torch.nn.functional, *(torch.tensor(v).to(getattr(torch, given)) for v in values(shapes))
        )
    assert name_of(got) == name_of(expected)
    tolerance = 2e-2 if given != torch.float64 else 1e-12
    size = max(1.0, float(expected.abs().max()))
    np.testing.assert_allclose(got.double().numpy(), expected.double().numpy(), rtol=tolerance, atol=tolerance * size)


@pytest.mark.parametrize("op", LOWER)
def test_gradients_come_back_in_float32(op):
    shapes, call = LOWER[op]
    ours = [weft.tensor(v, requires_grad=True) for v in values(shapes)]
    theirs = [torch.tensor(v, requires_grad=True) for v in values(shapes)]
    with weft.autocast("cpu", dtype=weft.bfloat16):
        y = call(weft, nn.functional, *ours)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = call(torch, torch.nn.functional, *theirs)
    y.float().square().sum().backward()
    z.float().square().sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad.dtype == weft.float32
        size = float(b.grad.abs().max())
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=3e-2, atol=3e-2 * size)


def test_float64_and_integers_are_left_alone():
    with weft.autocast("cpu"):
        assert (weft.ones(2, 2).double() @ weft.ones(2, 2).double()).dtype == weft.float64
        assert (weft.ones(2, 2).long() @ weft.ones(2, 2).long()).dtype == weft.int64


def test_regions_nest_and_switch():
    a = weft.ones(2, 2)
    assert not weft.is_autocast_enabled("cpu") and weft.get_autocast_dtype("cpu") == weft.bfloat16
    with weft.amp.autocast("cpu", dtype=weft.float16):
        assert weft.is_autocast_enabled("cpu") and weft.get_autocast_dtype("cpu") == weft.float16
        assert not weft.is_autocast_enabled()  # cuda's
        assert (a @ a).dtype == weft.float16
        with weft.autocast("cpu", dtype=weft.bfloat16):
            assert (a @ a).dtype == weft.bfloat16
            with weft.autocast("cpu", enabled=False):
                assert (a @ a).dtype == weft.float32
        assert (a @ a).dtype == weft.float16
    assert (a @ a).dtype == weft.float32 and weft.get_autocast_dtype("cpu") == weft.bfloat16
    with weft.autocast("cuda"):
        assert (a @ a).dtype == weft.float32
    with pytest.raises(ZeroDivisionError), weft.autocast("cpu"):
        1 / 0  # noqa: B018
    assert not weft.is_autocast_enabled("cpu")


def test_decorator():
    @weft.autocast("cpu", dtype=weft.bfloat16)
    def product(x):
        """Doc."""
        return x @ x

    assert product(weft.ones(2, 2)).dtype == weft.bfloat16 and product.__doc__ == "Doc."
    assert not weft.is_autocast_enabled("cpu")


def test_other_threads_are_not_touched():
    seen = []
    with weft.autocast("cpu"):
        thread = threading.Thread(target=lambda: seen.append((weft.ones(2, 2) @ weft.ones(2, 2)).dtype))
        thread.start()
        thread.join()
    assert seen == [weft.float32]


def test_conversions_of_parameters_are_kept_until_they_change():
    w = nn.Parameter(weft.ones(2, 2))
    x = weft.ones(2, 2)
    with weft.autocast("cpu"):
        first = _cast_of(w)
        assert _cast_of(w) is first
        with weft.no_grad():
            assert _cast_of(w) is not first
            w.add_(1)
            assert (x @ w).tolist() == [[4.0, 4.0]] * 2
        second = _cast_of(w)
        assert second is not first and second.tolist() == [[2.0, 2.0]] * 2
        (x @ w).sum().backward()
        (x @ w).sum().backward()  # through a new conversion: the old one's gradient has been taken
    assert w.grad.tolist() == [[4.0, 4.0]] * 2
    with weft.autocast("cpu", cache_enabled=False):
        assert _cast_of(w) is not _cast_of(w)
    assert _cast_of(w) is w
    with weft.autocast("cpu"):
        kept = _cast_of(w)
        weft.clear_autocast_cache()
        assert _cast_of(w) is not kept


def _cast_of(w):
    return weft._core._autocast_lower(w)


def test_a_layer_norm_net_and_master_weights():
    weft.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 3))
    optimizer = weft.optim.AdamW(net.parameters(), lr=1e-2)
    x, y = weft.randn(64, 8), weft.randint(0, 3, (64,))
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        with weft.autocast("cpu", dtype=weft.bfloat16):
            out = net(x)
            loss = nn.functional.cross_entropy(out, y)
        assert out.dtype == weft.bfloat16 and loss.dtype == weft.float32
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert all(p.dtype == weft.float32 and p.grad.dtype == weft.float32 for p in net.parameters())
    assert losses[-1] < losses[0] - 0.1


def test_checkpoint_computes_again_under_the_same_autocast():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    x = weft.randn(5, 4)
    grads = []
    for run in (net, lambda x: checkpoint(net, x)):
        net.zero_grad()
        with weft.autocast("cpu"):
            loss = run(x).float().square().sum()
        loss.backward()
        grads.append([p.grad.tolist() for p in net.parameters()])
    assert grads[0] == grads[1]


def test_custom_functions():
    class Product(weft.autograd.Function):
        @staticmethod
        @weft.amp.custom_fwd(device_type="cpu")
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a @ b

        @staticmethod
        @weft.amp.custom_bwd(device_type="cpu")
        def backward(ctx, dy):
            seen.append(weft.is_autocast_enabled("cpu"))
            a, b = ctx.saved_tensors
            return (dy @ b.t()).float(), (a.t() @ dy).float()

    seen = []
    a, b = weft.ones(2, 2, requires_grad=True), weft.ones(2, 2, requires_grad=True)
    with weft.autocast("cpu"):
        y = Product.apply(a, b)
    y.float().sum().backward()
    assert y.dtype == weft.bfloat16 and seen == [True] and a.grad.tolist() == [[2.0, 2.0]] * 2


def test_bad_arguments():
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'tpu'"):
        weft.autocast("tpu")
    with pytest.raises(ValueError, match="device_type"):
        weft.autocast(3)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with weft.autocast("cpu", dtype=weft.float64):
            assert not weft.is_autocast_enabled("cpu")
    assert "not supported" in str(seen[0].message)
    with pytest.raises(RuntimeError, match="float16 or bfloat16"):
        weft.set_autocast_dtype("cpu", weft.float32)
    assert weft.amp.is_autocast_available("cpu") and not weft.amp.is_autocast_available("tpu")
