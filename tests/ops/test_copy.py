"""Copies: conversion between all dtypes, strides, transposes, filling, gradients."""

import numpy as np
import pytest

import weft
from oracle import check_same, same_bits, torch
from weft.testing import assert_close, to_numpy

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
random = np.random.default_rng(0)


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_conversion(isa, source, target):
    if torch is None:
        pytest.skip("needs PyTorch")
    for n in (0, 1, 15, 16, 17, 300):
        values = random.integers(0, 120, n).astype(np.float64)
        if source.startswith(("float", "bfloat")):
            values += random.integers(0, 4, n) / 4
        x = weft.tensor(values).to(getattr(weft, source)).to(getattr(weft, target))
        t = torch.tensor(values).to(getattr(torch, source)).to(getattr(torch, target))
        assert str(x.dtype) == str(t.dtype).replace("torch", "weft")
        assert_close(x, t, rtol=0, atol=0)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_rounds_like_pytorch(isa, half):
    """All 65,536 patterns there, and floats of every exponent back; denormals of half precision are kept."""
    if torch is None:
        pytest.skip("needs PyTorch")
    bits = np.arange(65536, dtype=np.uint16).view(np.int16)
    t = torch.from_numpy(bits).view(getattr(torch, half))
    floats = t.float().numpy()
    assert_close(weft.tensor(floats).to(getattr(weft, half)).to(weft.float32), floats, rtol=0, atol=2.0**-126)
    x = random.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    edges = [65504, 65519.99, 65520, 2.0**-24, 2.0**-25, 1.5 * 2.0**-25, 6.1e-5, np.inf, np.nan]
    x = np.concatenate([x, np.array(edges, np.float32)])
    want = torch.from_numpy(x).to(getattr(torch, half)).float()
    assert_close(weft.tensor(x).to(getattr(weft, half)).to(weft.float32), want, rtol=0, atol=2.0**-126)


@pytest.mark.parametrize("dtype", ["bool", "int16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (33, 70), (100, 1), (2, 37, 41), (5, 2, 40, 36)], ids=str)
def test_transposes(isa, dtype, shape):
    x = random.integers(0, 2, shape).astype(dtype) if dtype == "bool" else random.integers(-99, 99, shape).astype(dtype)
    t = weft.tensor(x)
    for axes in {tuple(random.permutation(len(shape))) for _ in range(6)}:
        y = t.permute(*[int(a) for a in axes]).contiguous()
        assert y.is_contiguous() and to_numpy(y).tobytes() == np.ascontiguousarray(x.transpose(axes)).tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_large_transposes(isa, dtype):
    """Bands of 128 bytes and cuts of 2,048 columns, whole and not, and views that are not whole rows."""
    for shape in ((128, 64), (129, 2048), (31, 2049), (5, 4100), (2100, 33)):
        x = random.integers(0, 99, shape).astype(dtype)
        t = weft.tensor(x)
        for a, b in ((t, x), (t[1:, :-1], x[1:, :-1]), (t[:, 3:], x[:, 3:])):
            assert to_numpy(a.t().contiguous()).tobytes() == np.ascontiguousarray(b.T).tobytes()


@pytest.mark.parametrize("n", [1, 3, 4, 5, 15, 16, 17, 31, 33, 255, 256, 257, 1023, 1024, 1025])
def test_short_rows(isa, n):
    x = random.standard_normal((9, 7, 5, n)).astype(np.float32)
    t = weft.tensor(x)
    for axes in ((0, 2, 1, 3), (2, 1, 0, 3), (1, 2, 0, 3)):
        assert to_numpy(t.permute(*axes).contiguous()).tobytes() == np.ascontiguousarray(x.transpose(axes)).tobytes()
    target = weft.zeros(7, 9, 5, n + 1)
    target.permute(1, 0, 2, 3)[..., :n].copy_(t)
    want = np.zeros((7, 9, 5, n + 1), np.float32)
    want.transpose(1, 0, 2, 3)[..., :n] = x
    assert to_numpy(target).tobytes() == want.tobytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_expanded_elements(isa, dtype):
    x = np.arange(-3, 4).astype(dtype)
    for n in (1, 2, 7, 8, 15, 16, 17, 63, 64, 65, 200, 40_000):
        assert to_numpy(weft.tensor(x[:, None]).expand(7, n).contiguous()).tobytes() == np.repeat(x, n).tobytes()


def test_same_bits_of_copies_for_any_number_of_threads():
    x = weft.tensor(random.standard_normal((8, 33, 21, 45)).astype(np.float32))
    same_bits(lambda: (x.permute(0, 2, 1, 3).contiguous(), x.permute(0, 2, 3, 1).contiguous()))


def test_strided_views(isa):
    x = random.standard_normal((6, 50, 40)).astype(np.float32)
    t = weft.tensor(x)
    for key in (
        (slice(None), slice(3, 40, 3)),
        (slice(None), slice(None), slice(1, None, 2)),
        (slice(1, 5), 7),
        (slice(None), slice(None), 3),
    ):
        assert to_numpy(t[key].contiguous()).tobytes() == np.ascontiguousarray(x[key]).tobytes()
        assert to_numpy(t[key].to(weft.float64)).tobytes() == x[key].astype(np.float64).tobytes()
        target = weft.zeros(6, 50, 40, dtype=weft.float64)
        target[key] = t[key]
        want = np.zeros(x.shape)
        want[key] = x[key]
        assert to_numpy(target).tobytes() == want.tobytes()


def test_copy_in_place():
    x = weft.zeros(3, 4)
    y = weft.arange(4)
    before = x.data_ptr()
    assert x.copy_(y) is x and x.data_ptr() == before
    assert to_numpy(x).tolist() == [[0.0, 1.0, 2.0, 3.0]] * 3
    x[:, 1:].copy_(x[:, :-1])  # overlapping
    assert to_numpy(x).tolist() == [[0.0, 0.0, 1.0, 2.0]] * 3
    x.t().copy_(weft.ones(4, 1))
    assert to_numpy(x).tolist() == [[1.0] * 4] * 3
    with pytest.raises((RuntimeError, ValueError), match=r"\[copy_\]"):
        x.copy_(weft.ones(5))
    with pytest.raises(RuntimeError, match="broadcast"):
        weft.zeros(1, 4).copy_(weft.ones(3, 4))


@pytest.mark.parametrize("dtype", DTYPES)
def test_fill(isa, dtype):
    for shape in ((), (0,), (1,), (17,), (5, 300)):
        x = weft.zeros(*shape, dtype=getattr(weft, dtype)) if shape else weft.tensor(0).to(getattr(weft, dtype))
        x.fill_(1)
        assert (to_numpy(x) == 1).all()
        x.zero_()
        assert (to_numpy(x) == 0).all()
    x = weft.zeros(6, 8, dtype=getattr(weft, dtype))
    x[1::2, ::3].fill_(1)
    want = np.zeros((6, 8))
    want[1::2, ::3] = 1
    assert (to_numpy(x) == want).all()
    x.fill_(weft.tensor(1))
    assert (to_numpy(x) == 1).all()
    with pytest.raises(RuntimeError, match="0-dimensional"):
        x.fill_(weft.ones(2))


def test_large_integers_survive():
    assert weft.zeros(2, dtype=weft.int64).fill_(2**53 + 1).tolist() == [2**53 + 1] * 2
    x = weft.tensor([2**62 + 3, -(2**62) - 5])
    assert (x + 1).tolist() == [2**62 + 4, -(2**62) - 4]


def test_to():
    x = weft.ones(2)
    assert x.to(weft.float32) is x and x.to("cpu") is x and x.to(x) is x
    assert x.to(weft.float32, copy=True) is not x
    assert x.to(dtype=weft.float64).dtype == weft.float64
    assert x.to("cpu", weft.int32).dtype == weft.int32
    assert x.to(device="cpu", dtype=weft.float16).dtype == weft.float16
    assert x.to(weft.ones(1, dtype=weft.int64)).dtype == weft.int64
    for name, dtype in {
        "half": "float16",
        "double": "float64",
        "int": "int32",
        "long": "int64",
        "bool": "bool",
    }.items():
        assert getattr(x, name)().dtype == getattr(weft, dtype)
    assert x.type(weft.float64).dtype == weft.float64 and x.type_as(weft.ones(1).double()).dtype == weft.float64
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        x.to("nowhere")


def test_gradients():
    x, y = random.standard_normal((3, 4)), random.standard_normal(4)
    check_same(lambda m, x: x.clone() * x, x)
    check_same(lambda m, x: x.t().contiguous() * 2, x)
    check_same(lambda m, x: (x.double() * x).to(x.dtype), x)

    def copied(m, x, y):
        z = m.zeros(3, 4, dtype=x.dtype)
        z.copy_(y)
        z[1] = x[0]
        return z * z

    check_same(copied, x, y)

    def filled(m, x):
        z = x * 1
        z[:, 1].fill_(2)
        return z * z

    check_same(filled, x)


def test_equal_bits_on_any_number_of_threads():
    x = weft.tensor(random.standard_normal((500, 700)).astype(np.float32))
    same_bits(lambda: (x.t().contiguous(), x.half().float(), x[:, ::2].contiguous()))
