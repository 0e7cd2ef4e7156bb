"""Speed and memory where the machine is shared and the run is long. The bounds leave room for a loaded machine; those
of the tests marked slow are meant for a quiet one.
"""

import sys

import pytest

pytest.importorskip("benchmarks.robustness", reason="benchmarks lie in the repository alone")
from benchmarks.robustness import (
    changing_shapes,
    gpt_step,
    idle_seconds,
    peak_of_training,
    product,
    slowdown_beside_a_neighbour,
    slowest_of_concurrent_callers,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_idle_costs_nothing_after_work():
    assert min(idle_seconds(product(512), asleep=0.5) for _ in range(2)) < 0.02


@pytest.mark.parametrize("callers", [2, 4])
def test_concurrent_callers_get_their_share(callers):
    assert min(slowest_of_concurrent_callers(callers, least=0.5)[1] for _ in range(2)) < 5 * callers


@linux
def test_memory_stays_flat_over_changing_shapes():
    changing_shapes(600)  # until blocks of every size that occurs are there for the next to take
    resident = changing_shapes(600)
    assert resident[-1] - resident[0] < 24


@linux
@pytest.mark.slow
def test_memory_stays_flat_over_ten_thousand_steps():
    resident = changing_shapes(10_000)
    assert resident[-1] - resident[4] < 16


@linux
@pytest.mark.slow
def test_peak_of_training_is_no_higher_than_pytorchs():
    pytest.importorskip("torch")
    assert peak_of_training("weft") <= peak_of_training("torch")


@pytest.mark.slow
@pytest.mark.parametrize("work", [product, gpt_step])
def test_a_busy_neighbour_costs_its_share(work):
    assert min(slowdown_beside_a_neighbour(work(), 2.0)[1] for _ in range(2)) < 2.2
