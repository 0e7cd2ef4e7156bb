import numpy as np
import pytest

import weft
from oracle import check_same

random = np.random.default_rng(1)
X = random.standard_normal((4, 5, 3))
I = np.array([0, 3, 3, -1])
J = np.array([[1], [4], [0], [-5]])
MASK = X[:, :, 0] > 0

KEYS = {
    "int": lambda m, i, j, mask: 1,
    "negative": lambda m, i, j, mask: -1,
    "numpy int": lambda m, i, j, mask: np.int64(2),
    "slice": lambda m, i, j, mask: slice(1, 3),
    "step": lambda m, i, j, mask: slice(None, None, 2),
    "bounds": lambda m, i, j, mask: slice(-100, 100),
    "nothing": lambda m, i, j, mask: slice(3, 1),
    "ellipsis": lambda m, i, j, mask: (..., 1),
    "middle": lambda m, i, j, mask: (1, ..., slice(0, 2)),
    "none": lambda m, i, j, mask: (None, slice(None), None, 0, None),
    "full": lambda m, i, j, mask: (1, 2, 0),
    "array": lambda m, i, j, mask: i,
    "second": lambda m, i, j, mask: (slice(None), i),
    "last": lambda m, i, j, mask: (..., i[:2] * 0),
    "two": lambda m, i, j, mask: (i, i),
    "broadcast": lambda m, i, j, mask: (i, j),
    "apart": lambda m, i, j, mask: (i, slice(None), i * 0),
    "int and array": lambda m, i, j, mask: (0, i),
    "array and int": lambda m, i, j, mask: (i, slice(1, 3), 0),
    "array, none": lambda m, i, j, mask: (i, None),
    "list": lambda m, i, j, mask: [0, 2],
    "mask": lambda m, i, j, mask: mask,
    "mask and slice": lambda m, i, j, mask: (mask, slice(0, 2)),
    "mask of rows": lambda m, i, j, mask: mask[:, 0],
    "mask and array": lambda m, i, j, mask: (slice(None), mask[0], 0),
    "empty array": lambda m, i, j, mask: i[:0],
    "0-d array": lambda m, i, j, mask: i[0],
    "true": lambda m, i, j, mask: True,
    "false": lambda m, i, j, mask: False,
}


@pytest.mark.parametrize("name", KEYS)
def test_get(name):
    check_same(lambda m, x, *arrays: x[KEYS[name](m, *arrays)] * 1, X, I, J, MASK)


@pytest.mark.parametrize("name", KEYS)
def test_set(name):
    # Places written twice get the same value, because PyTorch leaves their order open.
    def assign(m, x, v, *arrays):
        y = x * 1
        y[KEYS[name](m, *arrays)] = v
        return y

    # x[False] = v writes nothing: our gradient of v is zero, PyTorch's is None.
    check_same(assign, X, np.array(2.5), I, J, MASK, grad=[0] if name == "false" else True)


def test_set_broadcast_and_gradient():
    def assign(m, x, v):
        y = x * 2
        y[1:3, :, 0] = v
        y[0] = y[1] * 3
        return y * y

    check_same(assign, X, random.standard_normal(5))


def test_set_numbers_keeps_all_digits():
    x = weft.zeros(2, dtype=weft.float64)
    x[0] = 0.1
    x[1:] = [0.1]
    assert x.tolist() == [0.1, 0.1]


def test_set_numbers_and_arrays():
    x = weft.zeros(3, 3)
    x[0] = 1
    x[1, 1:] = np.array([2.0, 3.0])
    x[2] = [4, 5, 6]
    x[x > 4.5] = -1
    assert x.tolist() == [[1, 1, 1], [0, 2, 3], [4, -1, -1]]


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (4, IndexError, "index 4 is out of bounds for dimension 0 of size 4"),
        ((0, -6), IndexError, "index -6 is out of bounds for dimension 1"),
        ((0, 0, 0, 0), IndexError, "too many indices"),
        ((..., ...), IndexError, "one Ellipsis"),
        (slice(None, None, -1), ValueError, "step must be positive"),
        (1.5, IndexError, "got float"),
        ("a", IndexError, "got str"),
        (np.array([0.5]), IndexError, "integer or bool"),
        (np.array([0, 4]), IndexError, "index 4 is out of bounds for dimension 0 of size 4"),
        ((slice(None), np.array([0, -6])), IndexError, "index -6 is out of bounds for dimension 1"),
        (np.zeros((2, 2), bool), IndexError, "mask"),
        ((np.array([0, 1]), np.array([0, 1, 2])), ValueError, "broadcast"),
    ],
)
def test_bad_keys(key, error, words):
    x = weft.tensor(X)
    before = x.tolist()
    with pytest.raises(error, match=words):
        x[key]
    with pytest.raises(error, match=words):
        x[key] = 0
    assert x.tolist() == before


def test_bad_values():
    x = weft.zeros(2, 3)
    with pytest.raises((ValueError, RuntimeError)):
        x[0] = weft.zeros(4)
    with pytest.raises((ValueError, RuntimeError)):
        x[weft.tensor([0, 1])] = weft.zeros(2, 4)
    with pytest.raises(TypeError):
        del x[0]


def test_iteration_and_length():
    x = weft.arange(6).reshape(3, 2)
    assert len(x) == 3
    assert [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(TypeError):
        len(weft.tensor(1.0))
    with pytest.raises(TypeError):
        iter(weft.tensor(1.0))
