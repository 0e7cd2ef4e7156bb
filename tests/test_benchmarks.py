"""The benchmark's own parts: what it counts, which cases it lists, how it writes."""

import numpy as np
import pytest

import weft
from weft import _core

pytest.importorskip("benchmarks.harness", reason="benchmarks lie in the repository alone")
from benchmarks.harness import discover, randn
from benchmarks.models.parts import Work, arrays


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


def test_weights_depend_on_names_alone():
    a, b = arrays(mlp(weft).state_dict()), arrays(mlp(weft).state_dict())
    assert all(np.array_equal(a[key], b[key]) for key in a)
    assert not np.array_equal(a["0.weight"][:4, :8], a["2.weight"][:4, :8])


def test_kernels_are_timed():
    x = weft.ones(256, 256)
    (operation, stem, seconds), *more = _core._time_kernels(lambda: x @ x)
    assert (operation, stem) == ("matmul", "matmul") and 0 < seconds < 10
    assert not more
