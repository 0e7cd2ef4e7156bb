"""A training step of a small convolutional network, of the size that `weft train digits` uses."""

import numpy as np

from benchmarks.harness import bench, randn
from benchmarks.models.parts import training_case


def network(m, channels, image):
    c1, c2 = channels
    return m.nn.Sequential(
        m.nn.Conv2d(1, c1, 3, padding=1),
        m.nn.BatchNorm2d(c1),
        m.nn.ReLU(),
        m.nn.Conv2d(c1, c2, 3, padding=1),
        m.nn.BatchNorm2d(c2),
        m.nn.ReLU(),
        m.nn.MaxPool2d(2),
        m.nn.Flatten(),
        m.nn.Linear(c2 * (image // 2) ** 2, 10),
    )


@bench([{"channels": (16, 32), "image": 8, "batch": 64}, {"channels": (32, 64), "image": 28, "batch": 64}])
def cnn_train(channels, image, batch):
    inputs = [randn(batch, 1, image, image), np.random.default_rng(1).integers(0, 10, batch)]
    return training_case(lambda m: network(m, channels, image), inputs, optimizer="SGD", momentum=0.9)
