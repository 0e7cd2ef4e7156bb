"""Recurrent networks of two layers; listed once weft has the layers."""

import numpy as np

import weft
from benchmarks.harness import bench, randn
from benchmarks.models.parts import training_case


def classifier(m, kind, features, hidden):
    class Classifier(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = getattr(m.nn, kind)(features, hidden, num_layers=2, batch_first=True)
            self.head = m.nn.Linear(hidden, 10)

        def forward(self, x):
            return self.head(self.layers(x)[0][:, -1])

    return Classifier()


def declare(kind):
    def build(batch, steps):
        inputs = [randn(batch, steps, 128), np.random.default_rng(1).integers(0, 10, batch)]
        return training_case(lambda m: classifier(m, kind, 128, 256), inputs)

    build.__name__ = f"{kind.lower()}_train"
    return bench([{"batch": 32, "steps": 64}, {"batch": 4, "steps": 64}])(build)


if hasattr(weft.nn, "LSTM"):
    lstm_train = declare("LSTM")
if hasattr(weft.nn, "GRU"):
    gru_train = declare("GRU")
