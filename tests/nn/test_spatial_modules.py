"""Padding, dropout of channels, shuffling and resizing beside torch.nn."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from weft import nn

torch = pytest.importorskip("torch")


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


PADS = [f"{kind}Pad{n}d" for kind in ("Constant", "Zero", "Reflection", "Replication", "Circular") for n in (1, 2, 3)]
TEXTS = [
    ("PixelShuffle(2)", (2, 8, 3, 4)),
    ("PixelUnshuffle(2)", (2, 3, 4, 6)),
    ("ChannelShuffle(3)", (2, 6, 4, 5)),
    ("Upsample(scale_factor=2)", (1, 2, 3, 4)),
    ("Upsample(scale_factor=(2, 1.5), mode='bilinear', align_corners=True)", (1, 2, 3, 4)),
    ("Upsample(7, mode='linear')", (1, 2, 5)),
    ("Upsample((3, 4, 5), mode='trilinear')", (1, 2, 3, 4, 5)),
    ("Upsample(scale_factor=1.3, mode='bicubic', recompute_scale_factor=True)", (1, 2, 3, 4)),
    ("UpsamplingNearest2d(5)", (1, 2, 3, 4)),
    ("UpsamplingBilinear2d(scale_factor=3)", (1, 2, 3, 4)),
]
for _name in PADS:
    _n = int(_name[-2])
    _value = ", 1.5" if _name.startswith("Constant") else ""
    TEXTS.append((f"{_name}(1{_value})", (2, 3, 4, 5, 6)[: _n + 2]))
    TEXTS.append((f"{_name}({(2, 1, 0, 3, 1, 1)[: 2 * _n]}{_value})", (2, 3, 4, 5, 6)[: _n + 2]))
    TEXTS.append((f"{_name}({(-1, 2, 1, -2, 0, 1)[: 2 * _n]}{_value})", (3, 4, 5, 6)[: _n + 1]))


@pytest.mark.parametrize("text, shape", TEXTS)
def test_beside_torch(text, shape):
    theirs, ours = eval("torch.nn." + text), eval("nn." + text)
    assert repr(ours) == repr(theirs)
    x = normal(*shape)
    a, b = weft.tensor(x).requires_grad_(), torch.tensor(x).requires_grad_()
    y, z = ours(a), theirs(b)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-5)
    (y * y).sum().backward()
    (z * z).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-4)


def test_padding_of_other_dtypes_and_second_derivatives():
    x = np.arange(6).reshape(2, 3)
    for mode in ("constant", "reflect", "replicate", "circular"):
        for dtype in ("int64", "uint8", "bool", "float16"):
            ours = F.pad(weft.tensor(x).to(getattr(weft, dtype)), (2, 1), mode)
            if mode == "constant" or dtype != "bool":
                theirs = torch.nn.functional.pad(torch.tensor(x).to(getattr(torch, dtype)), (2, 1), mode)
                assert ours.tolist() == theirs.tolist()
            assert ours.dtype == getattr(weft, dtype)

        def gradient(t, mode=mode):
            t = t if t.requires_grad else t.detach().requires_grad_()
            return weft.autograd.grad(F.pad(t, (2, 1), mode).sin().sum(), t, create_graph=True)[0]

        weft.testing.gradcheck(gradient, normal(2, 3).astype(np.float64))


def test_nothing_padded_is_still_a_copy():
    x = weft.zeros(2, 3)
    for mode, widths in (("constant", (0, 0)), ("reflect", (0, 0)), ("constant", (-1, 0)), ("circular", (-1, 0))):
        y = F.pad(x, widths, mode)
        y.fill_(1)
        assert x.sum().item() == 0


@pytest.mark.parametrize("name, shape", [("1d", (8, 50, 5)), ("2d", (8, 50, 5, 4)), ("3d", (8, 50, 2, 5, 4))])
def test_dropout_of_channels(name, shape):
    layer = getattr(nn, f"Dropout{name}")(0.25)
    assert repr(layer) == repr(getattr(torch.nn, f"Dropout{name}")(0.25))
    x = weft.ones(shape).requires_grad_()
    y = layer(x)
    channels = y.detach().reshape(*shape[:2], -1)
    assert (channels.amax(2) == channels.amin(2)).all()
    kept = channels[:, :, 0] != 0
    assert 0.6 < kept.float().mean().item() < 0.9
    assert np.allclose(channels[:, :, 0].numpy()[kept.numpy()], 4 / 3)
    y.sum().backward()
    assert x.grad.tolist() == y.detach().tolist()
    assert layer.eval()(x) is x
    inplace = getattr(nn, f"Dropout{name}")(0.5, inplace=True)
    z = weft.ones(shape)
    assert inplace(z) is z and 0 < (z == 0).float().mean().item() < 1


def test_dropout_without_a_batch():
    for f, shape in ((F.dropout1d, (40, 6)), (F.dropout3d, (40, 2, 3, 4))):
        y = f(weft.ones(shape), 0.5).reshape(40, -1)
        assert y.shape[0] == 40 and (y.amax(1) == y.amin(1)).all()
        z = weft.ones(shape)
        assert f(z, 0.5, inplace=True) is z and (z == 0).any()


def test_alpha_dropout():
    x = weft.tensor(normal(300, 300))
    for layer in (nn.AlphaDropout(0.2), nn.FeatureAlphaDropout(0.2)):
        y = layer(x)
        assert abs(y.mean().item()) < 0.05 and abs(y.std().item() - 1) < 0.05
        assert layer.eval()(x) is x
    channels = nn.FeatureAlphaDropout(0.5)(weft.zeros(20, 30, 7))
    assert (channels.amax(2) == channels.amin(2)).all() and len(set(channels.flatten().tolist())) == 2
    assert nn.AlphaDropout(1.0)(x).abs().max().item() == 0
    z = x.clone()
    assert F.alpha_dropout(z, 0.5, True, True) is z and z.tolist() != x.tolist()


def test_dropout_errors():
    for f in (F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout):
        with pytest.raises(ValueError, match="probability"):
            f(weft.ones(2, 3, 4), 1.5, True)
    for f in (F.dropout1d, F.dropout2d, F.feature_alpha_dropout):
        with pytest.raises(RuntimeError, match="dimensions"):
            f(weft.ones(2), 0.5, True)
    with pytest.raises(ValueError, match="probability"):
        nn.Dropout2d(-1)


def test_gumbel_softmax():
    weft.manual_seed(3)
    logits = weft.tensor([[0.0, 1.0, 2.0]]).expand(20000, 3).contiguous().requires_grad_()
    hard = F.gumbel_softmax(logits, tau=0.5, hard=True)
    assert set(hard.detach().round().flatten().tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(hard.detach().mean(0).numpy(), F.softmax(logits[0].detach(), 0).numpy(), atol=0.02)
    (hard * weft.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert logits.grad.abs().sum().item() > 0
    soft = F.gumbel_softmax(logits.detach().half(), dim=0)
    assert soft.dtype == weft.float16 and abs(soft.float().sum(0)[0].item() - 1) < 0.05


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.pixel_shuffle(weft.zeros(1, 3, 2, 2), 2),
        lambda: F.pixel_unshuffle(weft.zeros(1, 3, 3, 2), 2),
        lambda: F.channel_shuffle(weft.zeros(1, 3, 2), 2),
        lambda: F.pixel_shuffle(weft.zeros(4, 2), 2),
        lambda: F.pixel_shuffle(weft.zeros(1, 4, 2, 2), 0),
    ],
)
def test_shuffle_errors(call):
    with pytest.raises(RuntimeError, match="expected"):
        call()
