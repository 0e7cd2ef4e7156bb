"""weft.compile and what the host prepares for the kernels: random streams, generators between draws, tables."""

import numpy as np
import pytest

import weft
from weft import nn
from weft.nn import functional as F
from weft.utils.checkpoint import checkpoint


def repeated(f, compiled, calls=4):
    f = weft.compile(f, fullgraph=True) if compiled else f
    weft.manual_seed(1)
    results = [f() for _ in range(calls)]
    assert not compiled or len(f.plans) == 1
    return [[t.tolist() for t in call] for call in results], weft.get_rng_state().tolist()


def same(make):
    assert repeated(make(), True) == repeated(make(), False)


def test_many_draws():
    same(lambda: lambda: [weft.rand(3) + F.dropout(weft.ones(3), 0.5) for _ in range(150)])


def test_own_generators_beside_the_default_one():
    def make():
        mine = weft.Generator().manual_seed(3)
        return lambda: (weft.rand(4, generator=mine), weft.rand(4), weft.randperm(9, generator=mine), weft.randn(3))

    same(make)


def test_seeds_and_states_between_draws():
    def step():
        a = weft.rand(3)
        state = weft.get_rng_state()
        b = weft.rand(3)
        weft.set_rng_state(state)
        c = weft.rand(3)
        weft.manual_seed(7)
        d = weft.rand(3)
        weft.set_rng_state(state)
        return a, b, c, d, weft.rand(5), state

    same(lambda: step)
    results, _ = repeated(step, True)
    for _, b, c, *_ in results:
        assert b == c
    assert len({str(a) for a, *_ in results}) == len(results)
    assert len({str(d) for _, _, _, d, *_ in results}) == 1


def test_seeding_from_entropy_is_left_alone():
    def step():
        weft.seed()
        return weft.rand(3)

    with pytest.raises(RuntimeError, match="entropy"):
        weft.compile(step, fullgraph=True)()


def test_dropout_in_a_checkpoint():
    def trained(compiled):
        weft.manual_seed(0)
        block = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.Linear(16, 4))
        opt = weft.optim.SGD(block.parameters(), lr=0.1)
        x = weft.tensor(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))

        def step(x):
            opt.zero_grad()
            F.dropout(checkpoint(block, x, use_reentrant=False), 0.2).square().mean().backward()
            opt.step()

        step = weft.compile(step) if compiled else step
        for _ in range(10):
            step(x)
        return [p.detach().numpy().tobytes() for p in block.parameters()]

    assert trained(True) == trained(False)


def test_ranges_from_outside_are_tensors_like_others():
    count = weft.arange(3)

    def step():
        count.add_(1)
        return count

    compiled = weft.compile(step, fullgraph=True)
    for i in range(1, 4):
        assert compiled() is not None and count.tolist() == [i, i + 1, i + 2]


def test_tables_of_the_host_are_given_out_as_copies():
    def step():
        places, steps = weft.arange(4), weft.linspace(0, 1, 5, dtype=weft.float64)
        places += 1
        steps *= 2
        return places, steps, weft.arange(3)

    compiled = weft.compile(step, fullgraph=True)
    for _ in range(3):
        *_, last = results = compiled()
        assert [t.tolist() for t in results] == [t.tolist() for t in step()]
        last.zero_()
