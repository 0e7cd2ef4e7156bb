"""The whole networks of the benchmark give the same bits on any number of threads."""

import pytest

import weft
from benchmarks.harness import discover

CASES = {b.names()[index]: (b, index) for b, index in discover("models/")}


@pytest.fixture(autouse=True)
def restore_threads():
    before = weft.get_num_threads()
    yield
    weft.set_num_threads(before)


def outcome(bench, index, threads):
    """Two calls: what the second step of a training gives depends on all gradients of the first."""
    weft.set_num_threads(threads)
    run = bench.case(index).function("weft")
    run()
    result = run()
    return [t.detach().numpy() for t in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("name", CASES)
def test_same_bits_on_any_number_of_threads(name):
    expected = outcome(*CASES[name], 1)
    for threads in (2, 3, 8):
        for got, want in zip(outcome(*CASES[name], threads), expected, strict=True):
            assert got.tobytes() == want.tobytes(), f"{threads} threads"
