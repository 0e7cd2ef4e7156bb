"""The comparator must accept what is right and, above all, refuse what is wrong."""

import numpy as np
import pytest

from weft.testing import assert_close, gradcheck, numeric_gradient, tolerance


@pytest.fixture
def good():
    return np.random.default_rng(0).standard_normal((64, 48)).astype(np.float32)


def refuses(actual, expected, match, **options):
    with pytest.raises(AssertionError, match=match):
        assert_close(actual, expected, **options)


def test_accepts_itself_and_the_next_number(good):
    assert_close(good, good.copy())
    assert_close(np.nextafter(good, np.float32(np.inf)), good)
    assert_close(good, good.astype(np.float64) * (1 + 2e-8), check_dtype=False)


def test_refuses_all_nan(good):
    refuses(np.full_like(good, np.nan), good, "3072 of 3072 elements differ.*\n.*\n  3072 NaN, expected 0")


def test_refuses_one_nan(good):
    bad = good.copy()
    bad[3, 4] = np.nan
    refuses(bad, good, r"1 of 3072 .*\n  worst at \(3, 4\): .*nan", terms=10**6)


def test_refuses_one_wrong_tile(good):
    bad = good.copy()
    bad[16:24, 32:48] = 0
    refuses(bad, good, "128 of 3072", terms=4096)


def test_refuses_swapped_rows(good):
    bad = good.copy()
    bad[[5, 6]] = bad[[6, 5]]
    refuses(bad, good, "of 3072 elements differ", terms=4096)


def test_refuses_transposed():
    square = np.random.default_rng(1).standard_normal((16, 16))
    refuses(square.T, square, "240 of 256", terms=4096)


def test_refuses_wrong_dtype(good):
    refuses(good.astype(np.float64), good, "dtype float64, expected float32")
    refuses(np.arange(3), np.arange(3.0), "dtype int64, expected float64")


def test_refuses_wrong_shape(good):
    refuses(good[:, :1], good, r"shape \(64, 1\), expected \(64, 48\)")
    refuses(good.ravel(), good, "shape")
    refuses(np.zeros((0, 3)), np.zeros((3, 0)), "shape")


def test_refuses_a_result_of_less_precision(good):
    refuses(good.astype(np.float16).astype(np.float32), good, "elements differ", terms=64)


def test_refuses_small_values_lost():
    """Without sums the tolerance is relative: 1e-12 is not 0."""
    refuses(np.float32([1.0, 0.0]), np.float32([1.0, 1e-12]), "1 of 2")


def test_nan_and_infinity():
    inf, nan = np.inf, np.nan
    assert_close(np.array([nan, inf, -inf]), np.array([nan, inf, -inf]))
    refuses(np.array([0.0]), np.array([nan]), "1 of 1")
    refuses(np.array([inf]), np.array([-inf]), "1 of 1")
    refuses(np.array([inf]), np.array([1e300]), "1 of 1", terms=100)
    refuses(np.array([1e300]), np.array([inf]), "1 of 1")


def test_overflow_of_a_narrow_result():
    assert_close(np.float16([np.inf, 65504]), np.array([70000.0, 65505.0]), check_dtype=False)
    refuses(np.float16([np.inf]), np.array([60000.0]), "1 of 1", check_dtype=False)


def test_integers_are_exact():
    assert_close(np.arange(4), np.arange(4), terms=10**9)
    refuses(np.arange(4), np.arange(4) + np.array([0, 0, 0, 1]), r"1 of 4 .*must be equal", terms=10**9)
    refuses(np.array([True]), np.array([False]), "1 of 1")


def test_scalars_and_empty():
    assert_close(1.0, 1.0)
    assert_close(np.zeros((0, 3)), np.zeros((0, 3)))


def test_tolerance_grows_with_the_sum_and_knows_the_dtype():
    assert tolerance("float64") < tolerance("float32") < tolerance("float16") < tolerance("bfloat16")
    assert tolerance("float32", 1) < tolerance("float32", 100) < 2e-5
    assert tolerance("bfloat16", 10_000) < 2 * tolerance("bfloat16")  # sums are taken in float32
    assert tolerance("int64") == 0


def test_cancelling_sums_are_judged_by_the_size_of_the_result():
    x = np.random.default_rng(2).standard_normal((200, 512)).astype(np.float32)
    y = np.random.default_rng(3).standard_normal((512, 100)).astype(np.float32)
    exact = x.astype(np.float64) @ y
    assert_close(x @ y, exact, terms=512, check_dtype=False)
    refuses(x @ y + np.float32(0.05), exact, "of 20000", terms=512, check_dtype=False)


def test_numeric_gradient():
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -1.5])
    dy = np.array([2.0, -1.0])
    assert_close(numeric_gradient(np.matmul, (a, b), 0, dy), np.outer(dy, b), rtol=1e-9)
    assert_close(numeric_gradient(np.matmul, (a, b), 1, dy), a.T @ dy, rtol=1e-9)


def test_gradcheck():
    x = np.random.default_rng(4).standard_normal((3, 4))
    gradcheck(lambda t: t * t, x)
    with pytest.raises(AssertionError, match="gradient of argument 0"):
        gradcheck(lambda t: t * t.detach(), x)
