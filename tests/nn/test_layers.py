"""Layers against PyTorch's from the same weights: outputs and all gradients."""

import numpy as np
import pytest

import weft
from weft import nn

torch = pytest.importorskip("torch")


def both(make, *arrays, train=True, rtol=2e-5, atol=2e-6, post=lambda y: y):
    """The layer made by make(nn) in both libraries, same weights, same inputs."""
    theirs, ours = make(torch.nn), make(nn)
    ours.load_state_dict(theirs.state_dict())
    theirs.train(train)
    ours.train(train)
    xs = [weft.tensor(a) for a in arrays]
    ts = [torch.tensor(a) for a in arrays]
    for x, t in zip(xs, ts, strict=True):
        if x.is_floating_point():
            x.requires_grad_()
            t.requires_grad_()
    y, z = post(ours(*xs)), post(theirs(*ts))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=rtol, atol=atol)
    if z.requires_grad:
        w = np.random.default_rng(0).standard_normal(tuple(z.shape)).astype(np.float32)
        (y * weft.tensor(w)).sum().backward()
        (z * torch.tensor(w)).sum().backward()
        for x, t in zip(xs, ts, strict=True):
            if t.grad is not None:
                np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=rtol * 10, atol=atol * 10)
        grads = {k: p.grad for k, p in theirs.named_parameters()}
        for k, p in ours.named_parameters():
            if grads[k] is not None:
                np.testing.assert_allclose(p.grad.numpy(), grads[k].numpy(), rtol=rtol * 10, atol=atol * 30, err_msg=k)
    for k, b in theirs.named_buffers():
        np.testing.assert_allclose(dict(ours.named_buffers())[k].numpy(), b.numpy(), rtol=1e-5, atol=1e-6, err_msg=k)


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


ACTIVATIONS = [
    "ReLU()",
    "ReLU6()",
    "LeakyReLU(0.2)",
    "ELU(1.5)",
    "CELU(0.7)",
    "SELU()",
    "GELU()",
    'GELU("tanh")',
    "SiLU()",
    "Mish()",
    "Sigmoid()",
    "LogSigmoid()",
    "Tanh()",
    "Softplus(2.0)",
    "Softsign()",
    "Tanhshrink()",
    "Hardtanh(-0.5,0.7)",
    "Hardsigmoid()",
    "Hardswish()",
    "PReLU()",
    "PReLU(4)",
    "GLU(1)",
    "Softmax(1)",
    "LogSoftmax(-1)",
    "Softmin(1)",
    "ReLU(inplace=False)",
]


@pytest.mark.parametrize("text", ACTIVATIONS)
def test_activations(text):
    x = normal(3, 4, 5) * 3
    both(lambda nn: eval("nn." + text, {"nn": nn}), x)


@pytest.mark.parametrize("text", ["ReLU", "SiLU", "LeakyReLU", "ELU", "Hardtanh"])
def test_inplace_activations_change_their_input(text):
    x = weft.tensor(normal(4, 3))
    y = getattr(nn, text)(inplace=True)(x)
    assert y is x or y.data_ptr() == x.data_ptr()
    np.testing.assert_allclose(
        y.numpy(), getattr(torch.nn, text)()(torch.tensor(normal(4, 3))).numpy(), rtol=1e-5, atol=1e-6
    )


def test_inplace_relu_in_a_network():
    both(lambda nn: nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 2)), normal(5, 4))


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias):
    both(lambda nn: nn.Linear(4, 6, bias=bias), normal(*shape))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"padding": "same", "dilation": 2},
        {"groups": 2, "bias": False},
        {"padding": (1, 2), "padding_mode": "reflect"},
        {"padding": 1, "padding_mode": "replicate"},
        {"padding": "same", "padding_mode": "circular"},
    ],
    ids=str,
)
def test_conv2d(options):
    both(lambda nn: nn.Conv2d(4, 6, 3, **options), normal(2, 4, 9, 8))


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2, "dilation": 2}], ids=str)
def test_conv1d(options):
    both(lambda nn: nn.Conv1d(4, 6, 3, **options), normal(2, 4, 11))


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2, "dilation": 2}], ids=str
)
def test_conv_transpose2d(options):
    both(lambda nn: nn.ConvTranspose2d(4, 6, 3, **options), normal(2, 4, 5, 6))


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1, "output_padding": 1}], ids=str)
def test_conv_transpose1d(options):
    both(lambda nn: nn.ConvTranspose1d(4, 6, 3, **options), normal(2, 4, 5))


def test_conv_transpose2d_output_size():
    layer, x = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1), weft.zeros(1, 1, 5, 5)
    assert layer(x, output_size=[10, 10]).shape == (1, 1, 10, 10)
    with pytest.raises(ValueError, match="from 9 to 10"):
        layer(x, output_size=[12, 12])


@pytest.mark.parametrize(
    "text",
    [
        "MaxPool2d(2)",
        "MaxPool2d(3, 2, 1)",
        "MaxPool2d(3, 2, ceil_mode=True)",
        "MaxPool2d(2, 1, dilation=2)",
        "AvgPool2d(2)",
        "AvgPool2d(3, 2, 1, count_include_pad=False)",
        "AvgPool2d(3, ceil_mode=True)",
        "AvgPool2d(2, divisor_override=3)",
        "AdaptiveAvgPool2d(1)",
        "AdaptiveAvgPool2d((3, None))",
        "AdaptiveMaxPool2d(3)",
    ],
)
def test_pooling_2d(text):
    both(lambda nn: eval("nn." + text, {"nn": nn}), normal(2, 3, 9, 8))


@pytest.mark.parametrize("text", ["MaxPool1d(3, 2)", "AvgPool1d(2)", "AdaptiveAvgPool1d(3)", "AdaptiveMaxPool1d(2)"])
def test_pooling_1d(text):
    both(lambda nn: eval("nn." + text, {"nn": nn}), normal(2, 3, 9))


def test_max_pool_indices():
    y, i = nn.MaxPool2d(2, return_indices=True)(weft.tensor(normal(1, 2, 4, 4)))
    z, j = torch.nn.MaxPool2d(2, return_indices=True)(torch.tensor(normal(1, 2, 4, 4)))
    assert i.tolist() == j.tolist() and y.tolist() == z.tolist()


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    "text, shape",
    [
        ("BatchNorm1d(4)", (6, 4)),
        ("BatchNorm1d(4, momentum=None)", (3, 4, 5)),
        ("BatchNorm2d(4, eps=1e-3, momentum=0.3)", (3, 4, 5, 2)),
        ("BatchNorm2d(4, affine=False)", (3, 4, 5, 2)),
        ("BatchNorm2d(4, track_running_stats=False)", (3, 4, 5, 2)),
        ("LayerNorm(5)", (3, 4, 5)),
        ("LayerNorm((4, 5), bias=False)", (3, 4, 5)),
        ("LayerNorm(5, elementwise_affine=False)", (3, 4, 5)),
    ],
)
def test_norms(text, shape, train):
    both(lambda nn: eval("nn." + text, {"nn": nn}), normal(*shape), train=train, rtol=1e-4, atol=1e-5)


def test_batch_norm_refuses_other_dimensions():
    with pytest.raises(ValueError, match="4D"):
        nn.BatchNorm2d(3)(weft.zeros(2, 3))


def test_embedding():
    index = np.array([[0, 2, 2], [4, 1, 0]])
    both(lambda nn: nn.Embedding(5, 3), index)
    both(lambda nn: nn.Embedding(5, 3, padding_idx=-1), index)
    assert nn.Embedding(5, 3, padding_idx=2).weight[2].tolist() == [0.0] * 3
    table = weft.ones(2, 2)
    assert not nn.Embedding.from_pretrained(table).weight.requires_grad
    with pytest.raises(ValueError, match="padding_idx"):
        nn.Embedding(3, 2, padding_idx=3)


def test_dropout():
    layer, x = nn.Dropout(0.25), weft.ones(200, 100)
    weft.manual_seed(1)
    y = layer(x).numpy()
    assert abs((y == 0).mean() - 0.25) < 0.01 and np.allclose(y[y != 0], 4 / 3)
    weft.manual_seed(1)
    assert np.array_equal(layer(x).numpy(), y)
    assert layer.eval()(x).tolist() == x.tolist()
    with pytest.raises(ValueError):
        nn.Dropout(1.5)


def test_flatten_unflatten():
    assert nn.Flatten()(weft.zeros(2, 3, 4)).shape == (2, 12)
    assert nn.Unflatten(1, (3, -1))(weft.zeros(2, 12)).shape == (2, 3, 4)


LOSSES = [
    ("CrossEntropyLoss()", (6, 4), "class"),
    ("CrossEntropyLoss(label_smoothing=0.1, reduction='sum')", (6, 4), "class"),
    ("CrossEntropyLoss(ignore_index=1, reduction='none')", (6, 4, 2), "class"),
    ("NLLLoss()", (6, 4), "class"),
    ("MSELoss()", (6, 4), "real"),
    ("MSELoss(reduction='none')", (6, 4), "real"),
    ("L1Loss()", (6, 4), "real"),
    ("SmoothL1Loss(beta=0.5)", (6, 4), "real"),
    ("HuberLoss(delta=0.7)", (6, 4), "real"),
    ("BCELoss()", (6, 4), "probability"),
    ("BCEWithLogitsLoss()", (6, 4), "fraction"),
    ("KLDivLoss(reduction='batchmean')", (6, 4), "fraction"),
]


@pytest.mark.parametrize("text, shape, kind", LOSSES, ids=[t for t, _, _ in LOSSES])
def test_losses(text, shape, kind):
    random = np.random.default_rng(3)
    x = normal(*shape)
    if kind == "class":
        target = random.integers(0, shape[1], (shape[0], *shape[2:]))
    elif kind == "real":
        target = normal(*shape) * 2
    else:
        target = random.random(shape).astype(np.float32)
    if kind == "probability":
        x = random.random(shape).astype(np.float32)
    theirs, ours = eval("nn." + text, {"nn": torch.nn}), eval("nn." + text, {"nn": nn})
    a, b = weft.tensor(x).requires_grad_(), torch.tensor(x).requires_grad_()
    y, z = ours(a, weft.tensor(target)), theirs(b, torch.tensor(target))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=2e-5, atol=1e-6)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_loss_reductions_are_checked():
    with pytest.raises(ValueError, match="reduction"):
        nn.MSELoss(reduction="average")


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("masks", ["none", "bool", "float", "padding", "both"])
def test_multihead_attention(batch_first, need_weights, masks):
    shape = (3, 5, 8) if batch_first else (5, 3, 8)
    x = normal(*shape)
    hidden = np.triu(np.ones((5, 5), bool), 1)
    padding = np.zeros((3, 5), bool)
    padding[1, 3:] = True
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=batch_first)
    ours = nn.MultiheadAttention(8, 2, batch_first=batch_first)
    ours.load_state_dict(theirs.state_dict())

    def run(m, mod):
        options = {"need_weights": need_weights}
        if masks in ("bool", "both"):
            options["attn_mask"] = mod.tensor(hidden)
        if masks == "float":
            options["attn_mask"] = mod.tensor(np.where(hidden, -1.5, 0.25).astype(np.float32))
        if masks in ("padding", "both"):
            options["key_padding_mask"] = mod.tensor(padding)
        t = mod.tensor(x).requires_grad_()
        y, w = m(t, t, t, **options)
        (y * y).sum().backward()
        return y.detach().numpy(), None if w is None else w.detach().numpy(), t.grad.numpy()

    for a, b in zip(run(ours, weft), run(theirs, torch), strict=True):
        if b is None:
            assert a is None
        else:
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_multihead_attention_kdim_vdim_unbatched_and_causal():
    theirs, ours = (m.MultiheadAttention(8, 2, kdim=6, vdim=4, bias=False) for m in (torch.nn, nn))
    ours.load_state_dict(theirs.state_dict())
    q, k, v = normal(5, 8), normal(7, 6), normal(7, 4)
    y, w = ours(weft.tensor(q), weft.tensor(k), weft.tensor(v), average_attn_weights=False)
    z, u = theirs(torch.tensor(q), torch.tensor(k), torch.tensor(v), average_attn_weights=False)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(w.detach().numpy(), u.detach().numpy(), rtol=1e-4, atol=1e-5)

    m, x = nn.MultiheadAttention(8, 2), weft.tensor(normal(5, 3, 8))
    mask = weft.tensor(np.triu(np.ones((5, 5), bool), 1))
    masked, _ = m(x, x, x, attn_mask=mask)
    for need_weights in (True, False):
        causal, _ = m(x, x, x, is_causal=True, need_weights=need_weights)
        np.testing.assert_allclose(causal.detach().numpy(), masked.detach().numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="divisible"):
        nn.MultiheadAttention(7, 2)
    with pytest.raises(ValueError, match="attn_mask"):
        m(x, x, x, attn_mask=weft.zeros(4, 5))


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_transformer_encoder(norm_first, activation):
    def make(nn):
        layer = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first
        )
        return nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(8))

    both(make, normal(3, 5, 8), rtol=2e-4, atol=2e-5)


def encoder_and_decoder(nn, **options):
    return nn.Transformer(8, 2, 2, 2, 16, dropout=0.0, **options)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer(batch_first, norm_first):
    def make(nn):
        return encoder_and_decoder(nn, batch_first=batch_first, norm_first=norm_first, activation="gelu")

    src, tgt = normal(3, 5, 8), normal(3, 7, 8) if batch_first else normal(6, 5, 8)
    both(make, src, tgt, rtol=5e-4, atol=5e-5)


def test_transformer_masks():
    padding, memory = np.zeros((3, 5), bool), np.zeros((4, 5), bool)
    padding[0, 3:] = padding[2, 1] = memory[1, 2] = True

    def make(nn):
        lib = torch if nn is torch.nn else weft

        class Masked(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = encoder_and_decoder(nn, batch_first=True)

            def forward(self, src, tgt):
                return self.inner(
                    src,
                    tgt,
                    tgt_mask=nn.Transformer.generate_square_subsequent_mask(4),
                    memory_mask=lib.tensor(memory),
                    src_key_padding_mask=lib.tensor(padding),
                    memory_key_padding_mask=lib.tensor(padding),
                )

        return Masked()

    both(make, normal(3, 5, 8), normal(3, 4, 8), rtol=5e-4, atol=5e-5)


def test_transformer_decoder():
    def make(nn):
        layer = nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True, bias=False)
        return nn.TransformerDecoder(layer, 2, norm=nn.LayerNorm(8))

    both(make, normal(3, 5, 8), normal(3, 7, 8), rtol=5e-4, atol=5e-5)
    both(make, normal(5, 8), normal(7, 8), rtol=5e-4, atol=5e-5)


def test_transformer_causal_masks_are_recognised():
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    theirs = torch.nn.Transformer.generate_square_subsequent_mask(5)
    np.testing.assert_array_equal(mask.numpy(), theirs.numpy())
    assert nn.Transformer.generate_square_subsequent_mask(3, dtype=weft.float64).dtype == weft.float64
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
    encoder = nn.TransformerEncoder(layer, 1)
    x = weft.tensor(normal(5, 3, 8))
    other = mask.clone()
    other[0, 1] = 0.0
    y, told, boolean = encoder(x, mask), encoder(x, mask, is_causal=True), encoder(x, mask == float("-inf"))
    np.testing.assert_allclose(y.detach().numpy(), told.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y.detach().numpy(), boolean.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert np.abs(encoder(x, other).detach().numpy()[0] - y.detach().numpy()[0]).max() > 1e-3
    np.testing.assert_allclose(
        encoder(x, mask, is_causal=False).detach().numpy(), y.detach().numpy(), rtol=1e-4, atol=1e-5
    )


def test_transformer_wrong_arguments():
    model = encoder_and_decoder(nn)
    with pytest.raises(RuntimeError, match="batch number"):
        model(weft.zeros(5, 3, 8), weft.zeros(4, 2, 8))
    with pytest.raises(RuntimeError, match="d_model"):
        model(weft.zeros(5, 3, 7), weft.zeros(4, 3, 7))
    with pytest.raises(RuntimeError, match="relu/gelu"):
        nn.TransformerDecoderLayer(8, 2, activation="tanh")


def test_self_attention_projects_once():
    """One product for query, key and value, and in backward one gradient of it: nothing is copied on the way."""
    m = nn.MultiheadAttention(16, 2, batch_first=True)
    straight = weft.tensor(normal(3, 5, 16))
    for x in (straight, straight.transpose(0, 1)):
        stems = weft._core._trace_kernels(lambda x=x: m(x, x, x, need_weights=False))
        assert [s for s in stems if s != "matmul"] == ["attention"] and len(stems) == 3
        y, _ = m(x, x, x, need_weights=False)
        dy = weft.ones(3, 5, 16) if x is straight else weft.ones(3, 5, 16).transpose(0, 1)
        stems = weft._core._trace_kernels(lambda y=y, dy=dy: y.backward(dy))
        assert "copy" not in stems and stems.count("attention") == 1


@pytest.mark.parametrize("name", ["ReLU()", "ReLU(inplace=True)", "GELU()", 'GELU("tanh")', "SiLU()"])
def test_linear_and_activation_are_one(name):
    def make(nn):
        return nn.Sequential(nn.Linear(5, 24), eval(f"nn.{name}"), nn.Linear(24, 3))

    both(make, normal(2, 7, 5))
    net, x = make(nn), weft.tensor(normal(9, 5))
    fused = [kernel for kernel, *_ in weft._core._time_kernels(lambda: net(x))]
    assert fused == ["linear", "linear"]
    y, seen = net(x), []
    handle = net[1].register_forward_hook(lambda module, args, out: seen.append(out))
    assert (net(x) == y).all() and len(seen) == 1  # the same bits
    handle.remove()
    net[0].register_forward_hook(lambda module, args, out: -out)
    assert not (net(x) == y).all()


def test_activation_after_a_linear_of_its_own_kind():
    class Doubled(nn.Linear):
        def forward(self, input):
            return 2 * super().forward(input)

    net = nn.Sequential(Doubled(3, 4), nn.ReLU())
    x = weft.tensor(normal(2, 3))
    assert (net(x) == weft.relu(2 * nn.functional.linear(x, net[0].weight, net[0].bias))).all()
    with pytest.raises(RuntimeError, match=r"module 0\)"):
        net(weft.ones(2, 5))


def test_activation_in_transformer_layers_is_fused_unless_watched():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu")
    x = weft.tensor(normal(3, 2, 8))
    y = layer(x)
    assert "gelu" not in [kernel for kernel, *_ in weft._core._time_kernels(lambda: layer(x))]
    seen = []
    layer.linear1.register_forward_hook(lambda module, args, out: seen.append(out))
    assert (layer(x) == y).all() and len(seen) == 1
