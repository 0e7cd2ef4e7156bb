"""Convolutions, pools, norms and tables that test_layers.py does not have, against PyTorch's from the same weights."""

import numpy as np
import pytest
from test_layers import both, normal

import weft
from weft import nn

torch = pytest.importorskip("torch")

X1, X2, X3 = (2, 4, 9), (2, 4, 9, 8), (2, 4, 7, 6, 8)
LAYERS = {
    "Conv3d(4, 6, 3, padding=1)": X3,
    "Conv3d(4, 6, (1, 3, 2), stride=2, dilation=(1, 2, 1), groups=2, bias=False)": X3,
    'Conv3d(4, 2, 3, padding="same", padding_mode="circular")': X3,
    "ConvTranspose3d(4, 6, 3, stride=2, padding=1, output_padding=1)": X3,
    "MaxPool3d(3, stride=2, padding=1)": X3,
    "AvgPool3d(2, ceil_mode=True, count_include_pad=False)": X3,
    "AdaptiveAvgPool3d((3, None, 5))": X3,
    "AdaptiveMaxPool3d(3)": X3,
    "LPPool1d(2, 3)": X1,
    "LPPool2d(2, 3, stride=2)": X2,
    "LPPool3d(2, 2, ceil_mode=True)": X3,
    "Unfold((2, 3), padding=1)": X2,
    "Fold((5, 4), (2, 1), stride=1)": (2, 8, 16),
    "BatchNorm3d(4)": X3,
    "InstanceNorm1d(4)": X1,
    "InstanceNorm1d(4, affine=True, track_running_stats=True)": X1,
    "InstanceNorm2d(4, affine=True)": X2,
    "InstanceNorm2d(4, track_running_stats=True, momentum=0.3)": X2,
    "InstanceNorm3d(4)": X3,
    "GroupNorm(2, 4)": X2,
    "GroupNorm(4, 4, affine=False)": X1,
    "GroupNorm(1, 4, eps=1e-3)": (3, 4),
    "LocalResponseNorm(3)": X2,
    "LocalResponseNorm(2, alpha=0.1, beta=0.5, k=2.0)": X1,
    "RMSNorm(8)": X2,
    "RMSNorm((9, 8), eps=1e-3)": X2,
    "RMSNorm(8, elementwise_affine=False)": X2,
}


def make(text):
    return lambda module: eval("module." + text, {"module": module})


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("text", LAYERS)
def test_layers(text, train):
    both(make(text), normal(*LAYERS[text]), train=train, rtol=5e-5, atol=5e-6)


@pytest.mark.parametrize("text", LAYERS)
def test_repr_and_state(text):
    ours, theirs = make(text)(nn), make(text)(torch.nn)
    assert repr(ours) == repr(theirs)
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }


@pytest.mark.parametrize("text", ["InstanceNorm1d(4)", "Conv1d(4, 2, 3)", "MaxPool1d(2)", "AvgPool1d(2)"])
def test_unbatched(text):
    both(make(text), normal(4, 9))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_unpool(n):
    x = normal(*(X1, X2, X3)[n - 1])

    def pool(module):
        layers = getattr(module, f"MaxPool{n}d"), getattr(module, f"MaxUnpool{n}d")
        return layers[0](2, stride=2, return_indices=True), layers[1](2, stride=2)

    (down, up), (their_down, their_up) = pool(nn), pool(torch.nn)
    assert repr(up) == repr(their_up)
    ours = up(*down(weft.tensor(x)), output_size=x.shape)
    theirs = their_up(*their_down(torch.tensor(x)), output_size=x.shape)
    assert np.array_equal(ours.numpy(), theirs.numpy())


def test_fractional_max_pool():
    x, samples = normal(*X2), np.random.default_rng(0).random((2, 4, 2)).astype(np.float32)
    ours = nn.FractionalMaxPool2d(2, output_ratio=0.6, _random_samples=weft.tensor(samples))
    theirs = torch.nn.FractionalMaxPool2d(2, output_ratio=0.6, _random_samples=torch.tensor(samples))
    assert np.array_equal(ours(weft.tensor(x)).numpy(), theirs(torch.tensor(x)).numpy())
    assert nn.FractionalMaxPool3d(2, output_size=(3, 2, 4))(weft.tensor(normal(*X3))).shape == (2, 4, 3, 2, 4)
    with pytest.raises(ValueError, match="either"):
        nn.FractionalMaxPool2d(2)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode):
    ids, offsets = np.array([1, 4, 2, 0, 4]), np.array([0, 2, 2])
    both(lambda module: module.EmbeddingBag(5, 3, mode=mode, padding_idx=4), ids, offsets)
    both(lambda module: module.EmbeddingBag(5, 3, mode=mode), ids.reshape(1, 5))


def test_tables_repr_and_pretrained():
    for text in (
        "Embedding(3, 4, 2, max_norm=2, norm_type=3.0, scale_grad_by_freq=True)",
        "EmbeddingBag(10, 3, padding_idx=2, max_norm=1.0)",
        "EmbeddingBag(10, 3, mode='sum')",
    ):
        assert repr(make(text)(nn)) == repr(make(text)(torch.nn))
    weight = weft.tensor(normal(5, 3))
    layer = nn.EmbeddingBag.from_pretrained(weight, mode="sum")
    assert not layer.weight.requires_grad
    assert np.allclose(layer(weft.tensor([[1, 2]])).numpy(), (weight[1] + weight[2]).numpy())
    assert nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=0).weight.requires_grad
    with pytest.raises(ValueError, match="shape"):
        nn.Embedding(4, 3, _weight=weight)


def test_refuses():
    with pytest.raises(ValueError, match="divisible"):
        nn.GroupNorm(3, 4)
    with pytest.raises(ValueError, match="2D or 3D"):
        nn.InstanceNorm1d(4)(weft.zeros(2, 4, 3, 3))
    with pytest.raises(ValueError, match="channels"):
        nn.InstanceNorm1d(4, affine=True)(weft.zeros(2, 3, 5))
    with pytest.raises(ValueError, match="more than 1 spatial"):
        nn.InstanceNorm1d(4)(weft.zeros(2, 4, 1))


@pytest.mark.parametrize("options", [{"add_bias_kv": True}, {"add_zero_attn": True}], ids=str)
def test_attention_with_one_more_key(options):
    q, k = normal(5, 2, 8), normal(6, 2, 8)
    mask = normal(5, 6)
    for need_weights in (True, False):
        both(
            lambda module, need=need_weights: _Attention(module, need, options),
            q,
            k,
            mask,
            post=lambda y: y,
        )


def _Attention(module, need_weights, options):
    class Attention(module.Module):
        def __init__(self):
            super().__init__()
            self.inner = module.MultiheadAttention(8, 2, **options)

        def forward(self, q, k, mask):
            return self.inner(q, k, k, attn_mask=mask, need_weights=need_weights)[0]

    return Attention()
