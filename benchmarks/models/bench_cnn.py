"""A training step of a small convolutional network, of the size that `weft train digits` uses."""

import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch


def training_step(m, channels, image):
    def prepare(x, labels):
        c1, c2 = channels
        net = m.nn.Sequential(
            m.nn.Conv2d(x.shape[1], c1, 3, padding=1),
            m.nn.BatchNorm2d(c1),
            m.nn.ReLU(),
            m.nn.Conv2d(c1, c2, 3, padding=1),
            m.nn.BatchNorm2d(c2),
            m.nn.ReLU(),
            m.nn.MaxPool2d(2),
            m.nn.Flatten(),
            m.nn.Linear(c2 * (image // 2) ** 2, 10),
        )
        state = net.state_dict()
        for i, (key, value) in enumerate(state.items()):
            if key.endswith("weight") and value.ndim > 1:
                fan_in = int(np.prod(value.shape[1:]))
                state[key] = m.tensor(randn(*value.shape, seed=i) * np.float32((2 / fan_in) ** 0.5))
            elif key.endswith("bias"):
                state[key] = m.zeros(value.shape)
        net.load_state_dict(state)
        optimizer = m.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9)

        def step():
            optimizer.zero_grad()
            loss = m.nn.functional.cross_entropy(net(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        return step

    return prepare


@bench([{"channels": (16, 32), "image": 8, "batch": 64}, {"channels": (32, 64), "image": 28, "batch": 64}])
def cnn_train(channels, image, batch):
    c1, c2 = channels
    forward = 2 * batch * image**2 * 9 * (c1 + c1 * c2) + 2 * batch * c2 * (image // 2) ** 2 * 10
    return Case(
        inputs=[randn(batch, 1, image, image), np.random.default_rng(1).integers(0, 10, batch)],
        weft=training_step(weft, channels, image),
        torch=training_step(torch, channels, image),
        prepare=True,
        flops=3 * forward,
        rtol=1e-3,
    )
