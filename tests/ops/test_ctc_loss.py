import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, same_bits, torch

pytest.importorskip("torch")
TF = torch.nn.functional


def log_probs(*shape, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape) * 3
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def both(x, targets, inputs, lengths, **options):
    def run(m, f, log_probs):
        return f.ctc_loss(log_probs, m.tensor(targets), m.tensor(inputs), m.tensor(lengths), **options)

    check(lambda t: run(weft, F, t), lambda t: run(torch, TF, t), x, terms=20000)


@pytest.mark.parametrize("reduction", ("none", "mean", "sum"))
def test_ragged_batch(isa, reduction):
    targets = np.random.default_rng(1).integers(1, 6, (4, 9))
    both(log_probs(30, 4, 6), targets, [30, 22, 19, 25], [9, 4, 0, 1], reduction=reduction)
    joined = np.concatenate([t[:n] for t, n in zip(targets, [9, 4, 0, 1], strict=True)])
    both(log_probs(30, 4, 6), joined, [30, 22, 19, 25], [9, 4, 0, 1], reduction=reduction)


def test_repeated_labels_and_another_blank():
    both(log_probs(12, 2, 5), np.array([[1, 1, 1, 2], [0, 0, 3, 3]]), [12, 12], [4, 4], blank=4, reduction="sum")


def test_targets_that_do_not_fit():
    x, targets = log_probs(3, 2, 5), np.array([[1, 1, 2, 3], [1, 2, 3, 4]])
    both(x, targets, [3, 3], [4, 2], reduction="none", zero_infinity=True)
    ours = F.ctc_loss(weft.tensor(x), weft.tensor(targets), (3, 3), (4, 2), reduction="none")
    assert ours[0].item() == float("inf") and np.isfinite(ours[1].item())


def test_one_item_and_lists():
    x, targets = log_probs(10, 5), np.array([1, 2, 2])
    for reduction in ("none", "mean", "sum"):
        ours = F.ctc_loss(weft.tensor(x), weft.tensor(targets), (10,), (3,), reduction=reduction)
        theirs = TF.ctc_loss(torch.tensor(x), torch.tensor(targets), (10,), (3,), reduction=reduction)
        assert ours.shape == tuple(theirs.shape) and ours.item() == pytest.approx(theirs.item())


def test_through_log_softmax():
    """The gradient of the logits is the true one, whatever that of the log-probabilities means."""
    x = np.random.default_rng(0).standard_normal((6, 1, 3))

    def loss(t):
        return F.ctc_loss(F.log_softmax(t, -1), weft.tensor([[1, 2]]), [6], [2], reduction="sum")

    weft.testing.gradcheck(loss, x)


def test_threads():
    x = weft.tensor(log_probs(50, 16, 40)).float()
    targets = weft.tensor(np.random.default_rng(2).integers(1, 40, (16, 20)))

    def run():
        t = x.detach().requires_grad_()
        y = F.ctc_loss(t, targets, [50] * 16, [20] * 16)
        y.backward()
        return y.detach(), t.grad

    same_bits(run)


def test_no_plan():
    x, targets = weft.tensor(log_probs(10, 2, 5)), weft.tensor([[1, 2], [3, 4]])
    lengths = weft.tensor([10, 9]), weft.tensor([2, 1])
    with pytest.raises(RuntimeError, match="ctc_loss"):
        weft.compile(lambda x: F.ctc_loss(x, targets, *lengths), fullgraph=True)(x)


@pytest.mark.parametrize(
    "change",
    [
        {"blank": 5},
        {"input_lengths": [11, 10]},
        {"input_lengths": [10]},
        {"target_lengths": [4, 1]},
        {"target_lengths": [-1, 1]},
        {"targets": weft.tensor([[1, 5, 1], [1, 2, 3]])},
        {"targets": weft.tensor([[1.0, 2.0, 1.0], [1.0, 2.0, 3.0]])},
        {"targets": weft.tensor([1, 2, 1])},
    ],
)
def test_wrong_arguments(change):
    arguments = {
        "log_probs": weft.tensor(log_probs(10, 2, 5)),
        "targets": weft.tensor([[1, 2, 1], [1, 2, 3]]),
        "input_lengths": [10, 10],
        "target_lengths": [3, 2],
    }
    with pytest.raises((RuntimeError, IndexError, ValueError), match=r"\[ctc_loss\]"):
        F.ctc_loss(**(arguments | change))
