"""Whole training steps of small networks, and the smallest of operations: where overhead shows."""

from itertools import pairwise

import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch

SIZES = [
    {"layers": (784, 512, 256, 10), "batch": 128},
    {"layers": (4, 16, 16, 3), "batch": 32},
]


def network(m, layers):
    modules = []
    for i, (n_in, n_out) in enumerate(pairwise(layers)):
        modules += [m.nn.Linear(n_in, n_out), m.nn.ReLU()] if i < len(layers) - 2 else [m.nn.Linear(n_in, n_out)]
    return m.nn.Sequential(*modules)


def with_the_same_weights(m, net, layers):
    state = {}
    for i, (n_in, n_out) in enumerate(pairwise(layers)):
        state[f"{2 * i}.weight"] = m.tensor(randn(n_out, n_in, seed=i) * np.float32((2 / n_in) ** 0.5))
        state[f"{2 * i}.bias"] = m.zeros(n_out)
    net.load_state_dict(state)
    return net


def training_step(m, layers):
    """Forward, loss, backward and AdamW; returns the loss, as every user writes it."""

    def prepare(x, labels):
        net = with_the_same_weights(m, network(m, layers), layers)
        optimizer = m.optim.AdamW(net.parameters(), lr=1e-5)

        def step():
            optimizer.zero_grad()
            loss = m.nn.functional.cross_entropy(net(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        return step

    return prepare


@bench(SIZES)
def mlp_train(layers, batch):
    labels = np.random.default_rng(1).integers(0, layers[-1], batch)
    weights = sum(a * b for a, b in pairwise(layers))
    first = layers[0] * layers[1]  # the input wants no gradient
    return Case(
        inputs=[randn(batch, layers[0]), labels],
        weft=training_step(weft, layers),
        torch=training_step(torch, layers),
        prepare=True,
        flops=2 * batch * (3 * weights - first),
        rtol=1e-4,
    )


@bench(SIZES)
def mlp_predict(layers, batch):
    def prepare_with(m):
        def prepare(x):
            net = with_the_same_weights(m, network(m, layers), layers).eval()

            def predict():
                with m.no_grad():
                    return net(x)

            return predict

        return prepare

    weights = sum(a * b for a, b in pairwise(layers))
    return Case(
        inputs=[randn(batch, layers[0])],
        weft=prepare_with(weft),
        torch=prepare_with(torch),
        prepare=True,
        flops=2 * batch * weights,
        rtol=1e-4,
    )


@bench()
def add_16_with_gradients():
    add = lambda a, b: a + b  # noqa: E731
    return Case(inputs=[randn(16), randn(16, seed=1)], weft=add, torch=add, grad=[0, 1], threads=1)


@bench()
def add_16_without():
    add = lambda a, b: a + b  # noqa: E731
    return Case(inputs=[randn(16), randn(16, seed=1)], weft=add, torch=add, numpy=add, jax=add, threads=1)
