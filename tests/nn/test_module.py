import copy

import numpy as np
import pytest

import weft
from weft import nn

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="compares with PyTorch")


class Block(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.scale = nn.Parameter(weft.ones(width))
        self.register_buffer("count", weft.zeros(1))
        self.register_buffer("scratch", weft.zeros(1), persistent=False)
        self.fc = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.fc(x))) * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Block() for _ in range(2))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def test_walks_find_everything_once_and_in_order():
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    assert names[:3] == ["layers.0.scale", "layers.0.fc.weight", "layers.0.fc.bias"]
    assert names[-2:] == ["head.weight", "head.bias"]
    assert len(list(net.parameters())) == len(names) == 12
    assert "layers.1.scratch" in dict(net.named_buffers())
    assert [name for name, _ in net.named_children()] == ["layers", "head"]
    assert dict(net.named_modules())["layers.1.fc"] is net.layers[1].fc
    assert net.get_submodule("layers.1.fc") is net.layers[1].fc
    assert net.get_parameter("head.bias") is net.head.bias
    with pytest.raises(AttributeError, match="no submodule"):
        net.get_submodule("layers.9")


def test_a_shared_module_counts_once_as_a_parameter_and_twice_as_a_key():
    net = nn.Module()
    net.a = nn.Linear(2, 2)
    net.b = net.a
    assert len(list(net.parameters())) == 2
    assert list(net.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]


def test_state_dict_has_persistent_buffers_only_and_shares_memory():
    net = Block()
    state = net.state_dict()
    assert "count" in state and "scratch" not in state
    assert not state["scale"].requires_grad
    with weft.no_grad():
        net.scale.fill_(3)
    assert state["scale"].tolist() == [3.0] * 4


def test_load_state_dict_reports_everything_and_changes_nothing():
    net = Net()
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    state = {k: weft.zeros_like(v) for k, v in net.state_dict().items()}
    del state["layers.0.scale"]
    state["extra"] = weft.zeros(1)
    state["head.weight"] = weft.zeros(5, 4)
    with pytest.raises(RuntimeError) as raised:
        net.load_state_dict(state)
    text = str(raised.value)
    assert "Error(s) in loading state_dict for Net:" in text
    assert 'Missing key(s) in state_dict: "layers.0.scale"' in text
    assert 'Unexpected key(s) in state_dict: "extra"' in text
    assert "size mismatch for head.weight" in text and "(5, 4)" in text and "(3, 4)" in text
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])


def test_load_state_dict_partly():
    net = Net()
    state = {"head.weight": weft.zeros(5, 4), "head.bias": weft.ones(3), "extra": weft.zeros(1)}
    result = net.load_state_dict(state, strict=False, on_mismatch="skip")
    missing, unexpected = result
    assert unexpected == ["extra"] and "head.weight" in missing and "head.bias" not in missing
    assert net.head.bias.tolist() == [1.0] * 3
    with pytest.raises(RuntimeError, match=r"size mismatch for head\.weight"):
        net.load_state_dict(state, strict=False)


def test_load_state_dict_takes_arrays_converts_dtypes_and_assigns():
    fc = nn.Linear(2, 1)
    weight = fc.weight
    fc.load_state_dict({"weight": np.array([[1.0, 2.0]]), "bias": np.array([3.0], dtype=np.float16)})
    assert fc.weight is weight and fc.weight.dtype == weft.float32 and fc.weight.tolist() == [[1.0, 2.0]]
    fc.load_state_dict({"weight": weft.zeros(1, 2, dtype=weft.float64), "bias": weft.zeros(1)}, assign=True)
    assert fc.weight.dtype == weft.float64 and isinstance(fc.weight, nn.Parameter) and fc.weight.requires_grad
    with pytest.raises(TypeError, match="weight"):
        fc.load_state_dict({"weight": "text", "bias": weft.zeros(1)})
    with pytest.raises(TypeError):
        fc.load_state_dict([1, 2])


def test_freeze_survives_train():
    net = Net()
    net.layers[0].freeze()
    net.train()
    assert not net.layers[0].norm.training and net.layers[1].norm.training and net.training
    mean = net.layers[0].norm.running_mean.numpy().copy()
    net(weft.randn(8, 4)).sum().backward()
    np.testing.assert_array_equal(net.layers[0].norm.running_mean.numpy(), mean)
    assert net.layers[0].fc.weight.grad is None and net.layers[1].fc.weight.grad is not None
    net.layers[0].unfreeze()
    assert net.layers[0].norm.training and net.layers[0].fc.weight.requires_grad


def test_train_eval_apply_zero_grad():
    net = Net().eval()
    assert not any(m.training for m in net.modules())
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen[-1] == "Net" and seen.count("Linear") == 3
    net.train()
    net(weft.randn(4, 4)).sum().backward()
    assert net.head.weight.grad is not None
    net.zero_grad()
    assert net.head.weight.grad is None


@pytest.mark.parametrize("name", ["double", "half", "bfloat16", "float"])
def test_dtype_conversion_keeps_parameters_and_integer_buffers(name):
    net = Net()
    weight = net.head.weight
    assert getattr(net, name)() is net
    assert net.head.weight is weight
    dtypes = {"double": "float64", "half": "float16", "bfloat16": "bfloat16", "float": "float32"}
    assert weight.dtype == getattr(weft, dtypes[name])
    assert net.layers[0].norm.num_batches_tracked.dtype == weft.int64
    assert net.layers[0].norm.running_mean.dtype == weight.dtype


def test_to():
    net = Net().to(weft.float64)
    assert net(weft.randn(3, 4, dtype=weft.float64)).dtype == weft.float64
    assert net.to("cpu", weft.float32).head.weight.dtype == weft.float32
    assert net.to(weft.zeros(1, dtype=weft.float64)).head.weight.dtype == weft.float64
    with pytest.raises(TypeError, match="floating"):
        net.to(weft.int64)
    with pytest.raises(TypeError, match="unexpected"):
        net.to(colour="red")


def test_registration_refuses_what_pytorch_refuses():
    net = nn.Module()
    net.weight = nn.Parameter(weft.zeros(2))
    with pytest.raises(TypeError, match="as parameter 'weight'"):
        net.weight = weft.zeros(2)
    net.weight = None
    net.fc = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="as child module 'fc'"):
        net.fc = 3
    net.register_buffer("b", weft.zeros(1))
    with pytest.raises(TypeError, match="as buffer 'b'"):
        net.b = 3
    net.b = weft.ones(1)
    assert "b" in net.state_dict()
    del net.b
    assert list(net.buffers()) == []
    for name in ("", "a.b"):
        with pytest.raises(KeyError):
            net.register_buffer(name, weft.zeros(1))
    with pytest.raises(KeyError, match="already exists"):
        net.register_module("forward", nn.Identity())
    with pytest.raises(TypeError):
        nn.Parameter([1.0])


def test_parameter():
    x = weft.zeros(3)
    p = nn.Parameter(x)
    assert isinstance(p, weft.Tensor) and p.requires_grad and p.is_leaf
    assert p.data_ptr() == x.data_ptr()
    assert repr(p).startswith("Parameter containing:\ntensor([0., 0., 0.]")
    assert not nn.Parameter(x, requires_grad=False).requires_grad


def test_deepcopy_is_independent():
    net = Net()
    twin = copy.deepcopy(net)
    assert isinstance(twin.head.weight, nn.Parameter) and twin.head.weight.requires_grad
    with weft.no_grad():
        twin.head.weight.fill_(7)
        twin.layers[0].norm.running_mean.fill_(7)
    assert (net.head.weight != 7).all() and (net.layers[0].norm.running_mean != 7).all()
    assert twin.layers[0].fc is not net.layers[0].fc


def test_hooks():
    fc = nn.Linear(2, 2)
    seen = []
    pre = fc.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    post = fc.register_forward_hook(lambda m, args, out: seen.append(args[0].tolist()))
    fc(weft.ones(1, 2))
    assert seen == [[[2.0, 2.0]]]
    pre.remove()
    with post:
        fc(weft.ones(1, 2))
    fc(weft.ones(1, 2))
    assert len(seen) == 2
    fc.register_forward_hook(lambda m, args, out: out * 0)
    assert fc(weft.ones(1, 2)).tolist() == [[0.0, 0.0]]
    order = []
    fc.register_forward_hook(lambda m, a, kw, o: order.append(sorted(kw)), with_kwargs=True, prepend=True)
    fc(input=weft.ones(1, 2))
    assert order == [["input"]]


def test_shape_errors_name_the_module():
    net = Net()
    with pytest.raises((ValueError, RuntimeError), match=r"\[linear\].*\(module layers\.0\.fc\)$"):
        net(weft.zeros(2, 5))
    with pytest.raises((ValueError, RuntimeError)) as raised:
        net.head(weft.zeros(2, 5))
    assert "module" not in str(raised.value)
    nested = nn.Sequential(nn.Identity(), nn.Sequential(net))
    with pytest.raises((ValueError, RuntimeError), match=r"\(module 1\.0\.layers\.0\.fc\)$"):
        nested(weft.zeros(2, 5))


def test_foreign_errors_keep_their_message_and_get_a_note():
    class Broken(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    net = nn.Sequential(nn.Identity(), nn.Sequential(Broken()))
    with pytest.raises(KeyError) as raised:
        net(weft.zeros(1))
    assert raised.value.args == ("mine",)
    assert raised.value.__notes__ == ["(module 1.0)"]


def test_missing_forward():
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def test_containers():
    seq = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert len(seq) == 3 and isinstance(seq[-1], nn.Linear) and isinstance(seq[:2], nn.Sequential)
    assert list(seq[1:].state_dict()) == ["2.weight", "2.bias"]
    seq[1] = nn.Tanh()
    assert isinstance(seq[1], nn.Tanh) and [n for n, _ in seq.named_children()] == ["0", "1", "2"]
    seq.append(nn.Sigmoid())
    assert seq(weft.zeros(4, 2)).shape == (4, 1)
    named = nn.Sequential({"fc": nn.Linear(2, 2), "act": nn.ReLU()})
    assert list(named.state_dict()) == ["fc.weight", "fc.bias"]

    items = nn.ModuleList([nn.Linear(1, 1)])
    items += [nn.ReLU()]
    items.insert(0, nn.Identity())
    assert [type(m).__name__ for m in items] == ["Identity", "Linear", "ReLU"]
    assert isinstance(items.pop(0), nn.Identity) and list(items.state_dict()) == ["0.weight", "0.bias"]
    del items[0]
    assert len(items) == 1
    with pytest.raises(IndexError):
        items[5]

    d = nn.ModuleDict({"a": nn.Linear(1, 1)})
    d["b"] = nn.ReLU()
    assert list(d) == ["a", "b"] and "a" in d and len(d) == 2
    assert isinstance(d.pop("b"), nn.ReLU) and list(d.keys()) == ["a"]
    with pytest.raises(KeyError):
        d["zz"]

    params = nn.ParameterList([weft.zeros(2), nn.Parameter(weft.ones(1))])
    assert all(isinstance(p, nn.Parameter) for p in params) and list(params.state_dict()) == ["0", "1"]


def everything(nn, zeros):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.BatchNorm1d(4, affine=False, momentum=None),
        nn.ReLU(inplace=True),
        nn.LeakyReLU(0.1),
        nn.GELU("tanh"),
        nn.ELU(),
        nn.CELU(),
        nn.Softplus(),
        nn.Hardtanh(),
        nn.PReLU(),
        nn.GLU(),
        nn.Softmax(1),
        nn.MaxPool2d(2),
        nn.AvgPool2d((2, 3)),
        nn.AvgPool1d(2),
        nn.AdaptiveAvgPool2d((1, None)),
        nn.AdaptiveMaxPool2d(3),
        nn.Flatten(),
        nn.Unflatten(1, (2, 3)),
        nn.Linear(64, 10, bias=False),
        nn.LayerNorm(3),
        nn.LayerNorm((2, 3), bias=False),
        nn.Embedding(3, 4, padding_idx=-1),
        nn.Dropout(0.3),
        nn.Identity(5, any=3),
        nn.ConvTranspose2d(3, 4, 3, output_padding=1, stride=2),
        nn.Conv1d(4, 4, 3, groups=2, bias=False, padding="same", padding_mode="circular"),
        nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]),
        nn.ModuleDict({"a": nn.ReLU6(), "b": nn.SiLU()}),
        nn.CrossEntropyLoss(weight=zeros(3)),
        nn.Sequential(),
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
    )


@needs_torch
def test_keys_shapes_dtypes_and_printing_are_pytorchs():
    ours, theirs = everything(nn, weft.zeros), everything(torch.nn, torch.zeros)
    a, b = ours.state_dict(), theirs.state_dict()
    assert list(a) == list(b)
    for key in a:
        assert tuple(a[key].shape) == tuple(b[key].shape), key
        assert str(a[key].dtype)[5:] == str(b[key].dtype)[6:], key
    assert repr(ours) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    ours.load_state_dict(theirs.state_dict())
    for key in a:
        np.testing.assert_array_equal(ours.state_dict()[key].numpy(), b[key].numpy())
