import numpy as np
import pytest

import weft
from oracle import same_bits
from weft import _core
from weft.testing import to_numpy

random = np.random.default_rng(0)


def bytes_of(*shape, dtype="int8"):
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max + 1, shape).astype(dtype)


def exact(a, b):
    return (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int32)


def check_bytes(x, y, a, b, name=""):
    result = to_numpy(_core._int_mm(x, y))
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, exact(a, b), err_msg=name)


ROWS = (0, 1, 2, 3, 5, 6, 7, 8, 9, 17, 67)
COLUMNS = (0, 1, 7, 8, 15, 16, 17, 33, 47, 48, 49, 97)
SUMS = (0, 1, 2, 3, 4, 5, 31, 63, 64, 65, 66, 67, 130, 1100)
EDGES = [*((m, 33, 20) for m in ROWS), *((9, n, 21) for n in COLUMNS), *((13, 18, k) for k in SUMS), (130, 100, 4200)]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_edges(isa, dtype):
    for m, n, k in EDGES:
        a, b = bytes_of(m, k, dtype=dtype), bytes_of(k, n)
        for turned in range(4):
            x = weft.tensor(np.ascontiguousarray(a.T)).T if turned & 1 else weft.tensor(a)
            y = weft.tensor(np.ascontiguousarray(b.T)).T if turned & 2 else weft.tensor(b)
            check_bytes(x, y, a, b, f"{m}x{n}x{k} {turned}")


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_views(isa, dtype):
    a, b = bytes_of(40, 90, dtype=dtype), bytes_of(90, 70)
    x, y = weft.tensor(a), weft.tensor(b)
    check_bytes(x[::2, ::3], y[::3, 5::2], a[::2, ::3], b[::3, 5::2])
    check_bytes(x[1:, 3:], y[3:, 1:], a[1:, 3:], b[3:, 1:])
    wide, k = bytes_of(40, 96, dtype=dtype), 64  # whole groups of terms, that begin between two
    check_bytes(weft.tensor(wide)[:, 3 : k + 3], y[:k], wide[:, 3 : k + 3], b[:k])


@pytest.mark.parametrize("left, right", [(-128, -128), (-128, 127), (127, -128), (127, 127), (255, -128), (255, 127)])
def test_extremes(isa, left, right):
    a = np.full((9, 515), left, dtype=np.uint8 if left > 127 else np.int8)
    b = np.full((515, 50), right, dtype=np.int8)
    check_bytes(weft.tensor(a), weft.tensor(b), a, b)


def test_long_sums_wrap(isa):
    a, b = np.full((1, 140_000), -128, dtype=np.int8), np.full((140_000, 1), -128, dtype=np.int8)
    check_bytes(weft.tensor(a), weft.tensor(b), a, b)


def test_a_weight_is_packed_once(isa):
    b = bytes_of(70, 130)
    y = weft.tensor(b.T.copy()).T
    for dtype in ("int8", "uint8", "int8", "uint8"):
        for m in (1, 8, 40):
            a = bytes_of(m, 70, dtype=dtype)
            check_bytes(weft.tensor(a), y, a, b)
    y.fill_(3)
    a = bytes_of(5, 70)
    check_bytes(weft.tensor(a), y, a, np.full_like(b, 3))


def test_same_bits_for_any_number_of_threads():
    a, b = weft.tensor(bytes_of(300, 700)), weft.tensor(bytes_of(700, 400))
    same_bits(lambda: _core._int_mm(a, b))


@pytest.mark.parametrize(
    "a, b, message",
    [
        (np.zeros((2, 3), np.int8), np.zeros((4, 2), np.int8), "last dimension to equal"),
        (np.zeros((2, 3), np.int8), np.zeros((3, 2), np.uint8), "expected int8 or uint8 times int8"),
        (np.zeros((2, 3), np.int32), np.zeros((3, 2), np.int8), "expected int8 or uint8 times int8"),
        (np.zeros(3, np.int8), np.zeros((3, 2), np.int8), "2 dimensions"),
        (np.zeros((2, 3), np.int8), np.zeros((1, 3, 2), np.int8), "2 dimensions"),
    ],
)
def test_wrong_operands(a, b, message):
    with pytest.raises(RuntimeError, match=message):
        _core._int_mm(weft.tensor(a), weft.tensor(b))
