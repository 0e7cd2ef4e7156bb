"""The benchmark's own parts: what it counts, which cases it lists, how it writes."""

import sys
import time

import numpy as np
import pytest

import weft
from weft import _core

pytest.importorskip("benchmarks.harness", reason="benchmarks lie in the repository alone")
from benchmarks.harness import Case, bench, discover, randn, torch
from benchmarks.models.parts import Work, arrays
from benchmarks.paired import close_all
from benchmarks.report import merge, page
from benchmarks.turns import Cores, Others, measure, take_turns


def mlp(m):
    return m.nn.Sequential(m.nn.Linear(8, 16), m.nn.ReLU(), m.nn.Linear(16, 4))


def test_names_of_cases_are_unique_and_hold_the_workloads():
    names = [b.names()[index] for b, index in discover()]
    assert len(set(names)) == len(names)
    for workload in (
        "mlp",
        "resnet18",
        "resnet50",
        "gpt",
        "encoder",
        "vit",
        "dcgan_generator",
        "unet",
        "graph",
        "adamw",
    ):
        assert any(name.startswith(workload) for name in names), workload


def test_work_of_linear_layers():
    work = Work(mlp, [randn(5, 8)])
    assert work.forward == 2 * 5 * (8 * 16 + 16 * 4)
    assert work.backward == work.forward + 2 * 5 * 16 * 4  # the input itself wants no gradient
    assert work.parameters == 8 * 16 + 16 + 16 * 4 + 4


def test_work_of_convolutions():
    build = lambda m: m.nn.Sequential(m.nn.Conv2d(3, 4, 3), m.nn.ConvTranspose2d(4, 2, 2, 2))  # noqa: E731
    work = Work(build, [randn(1, 3, 6, 6)])
    assert work.forward == 2 * (4 * 4 * 4 * 27) + 2 * (4 * 4 * 4 * 2 * 4)


def test_work_of_recurrent_layers():
    work = Work(lambda m: m.nn.GRU(4, 8, num_layers=2, batch_first=True), [randn(2, 5, 4)])
    first, others = 2 * 10 * 24 * 4, 2 * 10 * 24 * (8 + 8 + 8)
    assert (work.forward, work.backward) == (first + others, first + 2 * others)


def test_weights_depend_on_names_alone():
    a, b = arrays(mlp(weft).state_dict()), arrays(mlp(weft).state_dict())
    assert all(np.array_equal(a[key], b[key]) for key in a)
    assert not np.array_equal(a["0.weight"][:4, :8], a["2.weight"][:4, :8])


def test_kernels_are_timed():
    x = weft.ones(256, 256)
    (operation, stem, seconds), *more = _core._time_kernels(lambda: x @ x)
    assert (operation, stem) == ("matmul", "matmul") and 0 < seconds < 10
    assert not more


class Counted:
    def __init__(self, seconds):
        self.seconds, self.turns = seconds, 0

    def turn(self):
        self.turns += 1
        return self.seconds, 1.0


def test_libraries_take_turns_in_the_same_number_of_rounds():
    runners = {"weft": Counted(1.0), "torch": Counted(2.0), "mkl": Counted(3.0)}
    times = take_turns(runners, budget=7, cores=Cores())
    assert {name: set(t) for name, t in times.items()} == {"weft": {1.0}, "torch": {2.0}, "mkl": {3.0}}
    assert {r.turns for r in runners.values()} == {7}
    assert len(take_turns({"weft": Counted(1.0)}, budget=0, cores=Cores())["weft"]) == 3  # of such long ones


def test_a_turn_on_fewer_cores_is_taken_again():
    there = iter([True, False, False, True] + 100 * [True])
    runners = {"weft": Counted(1.0), "torch": Counted(2.0)}
    times = take_turns(runners, budget=0, cores=Cores(lambda: next(there)))
    assert {name: len(t) for name, t in times.items()} == {"weft": 3, "torch": 3}
    assert (runners["weft"].turns, runners["torch"].turns) == (3, 4)


def test_cores_are_not_waited_for_for_ever():
    cores, runner = Cores(lambda: False, patience=0.01), Counted(1.0)
    assert len(take_turns({"weft": runner}, budget=0, cores=cores)["weft"]) == 3
    assert runner.turns == 4 and cores.patience <= 0


def test_an_opponent_that_fails_is_named_and_the_others_run():
    def fails(x):
        raise NotImplementedError("no such kernel")

    def add_one():
        return Case(inputs=[randn(4)], weft=lambda x: x + 1, numpy=lambda x: x + 1, torch=fails)

    result = measure(bench()(add_one), 0, budget=0, without=("mkl", "compiled"))
    assert set(result.ratio) == {"numpy"} and result.seconds["weft"] > 0
    if torch is not None:
        assert result.missing == {"torch": "NotImplementedError: no such kernel"}


def test_a_wrong_result_is_no_measurement():
    def add_one():
        return Case(inputs=[randn(4)], weft=lambda x: x + 1, numpy=lambda x: x + 2)

    with pytest.raises(AssertionError, match="add_one: result 0 vs numpy"):
        measure(bench()(add_one), 0, budget=0)


@pytest.mark.slow
def test_paired_processes():
    pytest.importorskip("torch")
    b, index = next(discover("models/bench_mlp/mlp_predict 4x16x16x3"))
    try:
        result = measure(b, index, budget=0, without=("jax", "onnxruntime"))
    finally:
        close_all()
    assert {"torch", "mkl", "compiled"} <= set(result.ratio) | set(result.missing)
    assert "mkl" in result.ratio


LIMITS = {
    "isa": "v4",
    "threads": 2,
    "flops_one": 2e11,
    "flops": 4e11,
    "read": 4e10,
    "copy": 4e10,
    "triad": 4e10,
    "triad_past": 4e10,
}


def test_page():
    def entry(name, group, **ratio):
        seconds = {"weft": 1e-3} | {lib: 1e-3 * r for lib, r in ratio.items()}
        rest = {"flops": 2e8, "bytes": 0, "of_limit": 0.5, "missing": {}, "error": ""}
        return {"name": name, "group": group, "seconds": seconds, "ratio": ratio, **rest}

    results = [
        entry("gpt_train batch=4", "models/transformer", torch=2.5, mkl=0.9),
        entry("softmax rows=8", "ops/softmax", torch=3.0),
        entry("worse rows=8", "ops/softmax", torch=0.5),
        {**entry("broken", "ops/x"), "error": "ValueError: no\nmore"},
    ]
    results[1]["missing"] = {"jax": "TypeError: such"}
    machine = {"date": "2026-01-01", "python": "3.12", "system": "Linux", "processor": "P", "weft": "1", "torch": "2"}
    text = page({"machine": machine, "limits": LIMITS, "results": results})
    lost = text[text.index("## Where Weft loses") : text.index("## Whole workloads")]
    assert "2 of 3 cases" in lost and "broken did not run: ValueError: no" in lost
    assert (
        lost.index("worse rows=8") < lost.index("gpt train batch=4") and "softmax rows=8" not in lost.split("worse")[0]
    )
    assert "| gpt train batch=4 | 1 ms | 200.0 GFLOP/s | 50 % | 2.50 | 0.90 |" in text
    assert "- softmax rows=8: JAX jit, TypeError: such" in text


def test_merged_runs_keep_the_last_result():
    runs = [{"machine": {}, "limits": LIMITS, "results": [{"group": "g", "name": "a", "n": n}]} for n in (1, 2)]
    assert merge(runs)["results"] == [{"group": "g", "name": "a", "n": 2}]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_share_of_others_leaves_out_our_own():
    others = Others([])
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        pass
    assert 0 <= others.share() <= 1.1
    own = Others([])
    own.start = (own.start[0], own.start[1] - 10, own.start[2])  # as if ten seconds were ours
    assert own.share() == 0
