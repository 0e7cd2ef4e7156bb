"""Small networks of linear layers."""

from itertools import pairwise

import numpy as np

from benchmarks.harness import bench, randn
from benchmarks.models import in_jax
from benchmarks.models.parts import inference_case, training_case

SIZES = [
    {"layers": (784, 512, 256, 10), "batch": 128},
    {"layers": (4, 16, 16, 3), "batch": 32},
]
RECORDED = [{**size, "recorded": True} for size in SIZES]


def network(m, layers):
    modules = []
    for n_in, n_out in pairwise(layers):
        modules += [m.nn.Linear(n_in, n_out), m.nn.ReLU()]
    return m.nn.Sequential(*modules[:-1])


@bench(SIZES + RECORDED + [{**size, "recorded": "anew"} for size in SIZES])
def mlp_train(layers, batch, recorded=False):
    labels = np.random.default_rng(1).integers(0, layers[-1], batch)
    return training_case(
        lambda m: network(m, layers),
        [randn(batch, layers[0]), labels],
        jax=in_jax.train(lambda m: network(m, layers), in_jax.mlp),
        rtol=1e-4,
        recorded=recorded,
    )


@bench([*SIZES, *RECORDED, {"layers": (30, 64, 64, 2), "batch": 1, "recorded": True}])
def mlp_predict(layers, batch, recorded=False):
    return inference_case(
        lambda m: network(m, layers),
        [randn(batch, layers[0])],
        jax=in_jax.predict(lambda m: network(m, layers), in_jax.mlp),
        rtol=1e-4,
        recorded=recorded,
    )
