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


def test_results_of_recorded_operations_are_refused():
    y = nn.Parameter(weft.ones(2)) * 2
    with pytest.raises(RuntimeError, match="detach"):
        copy.deepcopy(y)
    with pytest.raises(RuntimeError, match="detach"):
        pickle.dumps(y)


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
