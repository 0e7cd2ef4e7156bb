"""Losses as modules: values, gradients, arguments and printing beside torch.nn."""

import warnings

import numpy as np
import pytest

import weft
from weft import nn

torch = pytest.importorskip("torch")

RANDOM = np.random.default_rng(5)
A, B, C = (RANDOM.standard_normal((6, 4)).astype(np.float32) for _ in range(3))
SIGNS = np.where(RANDOM.random(6) < 0.5, -1, 1)
CLASSES = RANDOM.integers(0, 4, 6)
LISTED = np.array([[1, 3, -1, 0], [0, -1, -1, -1], [-1, 0, 1, 2], [3, 2, 1, 0], [2, 2, -1, 1], [0, 3, 1, -1]])
WEIGHT = np.array([0.5, 1, 2, 0.25], np.float32)

CASES = [
    ("PoissonNLLLoss({r})", (A, np.abs(B) * 3)),
    ("PoissonNLLLoss(False, True, eps=1e-6{c})", (np.abs(A), np.abs(B) * 3)),
    ("GaussianNLLLoss({r})", (A, B, np.abs(C))),
    ("GaussianNLLLoss(full=True, eps=0.5{c})", (A, B, np.abs(C[:, :1]))),
    ("MarginRankingLoss({r})", (A[:, 0], B[:, 0], SIGNS)),
    ("MarginRankingLoss(0.7{c})", (A[:, 0], B[:, 0], SIGNS)),
    ("HingeEmbeddingLoss({r})", (A[:, 0], SIGNS)),
    ("HingeEmbeddingLoss(0.3{c})", (A[:, 0], SIGNS)),
    ("CosineEmbeddingLoss({r})", (A, B, SIGNS)),
    ("CosineEmbeddingLoss(0.2{c})", (A, B, SIGNS)),
    ("CosineEmbeddingLoss({r})", (A[0], B[0], SIGNS[0])),
    ("SoftMarginLoss({r})", (A, np.sign(B))),
    ("MultiLabelMarginLoss({r})", (A, LISTED)),
    ("MultiLabelMarginLoss({r})", (A[0], LISTED[0])),
    ("MultiLabelSoftMarginLoss({r})", (A, (B > 0).astype(np.float32))),
    ("MultiLabelSoftMarginLoss(m.tensor(WEIGHT){c})", (A, (B > 0).astype(np.float32))),
    ("MultiMarginLoss({r})", (A, CLASSES)),
    ("MultiMarginLoss(2, 0.5, m.tensor(WEIGHT){c})", (A, CLASSES)),
    ("MultiMarginLoss({r})", (A[0], CLASSES[0])),
    ("TripletMarginLoss({r})", (A, B, C)),
    ("TripletMarginLoss(0.5, 1.5, 1e-3, True{c})", (A, B, C)),
    ("TripletMarginWithDistanceLoss({r})", (A, B, C)),
    ("TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1), swap=True{c})", (A, B, C)),
    ("MSELoss({r})", (A, B)),
    ("CrossEntropyLoss(m.tensor(WEIGHT), ignore_index=2, label_smoothing=0.2{c})", (A, CLASSES)),
    ("CrossEntropyLoss(label_smoothing=0.2{c})", (A, np.abs(B))),
    ("NLLLoss(m.tensor(WEIGHT), ignore_index=1{c})", (A, CLASSES)),
    ("BCEWithLogitsLoss(m.tensor(WEIGHT), pos_weight=m.tensor(WEIGHT){c})", (A, np.abs(B) % 1)),
]


def made(m, text, reduction):
    option = f"reduction={reduction!r}"
    return eval("m.nn." + text.format(r=option, c=", " + option), {"m": m, "WEIGHT": WEIGHT})


def run(m, text, reduction, arrays):
    tensors = [m.tensor(np.array(a)) for a in arrays]
    wanted = [t.requires_grad_() for t in tensors[:-1] if t.is_floating_point()]
    y = made(m, text, reduction)(*tensors)
    y.sum().backward()
    return [y.detach().numpy(), *(t.grad.numpy() for t in wanted)]


@pytest.mark.parametrize("reduction", ("none", "mean", "sum"))
@pytest.mark.parametrize("text, arrays", CASES)
def test_beside_torch(text, arrays, reduction):
    for a, b in zip(run(weft, text, reduction, arrays), run(torch, text, reduction, arrays), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("text", sorted({text for text, _ in CASES if "Distance" not in text}))
def test_printed_and_kept(text):
    ours, theirs = made(weft, text, "sum"), made(torch, text, "sum")
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("outputs", ((), (3, 2)))
@pytest.mark.parametrize("reduction", ("none", "mean", "sum"))
def test_linear_cross_entropy(outputs, reduction):
    options = {"out_features": outputs, "bias": True, "reduction": reduction, "label_smoothing": 0.1}
    ours, theirs = (m.nn.LinearCrossEntropyLoss(5, 7, **options) for m in (weft, torch))
    ours.load_state_dict({k: weft.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    assert "in_features=5, num_classes=7" in repr(ours) and list(ours.state_dict()) == list(theirs.state_dict())
    x, t = A.reshape(-1)[:20].reshape(4, 5), np.random.default_rng(0).integers(0, 7, (4, *outputs))
    y, z = ours(weft.tensor(x), weft.tensor(t)), theirs(torch.tensor(x), torch.tensor(t))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-5)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(ours.linear.weight.grad.numpy(), theirs.linear.weight.grad.numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(RuntimeError, match="label_smoothing"):
        weft.nn.LinearCrossEntropyLoss(5, 7, label_smoothing=2)
    with pytest.raises(RuntimeError, match="weight shape"):
        weft.nn.LinearCrossEntropyLoss(5, 7, weight=weft.ones(5))


@pytest.mark.parametrize("size_average", (None, True, False))
@pytest.mark.parametrize("reduce", (None, True, False))
def test_older_arguments(size_average, reduce):
    def both(make):
        for m in (weft, torch):
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                y = make(m)
            assert (len(seen) > 0) == (size_average is not None or reduce is not None)
            yield y

    for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "SoftMarginLoss", "MultiLabelMarginLoss"):
        a, b = both(lambda m, name=name: getattr(m.nn, name)(size_average, reduce))
        assert a.reduction == b.reduction
    a, b = both(lambda m: m.nn.CrossEntropyLoss(None, size_average, 3, reduce))
    assert (a.reduction, a.ignore_index) == (b.reduction, b.ignore_index)
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "soft_margin_loss"):
        a, b = both(lambda m, name=name: getattr(m.nn.functional, name)(m.tensor(A), m.tensor(B), size_average, reduce))
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    for name in ("cross_entropy", "nll_loss"):
        a, b = both(
            lambda m, name=name: getattr(m.nn.functional, name)(
                m.tensor(A), m.tensor(CLASSES), None, size_average, -100, reduce
            )
        )
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_weighted_means():
    w = np.abs(C)
    for name in ("mse_loss", "l1_loss", "huber_loss"):
        for reduction in ("none", "mean", "sum"):
            a, b = (
                getattr(m.nn.functional, name)(m.tensor(A), m.tensor(B), reduction=reduction, weight=m.tensor(w))
                for m in (weft, torch)
            )
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="weight"):
        weft.nn.functional.mse_loss(weft.tensor(A), weft.tensor(B), weight=weft.ones(4))


@pytest.mark.parametrize("name", ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"))
def test_broadcast_targets_are_warned_of(name):
    with pytest.warns(UserWarning, match=name):
        y = getattr(weft.nn.functional, name)(weft.tensor(A), weft.tensor(B[:1]))
    with pytest.warns(UserWarning, match="target size"):
        z = getattr(torch.nn.functional, name)(torch.tensor(A), torch.tensor(B[:1]))
    assert y.item() == pytest.approx(z.item(), rel=1e-5)


def test_ctc():
    x = weft.nn.functional.log_softmax(weft.tensor(RANDOM.standard_normal((9, 2, 5))), -1)
    loss = nn.CTCLoss(blank=4, reduction="sum", zero_infinity=True)
    arguments = [[0, 1, 1], [2, 3, 0]], (9, 9), (3, 2)
    theirs = torch.nn.CTCLoss(4, "sum", True)
    want = theirs(torch.tensor(x.numpy()), torch.tensor(arguments[0]), *arguments[1:]).item()
    assert loss(x, weft.tensor(arguments[0]), *arguments[1:]).item() == pytest.approx(want)


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.MultiMarginLoss(p=3),
        lambda nn: nn.TripletMarginLoss(margin=0),
        lambda nn: nn.TripletMarginWithDistanceLoss(margin=-1),
        lambda nn: nn.GaussianNLLLoss(reduction="average"),
    ],
)
def test_wrong_arguments(make):
    with pytest.raises(ValueError):
        make(nn)
