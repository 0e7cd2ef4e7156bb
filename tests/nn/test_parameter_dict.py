import copy
from collections import OrderedDict

import pytest

import weft
from weft import nn

torch = pytest.importorskip("torch")


def made(m):
    return m.nn.ParameterDict({"b": m.ones(2), "a": m.nn.Parameter(m.zeros(2, 3)), "n": 3})


def test_beside_torch():
    ours, theirs = made(weft), made(torch)
    for d in (ours, theirs):
        d["z"] = d.pop("b")
        d.update(OrderedDict(y=d["a"], x=d["z"]))
        assert d.setdefault("n", 4) == 3 and d.get("none") is None and "a" in d
    assert list(ours) == list(theirs) and len(ours) == len(theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert list(reversed(ours)) == list(reversed(theirs))
    assert list(ours | {"new": 1}) == list(theirs | {"new": 1})
    assert list({"new": 1} | ours) == list({"new": 1} | theirs)
    assert ours.popitem()[0] == theirs.popitem()[0]
    assert list(ours.fromkeys(["q", "p"], 1)) == list(theirs.fromkeys(["q", "p"], 1))


def test_parameters_train_copy_and_print():
    model = nn.Module()
    model.weights = made(weft)
    assert isinstance(model.weights["b"], nn.Parameter)
    assert {n for n, _ in model.named_parameters()} == {"weights.a", "weights.b"}
    other = copy.deepcopy(model)
    other.weights["b"].data.fill_(5)
    assert model.weights["b"].tolist() == [1, 1]
    model.load_state_dict(other.state_dict())
    assert model.weights["b"].tolist() == [5, 5]
    assert "(a): Parameter containing: [weft.float32 of size 2x3]\n" in repr(model.weights)
    assert "(n): Object of type: int" in repr(model.weights)
    model.weights.clear()
    assert not list(model.parameters()) and len(model.weights) == 0


def test_keys():
    d = nn.ParameterDict()
    with pytest.raises(KeyError):
        d["missing"]
    with pytest.raises(TypeError):
        d[1] = weft.ones(1)
    with pytest.raises(KeyError, match="attribute"):
        d["training"] = weft.ones(1)
