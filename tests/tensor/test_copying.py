import copy
import pickle

import numpy as np
import pytest

import weft
from weft import nn

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "through", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"]
)
def test_values_dtype_and_shape_survive(dtype, through):
    x = weft.tensor([[0.0, 1.0, 2.5], [3.0, -4.0, 5.0]]).abs().to(getattr(weft, dtype)).t()
    y = through(x)
    assert y.dtype == x.dtype and y.shape == x.shape and y.tolist() == x.tolist()
    y.zero_()
    assert x.float().abs().sum() > 0


@pytest.mark.parametrize(
    "through", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"]
)
def test_parameters_stay_parameters(through):
    p = through(nn.Parameter(weft.ones(2)))
    assert isinstance(p, nn.Parameter) and p.requires_grad and p.is_leaf
    assert not through(nn.Parameter(weft.ones(2), requires_grad=False)).requires_grad


def test_deepcopy_keeps_gradients_and_sharing():
    p = nn.Parameter(weft.ones(2))
    p.grad = weft.ones(2)
    q, r = copy.deepcopy([p, p])
    assert q is r and q.grad.tolist() == [1.0, 1.0]
    q.grad.zero_()
    assert p.grad.tolist() == [1.0, 1.0]


def test_results_of_recorded_operations():
    y = nn.Parameter(weft.ones(2)) * 2
    with pytest.raises(RuntimeError, match="detach"):
        copy.deepcopy(y)
    with pytest.raises(RuntimeError, match="detach"):
        copy.deepcopy([weft.ones(1), {"y": y}])
    assert copy.deepcopy(y.detach()).tolist() == [2.0, 2.0]
    for z in (pickle.loads(pickle.dumps(y)), copy.copy(y)):  # as in PyTorch these become leaves
        assert z.is_leaf and z.requires_grad and z.tolist() == [2.0, 2.0]


def test_views_share_memory_within_one_deepcopy():
    x = weft.arange(6.0)
    whole, part, turned, bits = copy.deepcopy([x, x[2:4], x.view(2, 3).t(), x.view(weft.int32)])
    assert turned.stride() == (1, 3) and part.storage_offset() == 2
    whole.zero_()
    assert part.tolist() == [0, 0] and turned.tolist() == [[0, 0]] * 3 and bits.tolist() == [0] * 6
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    first, second = copy.deepcopy(x), copy.deepcopy(x)
    first.add_(1)
    assert second.tolist() == x.tolist()


def test_tied_weights_stay_tied():
    net = nn.ModuleDict({"embedding": nn.Embedding(4, 3), "head": nn.Linear(3, 4, bias=False)})
    net.head.weight = net.embedding.weight
    twin = copy.deepcopy(net)
    assert twin.head.weight is twin.embedding.weight and twin.head.weight is not net.head.weight
    again = pickle.loads(pickle.dumps(net))
    assert again.head.weight is again.embedding.weight


def test_deepcopy_of_arrays_memory():
    a = np.arange(6.0).reshape(2, 3)
    x, y = copy.deepcopy([weft.from_numpy(a), weft.from_numpy(a.T)])
    x.zero_()
    assert a[1, 2] == 5 and y.tolist() == a.T.tolist()
    assert copy.deepcopy(weft.zeros(0, 3)).shape == (0, 3)
    assert copy.deepcopy(weft.tensor(3.0).expand(2, 2)).stride() == (0, 0)


def test_copy_shares_memory():
    for x in (weft.ones(2, 3).t(), nn.Parameter(weft.ones(2))):
        y = copy.copy(x)
        assert y is not x and type(y) is type(x) and y.requires_grad == x.requires_grad and y.is_leaf
        assert y.data_ptr() == x.data_ptr() and y.stride() == x.stride()


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_attributes_of_parameters_survive(through):
    p = nn.Parameter(weft.ones(2))
    p.tags = ["decay"]
    q = through(p)
    assert q.tags == ["decay"] and (q.tags is p.tags) == (through is copy.copy)


def test_modules_pickle():
    net = pickle.loads(pickle.dumps(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))))
    assert net(weft.zeros(3, 2)).shape == (3, 2)


def test_view_as_another_dtype():
    x = weft.tensor([1.0, -2.0])
    bits = x.view(weft.int32)
    assert bits.numpy().tolist() == x.numpy().view(np.int32).tolist() and bits.data_ptr() == x.data_ptr()
    assert bits.view(weft.float32).tolist() == x.tolist()
    with pytest.raises(RuntimeError, match="another size"):
        x.view(weft.float64)


@pytest.mark.parametrize("value", [weft.bfloat16, weft.bool, weft.device("cpu")], ids=str)
def test_dtypes_and_devices(value):
    assert copy.deepcopy(value) == value and pickle.loads(pickle.dumps(value)) == value
