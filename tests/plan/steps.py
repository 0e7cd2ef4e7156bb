"""What the tests of weft.compile share: tensors, a step that trains."""

import numpy as np
import pytest

import weft
from weft.compiler import ReplayWarning
from weft.nn import functional as F

random = np.random.default_rng(0)


def tensor(*shape):
    return weft.tensor(random.standard_normal(shape).astype(np.float32))


def same(a, b):
    return a.dtype == b.dtype and np.array_equal(a.detach().numpy(), b.detach().numpy())


def training(model, **options):
    opt = weft.optim.SGD(model.parameters(), lr=0.1, **options)

    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        return loss

    return opt, step


def classifying(model, steps):
    """AdamW with clipping and a cosine schedule."""
    opt = weft.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = weft.optim.lr_scheduler.CosineAnnealingLR(opt, steps)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        weft.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        schedule.step()
        return loss.detach()

    return opt, step


def falls_back(f, *args, words, times=2):
    """Each call gives what f gives; there is one warning with these words that names a line of the test."""
    compiled = weft.compile(f)
    with pytest.warns(ReplayWarning, match=words) as caught:
        results = [compiled(*args) for _ in range(times)]
    assert len(caught) == 1 and "/tests/plan/" in str(caught[0].message)
    assert not getattr(compiled, "compiled", compiled).plans
    with pytest.raises(RuntimeError, match="fullgraph"):
        weft.compile(f, fullgraph=True)(*args)
    return results
