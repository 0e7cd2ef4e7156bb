"""Text of tensors, letter by letter PyTorch's but for the names of the library and of operations."""

import numpy as np
import pytest

import weft
from weft import nn

torch = pytest.importorskip("torch")
random = np.random.default_rng(0)

FLOATS = {
    "number": np.array(3.14159),
    "nan": np.array(np.nan),
    "whole": np.array([1.0, -20.0, 0.0, -0.0]),
    "zeros": np.zeros(30),
    "parts": np.array([1.5, -2.0, 1000.25]),
    "small": np.array([1e-5, 1.0]),
    "great": np.array([1e9, 1.0]),
    "ratio of 1000": np.array([1.0, 1000.0]),
    "ratio above": np.array([1.0, 1001.0]),
    "1e8": np.array([1e8, 2e8]),
    "infinite": np.array([np.inf, -np.inf, np.nan, 0.0]),
    "infinite beside numbers": np.array([np.nan, 1.5, -np.inf, 1e-7]),
    "infinite beside whole": np.array([np.inf, 3.0]),
    "one line": random.standard_normal(9),
    "lines": random.standard_normal(25),
    "matrix": random.standard_normal((3, 40)),
    "three": random.standard_normal((2, 3, 4)),
    "four": random.standard_normal((2, 2, 2, 2)),
    "not long": random.standard_normal(1000),
    "long": random.standard_normal(1001),
    "long, whole": np.arange(5000.0),
    "wide": random.standard_normal((3, 1, 500)),
    "tall": random.standard_normal((2000, 1)),
    "large": random.standard_normal((40, 40)),
    "large, four": random.standard_normal((5, 7, 7, 7)),
    "empty": np.zeros(0),
    "empty, shaped": np.zeros((2, 0, 3)),
}
INTEGERS = {
    "number": np.array(-7),
    "signs": np.arange(-5, 6),
    "long": np.arange(2000),
    "matrix": np.arange(36).reshape(6, 6) * 3,
    "empty": np.zeros(0, int),
    "empty, shaped": np.zeros((0, 2), int),
}


def both(array, dtype):
    return torch.tensor(array).to(getattr(torch, dtype)), weft.tensor(array).to(getattr(weft, dtype))


def same(theirs, ours):
    assert repr(ours) == repr(theirs).replace("torch.", "weft.") and str(ours) == repr(ours)


@pytest.mark.parametrize("name", FLOATS)
def test_floats(name):
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        t, x = both(FLOATS[name], dtype)
        same(t, x)
        same(t.requires_grad_(), x.requires_grad_())
        same(torch.nn.Parameter(t.detach()), nn.Parameter(x.detach()))


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_and_bools(name):
    for dtype in ("int64", "int32", "int16", "int8", "uint8", "bool"):
        same(*both(INTEGERS[name], dtype))


def test_views():
    t, x = both(random.standard_normal((60, 50)), "float32")
    same(t.t()[::2], x.t()[::2])
    same(t[0].expand(3, 50), x[0].expand(3, 50))


def test_results_of_operations_name_them():
    x = weft.ones(2, requires_grad=True) * 2
    assert repr(x) == "tensor([2., 2.], grad_fn=<mul>)"


def test_other_classes_print_their_name():
    class Weight(weft.Tensor):
        pass

    assert repr(Weight(weft.ones(2))) == "Weight([1., 1.])"


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"sci_mode": True},
        {"sci_mode": False},
        {"linewidth": 40},
        {"edgeitems": 1, "threshold": 5},
        {"profile": "short"},
        {"profile": "full"},
    ],
    ids=str,
)
def test_options(options):
    try:
        for m in (torch, weft):
            m.set_printoptions(**options)
        for name in FLOATS:
            same(*both(FLOATS[name], "float32"))
        same(*both(INTEGERS["long"], "int64"))
    finally:
        for m in (torch, weft):
            m.set_printoptions(profile="default")
    with pytest.raises(ValueError, match="profile"):
        weft.set_printoptions(profile="long")


def test_format():
    for value in (1.5, 3, True):
        t, x = torch.tensor(value), weft.tensor(value)
        for spec in ("", ">8", ".2f" if value == 1.5 else "d"):
            assert format(x, spec) == format(t, spec)
    assert f"{weft.tensor([1.5])}" == "tensor([1.5000])"
    with pytest.raises(TypeError):
        format(weft.tensor([1.5]), ".2f")
