import math

import numpy as np
import pytest

import weft
from weft import nn
from weft.nn import utils


def with_grads(*grads):
    params = []
    for g in grads:
        p = nn.Parameter(weft.zeros(len(g)))
        p.grad = weft.tensor(g)
        params.append(p)
    return params


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_grad_norm(norm_type, max_norm):
    grads = [[3.0, -4.0], [1.0, 2.0, 2.0]]
    params = with_grads(*grads)
    flat = np.concatenate(grads)
    total = np.linalg.norm(flat, norm_type)
    assert float(utils.clip_grad_norm_(params, max_norm, norm_type)) == pytest.approx(total, rel=1e-6)
    after = np.concatenate([p.grad.numpy() for p in params])
    np.testing.assert_allclose(after, flat * min(1.0, max_norm / (total + 1e-6)), rtol=1e-6)


def test_clip_grad_norm_edges():
    assert float(utils.clip_grad_norm_([nn.Parameter(weft.zeros(2))], 1.0)) == 0.0
    params = with_grads([math.nan, 1.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    (single,) = with_grads([3.0, 4.0])
    utils.clip_grad_norm_(single, 1.0)
    np.testing.assert_allclose(single.grad.numpy(), [0.6, 0.8], rtol=1e-5)


def test_clip_grad_value():
    (p,) = with_grads([3.0, -4.0, 0.5])
    utils.clip_grad_value_([p], 1.0)
    assert p.grad.tolist() == [1.0, -1.0, 0.5]


def test_vector_round_trip():
    net = nn.Linear(3, 2)
    v = utils.parameters_to_vector(net.parameters())
    assert v.shape == (8,)
    utils.vector_to_parameters(v * 2, net.parameters())
    np.testing.assert_allclose(utils.parameters_to_vector(net.parameters()).detach().numpy(), 2 * v.detach().numpy())
    with pytest.raises(ValueError, match="8 elements"):
        utils.vector_to_parameters(weft.zeros(7), net.parameters())
