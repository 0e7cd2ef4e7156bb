"""Recurrent layers on "cuda" against the CPU."""

import numpy as np
import pytest
from agree import agree

import weft
from weft import _core

rng = np.random.default_rng(0)
GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


@pytest.mark.parametrize("mode", list(GATES))
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("sizes", [None, [3, 3, 2, 1]])
@pytest.mark.parametrize("projection", [None, 2])
def test_two_directions(mode, batch_first, sizes, projection, device):
    if (projection and mode != "LSTM") or (sizes and batch_first):
        pytest.skip("PyTorch has no such layer")
    steps, batch, width, hidden = 4, 3, 5, 6
    out, gates = projection or hidden, GATES[mode] * hidden
    x = rng.standard_normal((sum(sizes), width) if sizes else (steps, batch, width))
    if batch_first:
        x = x.swapaxes(0, 1).copy()
    weights = []
    for _ in range(2):
        shapes = [(gates, width), (gates, out), (gates,), (gates,), (out, hidden)]
        weights += [rng.standard_normal(s) * 0.5 for s in (shapes if projection else shapes[:4])]
    states = [rng.standard_normal((2, batch, out))]
    if mode == "LSTM":
        states.append(rng.standard_normal((2, batch, hidden)))

    def layer(x, h0, *rest):
        c0, rest = (rest[0], rest[1:]) if mode == "LSTM" else (None, rest)
        half = len(rest) // 2
        each = [[*w, *([None] * (5 - half))] for w in (rest[:half], rest[half:])]
        packed = None if sizes is None else weft.tensor(sizes)
        return _core.rnn_layer(mode, x, h0, c0, each[0] + each[1], batch_first, packed)

    agree(layer, x, *states, *weights, device=device, terms=64)
