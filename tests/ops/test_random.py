"""Random numbers: the stream itself, the distributions, reproducibility for any number of threads."""

import math

import numpy as np
import pytest

import weft
from oracle import same_bits
from weft.testing import assert_close, to_numpy

N = 200_001


def philox(seed, index):
    """The reference of Salmon et al.: block `index` of the stream, four words."""
    c, k = [index & 0xFFFFFFFF, index >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [k[0] + 0x9E3779B9 & 0xFFFFFFFF, k[1] + 0xBB67AE85 & 0xFFFFFFFF]
    return c


def test_philox_known_answers():
    """From the authors' test vectors: counter and key all zero."""
    assert philox(0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_rand_is_the_philox_stream(isa):
    g = weft.Generator().manual_seed(2**40 + 7)
    words = np.array([philox(2**40 + 7, i) for i in range(26)], dtype=np.uint64).ravel()
    assert_close(weft.rand(101, generator=g), ((words >> 8) * 2.0**-24).astype(np.float32)[:101], rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_uniform(isa, dtype):
    x = to_numpy(weft.rand(N, generator=weft.Generator().manual_seed(1), dtype=getattr(weft, dtype))).astype(np.float64)
    assert 0 <= x.min() < 0.01 and 0.99 < x.max() < 1
    assert abs(x.mean() - 0.5) < 0.005 and abs(x.var() - 1 / 12) < 0.002
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.01
    y = weft.empty(1000, dtype=getattr(weft, dtype)).uniform_(-3, 5)
    assert float(y.min()) >= -3 and float(y.max()) <= 5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_normal(isa, dtype):
    x = to_numpy(weft.randn(N, generator=weft.Generator().manual_seed(2), dtype=getattr(weft, dtype))).astype(
        np.float64
    )
    assert abs(x.mean()) < 0.01 and abs(x.var() - 1) < 0.02
    assert abs((x**3).mean()) < 0.05 and abs((x**4).mean() - 3) < 0.1
    assert abs((np.abs(x) < 1).mean() - 0.6827) < 0.01
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.01  # the two of a pair
    y = to_numpy(weft.empty(N).normal_(10, 2, generator=weft.Generator().manual_seed(2)))
    assert abs(y.mean() - 10) < 0.05 and abs(y.std() - 2) < 0.05


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65])
def test_short_results_begin_the_long_one(isa, n):
    for make in (weft.rand, weft.randn):
        for dtype in (weft.float32, weft.float64):
            long = make(100, generator=weft.Generator().manual_seed(3), dtype=dtype)
            short = make(n, generator=weft.Generator().manual_seed(3), dtype=dtype)
            assert_close(short, to_numpy(long)[:n], rtol=0, atol=0)


def test_streams_go_on_and_never_repeat():
    g = weft.Generator().manual_seed(4)
    a, b = to_numpy(weft.rand(1001, generator=g)), to_numpy(weft.rand(1001, generator=g))
    assert len(np.intersect1d(a, b)) < 5
    state = g.get_state()
    c = weft.randn(5, generator=g)
    g.set_state(state)
    assert_close(weft.randn(5, generator=g), c, rtol=0, atol=0)


def test_manual_seed():
    weft.manual_seed(5)
    a = weft.randn(3, 4), weft.randint(10, (5,)), weft.randperm(6)
    weft.manual_seed(5)
    b = weft.randn([3, 4]), weft.randint(0, 10, (5,)), weft.randperm(6)
    for x, y in zip(a, b, strict=True):
        assert_close(x, y, rtol=0, atol=0)


def test_same_stream_for_any_number_of_threads():
    def run():
        g = weft.Generator().manual_seed(6)
        return (
            weft.rand(N, generator=g),
            weft.randn(N, generator=g),
            weft.randn(N, generator=g, dtype=weft.float64),
            weft.randint(1000, (N,), generator=g),
            weft.bernoulli(weft.full((N,), 0.3), generator=g),
            weft.randperm(N, generator=g),
        )

    same_bits(run)


def test_randint():
    g = weft.Generator().manual_seed(7)
    x = to_numpy(weft.randint(-3, 5, (50_000,), generator=g))
    assert x.dtype == np.int64 and set(np.unique(x)) == set(range(-3, 5))
    assert np.abs(np.bincount(x + 3) / len(x) - 1 / 8).max() < 0.01
    assert weft.randint(256, (4, 5), dtype=weft.uint8).dtype == weft.uint8
    assert weft.randint(0, 2, (3,), dtype=weft.float32).dtype == weft.float32
    huge = to_numpy(weft.randint(-(2**62), 2**62, (1000,), generator=g))
    assert huge.min() < -(2**61) and huge.max() > 2**61


def test_randperm_is_a_fair_permutation():
    g = weft.Generator().manual_seed(8)
    for n in (0, 1, 2, 1000):
        assert_close(np.sort(to_numpy(weft.randperm(n, generator=g))), np.arange(n))
    counts = np.zeros((4, 4))
    for _ in range(4000):
        counts[np.arange(4), to_numpy(weft.randperm(4, generator=g))] += 1
    assert np.abs(counts / 4000 - 0.25).max() < 0.03


def test_bernoulli():
    p = weft.tensor([0.0, 0.25, 1.0]).reshape(3, 1).expand(3, 20_000)
    x = to_numpy(weft.bernoulli(p))
    assert x.dtype == np.float32 and set(np.unique(x)) == {0.0, 1.0}
    assert x[0].max() == 0 and x[2].min() == 1 and abs(x[1].mean() - 0.25) < 0.02
    flags = weft.empty(10_000, dtype=weft.bool).bernoulli_(0.1)
    assert abs(to_numpy(flags).mean() - 0.1) < 0.02


def test_like_and_in_place():
    x = weft.zeros(3, 4, dtype=weft.float64)
    assert weft.rand_like(x).dtype == weft.float64 and tuple(weft.randn_like(x).shape) == (3, 4)
    assert weft.randn_like(x, dtype=weft.float32).dtype == weft.float32
    view = x.t()[1]
    before = x._version
    view.normal_()
    assert x._version > before
    assert np.count_nonzero(to_numpy(x)) == 3 and np.count_nonzero(to_numpy(x)[:, 1]) == 3
    r = x.random_(0, 3)
    assert r is x and set(np.unique(to_numpy(x))) <= {0.0, 1.0, 2.0}
    assert weft.rand(2, requires_grad=True).requires_grad


def test_no_gradient_flows_through_filling():
    x = weft.ones(4, requires_grad=True)
    y = x * 2
    y.normal_()
    y.sum().backward()
    assert_close(x.grad, np.zeros(4, np.float32))


def test_multinomial():
    g = weft.Generator().manual_seed(9)
    w = weft.tensor([[0.0, 1.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    x = to_numpy(weft.multinomial(w, 20_000, replacement=True, generator=g))
    assert x.shape == (2, 20_000) and x.dtype == np.int64
    assert np.abs(np.bincount(x[0], minlength=4) / 20_000 - [0, 0.25, 0.75, 0]).max() < 0.02
    assert np.abs(np.bincount(x[1], minlength=4) / 20_000 - 0.25).max() < 0.02
    first = np.zeros(4)
    for _ in range(2000):
        y = to_numpy(weft.multinomial(weft.tensor([1.0, 0.0, 2.0, 5.0]), 3, generator=g))
        assert sorted(y) == [0, 2, 3]
        first[y[0]] += 1
    assert np.abs(first / 2000 - [0.125, 0, 0.25, 0.625]).max() < 0.04
    for bad, n in [([1.0, -1.0], 1), ([0.0, 0.0], 1), ([1.0, float("nan")], 1), ([1.0, 0.0], 2)]:
        with pytest.raises(RuntimeError, match="multinomial"):
            weft.multinomial(weft.tensor(bad), n)


def test_bad_input():
    with pytest.raises(RuntimeError, match=r"\[rand\] expected a floating dtype, got int64"):
        weft.rand(3, dtype=weft.int64)
    with pytest.raises(RuntimeError, match="low < high, got 5 and 5"):
        weft.randint(5, 5, (3,))
    with pytest.raises(RuntimeError, match="does not fit uint8"):
        weft.randint(0, 257, (3,), dtype=weft.uint8)
    with pytest.raises(RuntimeError, match="between 0 and 1, got 1.5"):
        weft.bernoulli(weft.tensor([1.5]))
    with pytest.raises(RuntimeError, match="std >= 0"):
        weft.zeros(3).normal_(0, -1)
    with pytest.raises((ValueError, RuntimeError)):
        weft.randperm(-1)
    with pytest.raises((ValueError, RuntimeError)):
        weft.randn(-1)


def ks(x, cdf):
    """The Kolmogorov-Smirnov distance between a sample and a distribution, times the root of its size."""
    x = np.sort(to_numpy(x).astype(np.float64).ravel())
    steps = np.arange(x.size + 1) / x.size
    f = cdf(x)
    return max(np.abs(f - steps[1:]).max(), np.abs(f - steps[:-1]).max()) * np.sqrt(x.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype):
    weft.manual_seed(5)
    x = weft.empty(20000, dtype=getattr(weft, dtype))
    assert ks(x.exponential_(2.0), lambda v: 1 - np.exp(-2 * v)) < 2
    assert ks(x.cauchy_(1.0, 3.0), lambda v: 0.5 + np.arctan((v - 1) / 3) / np.pi) < 2
    erf = np.vectorize(math.erf)
    assert ks(x.log_normal_(0.5, 0.25), lambda v: 0.5 * (1 + erf((np.log(v) - 0.5) / 0.25 / 2**0.5))) < 2
    assert ks(weft.normal(weft.full((20000,), 2.0), 3.0), lambda v: 0.5 * (1 + erf((v - 2) / 3 / 2**0.5))) < 2
    y = x.geometric_(0.3)
    assert y.min() == 1 and abs(float((y == 1).double().mean()) - 0.3) < 0.02 and abs(float(y.mean()) - 1 / 0.3) < 0.1


@pytest.mark.parametrize("rate", [0.0, 0.5, 7.0, 300.0])
def test_poisson(rate):
    weft.manual_seed(6)
    x = weft.poisson(weft.full((4000,), rate)).double()
    assert abs(float(x.mean()) - rate) <= 5 * (rate / 4000) ** 0.5
    assert abs(float(x.var()) - rate) <= 8 * rate / 4000**0.5 + 4 * (rate / 4000) ** 0.5
    assert bool((x == x.round()).all())


def test_random_arguments():
    x = weft.full((3, 2), 0.5)
    for fill in ("exponential_", "cauchy_", "log_normal_"):
        y = weft.zeros(4, 6).t()[::2]
        assert getattr(y, fill)() is y and bool((y != 0).all())
        with pytest.raises(RuntimeError, match=fill):
            getattr(weft.zeros(2, dtype=weft.int64), fill)()
    assert weft.zeros(1000, dtype=weft.int32).geometric_(0.5).min() == 1
    assert set(weft.bernoulli(weft.zeros(100, dtype=weft.int8), 0.5).tolist()) == {0, 1}
    assert weft.zeros(2, 3).bernoulli_(weft.tensor([0.0, 1.0, 0.0])).tolist() == [[0, 1, 0]] * 2
    assert weft.normal(0.0, x).shape == weft.normal(x, x).shape == weft.normal(0, 1, (3, 2)).shape
    assert set(weft.randint_like(x, 2, 4).flatten().tolist()) <= {2.0, 3.0}
    g = [weft.Generator().manual_seed(3) for _ in range(2)]
    assert weft.normal(x, 1.0, generator=g[0]).tolist() == weft.normal(x, 1.0, generator=g[1]).tolist()
    with pytest.raises(RuntimeError, match="std"):
        weft.normal(x, -x)
    with pytest.raises(RuntimeError, match="not negative"):
        weft.poisson(-x)
    with pytest.raises(RuntimeError, match="p between"):
        weft.bernoulli(x, 1.5)
