import threading

import numpy as np
import pytest

import weft
import weft.plan

random = np.random.default_rng(0)


def tensor(*shape):
    return weft.tensor(random.standard_normal(shape).astype(np.float32))


@pytest.fixture
def network():
    w1, b1, w2 = tensor(32, 8), tensor(32), tensor(4, 32)
    f = lambda x: weft.softmax((x @ w1.t() + b1).tanh() @ w2.t(), dim=-1)  # noqa: E731
    return f, (w1, b1, w2)


def test_replay_is_bit_equal(network):
    f, _ = network
    plan = weft.plan.record(f, tensor(5, 8))
    for _ in range(3):
        x = tensor(5, 8)
        assert np.array_equal(plan(x).numpy(), f(x).numpy())


def test_outputs_are_their_own(network):
    f, _ = network
    plan = weft.plan.record(f, tensor(5, 8))
    x = tensor(5, 8)
    first = plan(x)
    kept = first.numpy().copy()
    plan(tensor(5, 8))
    assert np.array_equal(first.numpy(), kept)


def test_weights_may_change_in_place_and_are_kept_alive(network):
    f, weights = network
    plan = weft.plan.record(f, tensor(5, 8))
    x = tensor(5, 8)
    weights[0].mul_(0.5)
    assert np.array_equal(plan(x).numpy(), f(x).numpy())
    weights[0].data = tensor(32, 8)  # the recorded memory must outlive this
    assert np.isfinite(plan(x).numpy()).all()


def test_several_inputs_and_outputs():
    plan = weft.plan.record(lambda a, b: (a + b, (a * b).sum()), tensor(3), tensor(3))
    a, b = tensor(3), tensor(3)
    total, product = plan(a, b)
    assert np.array_equal(total.numpy(), (a + b).numpy()) and product.item() == (a * b).sum().item()


def test_description(network):
    plan = weft.plan.record(network[0], tensor(5, 8))
    text = plan.describe()
    assert "softmax" in text and f"{len(plan)} launches" in text and plan.nbytes > 32 * 8 * 4


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda x: x * x.sum().item(), r"item\(\)"),
        (lambda x: weft.from_numpy(x.numpy()), r"numpy\(\)"),
        (lambda x: x + weft.rand(3), "random"),
    ],
)
def test_what_cannot_be_replayed(step, words):
    with pytest.raises(RuntimeError, match=words):
        weft.plan.record(step, tensor(3))
    assert (tensor(3) + 1).sum().item() != 0  # recording has ended


@pytest.mark.parametrize(
    ("inputs", "error"),
    [((), TypeError), ((weft.zeros(4),), ValueError), ((weft.zeros(3, dtype=weft.float64),), ValueError)],
)
def test_other_inputs(inputs, error):
    plan = weft.plan.record(lambda x: x * 2, tensor(3))
    with pytest.raises(error, match="recorded"):
        plan(*inputs)


def test_errors_of_the_step_come_out():
    with pytest.raises(ZeroDivisionError):
        weft.plan.record(lambda x: 1 / 0, tensor(3))


def test_threads_take_turns(network):
    f, _ = network
    plan = weft.plan.record(f, tensor(64, 8))
    inputs = [tensor(64, 8) for _ in range(4)]
    expected = [f(x).numpy() for x in inputs]
    wrong = []

    def work(i):
        for _ in range(50):
            if not np.array_equal(plan(inputs[i]).numpy(), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
