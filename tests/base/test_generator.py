import numpy as np
import pytest

import weft
from script import run


@pytest.fixture(autouse=True)
def restore_stream():
    state = weft.get_rng_state()
    yield
    weft.set_rng_state(state)


def test_seed_repeats():
    weft.manual_seed(7)
    assert weft.initial_seed() == 7
    a = weft.rand(1000).numpy()
    b = weft.rand(1000).numpy()
    weft.manual_seed(7)
    assert (weft.rand(1000).numpy() == a).all()
    assert (weft.rand(1000).numpy() == b).all()
    assert (a != b).any()
    weft.manual_seed(8)
    assert (weft.rand(1000).numpy() != a).any()


def test_manual_seed_returns_the_default_generator():
    assert weft.manual_seed(1) is weft.default_generator
    assert weft.default_generator.initial_seed() == 1


def test_state():
    weft.manual_seed(3)
    weft.rand(10)
    state = weft.get_rng_state()
    assert state.dtype == weft.uint8
    a = weft.rand(100).numpy()
    weft.set_rng_state(state)
    assert (weft.rand(100).numpy() == a).all()


def test_generators_are_independent():
    g = weft.Generator()
    assert g.manual_seed(5) is g
    h = weft.Generator().manual_seed(5)
    weft.manual_seed(0)
    a = weft.rand(50, generator=g).numpy()
    b = weft.rand(50).numpy()
    assert (weft.rand(50, generator=h).numpy() == a).all()
    weft.manual_seed(0)
    assert (weft.rand(50).numpy() == b).all()
    state = g.get_state()
    c = weft.rand(50, generator=g).numpy()
    g.set_state(state)
    assert (weft.rand(50, generator=g).numpy() == c).all()


def test_seed_is_fresh():
    g = weft.Generator()
    assert g.initial_seed() == weft.Generator().initial_seed()  # as in PyTorch, until seeded
    assert len({g.seed() for _ in range(8)}) == 8
    assert g.seed() == g.initial_seed()
    assert weft.seed() == weft.initial_seed()
    code = "import weft; print(weft.initial_seed(), weft.rand(4).tolist())"
    assert run(code) != run(code)


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1, -1, -(2**63), np.int64(9)])
def test_any_64_bits(seed):
    weft.manual_seed(seed)
    assert weft.initial_seed() == int(seed) % 2**64


@pytest.mark.parametrize(
    "seed, error", [(2**64, OverflowError), (-(2**63) - 1, OverflowError), (1.5, TypeError), ("1", TypeError)]
)
def test_bad_seed(seed, error):
    with pytest.raises(error):
        weft.manual_seed(seed)


def test_bad_state():
    g = weft.Generator()
    for state in (weft.zeros(16), weft.zeros(15, dtype=weft.uint8), weft.zeros(4, 4, dtype=weft.uint8)):
        with pytest.raises(ValueError, match=r"\[set_state\] expected a uint8 CPU tensor of 16 elements"):
            g.set_state(state)
    with pytest.raises(TypeError):
        g.set_state([0] * 16)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_bits_do_not_depend_on_the_number_of_threads(threads):
    before = weft.num_threads()
    try:
        weft.set_num_threads(1)
        weft.manual_seed(11)
        one = weft.randn(300_007).numpy()
        weft.set_num_threads(threads)
        weft.manual_seed(11)
        assert (weft.randn(300_007).numpy() == one).all()
    finally:
        weft.set_num_threads(before)
