import contextlib
import io
import json
import os
import stat
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import weft
from weft import nn
from weft.io import load_file, load_model, save_file, save_model

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


def example(dtype, *shape):
    x = weft.arange(int(np.prod(shape))).reshape(shape)
    return (x % 2 == 0) if dtype == "bool" else x.to(getattr(weft, dtype))


@pytest.mark.parametrize("shape", [(3, 4), (), (0,), (2, 0, 3), (1,)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(tmp_path, dtype, shape):
    x = example(dtype, *shape)
    save_file({"a.b": x}, tmp_path / "x.safetensors", metadata={"note": "ünï"})
    (y,) = load_file(tmp_path / "x.safetensors").values()
    assert y.dtype == x.dtype and y.shape == x.shape and y.tolist() == x.tolist()


def test_the_safetensors_library_reads_our_files_and_we_read_its(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = {d: np.arange(6).reshape(2, 3).astype(d) for d in DTYPES if d != "bfloat16"}
    save_file(arrays, tmp_path / "ours.safetensors")
    theirs = numpy.load_file(tmp_path / "ours.safetensors")
    for name, a in arrays.items():
        np.testing.assert_array_equal(theirs[name], a)
        assert theirs[name].dtype == a.dtype
    numpy.save_file(arrays, tmp_path / "theirs.safetensors")
    for name, t in load_file(tmp_path / "theirs.safetensors").items():
        np.testing.assert_array_equal(t.numpy(), arrays[name])


def test_bfloat16_is_what_pytorch_reads(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file as torch_load

    x = weft.tensor([1.5, -2.0, 3e38]).to(weft.bfloat16)
    save_file({"x": x, "i": weft.tensor([7])}, tmp_path / "x.safetensors")
    loaded = torch_load(tmp_path / "x.safetensors")
    assert loaded["x"].dtype == torch.bfloat16
    assert loaded["x"].tolist() == torch.tensor([1.5, -2.0, 3e38]).bfloat16().tolist()


def test_views_are_saved_compactly_and_order_is_kept(tmp_path):
    big = weft.arange(1_000_000).float()
    views = {"z": big[:10], "a": big.reshape(1000, 1000).t()[:3, :2], "m": weft.tensor(3)}
    save_file(views, tmp_path / "x.safetensors")
    assert os.path.getsize(tmp_path / "x.safetensors") < 1000
    loaded = load_file(tmp_path / "x.safetensors")
    assert list(loaded) == ["z", "a", "m"] and loaded["a"].tolist() == [[0, 1000], [1, 1001], [2, 1002]]


def test_modules(tmp_path):
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    net(weft.randn(5, 3))
    save_model(net, tmp_path / "net.safetensors")
    twin = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    load_model(twin, tmp_path / "net.safetensors")
    for k, v in net.state_dict().items():
        assert twin.state_dict()[k].tolist() == v.tolist()
    weft.save(net, tmp_path / "again.safetensors")
    assert list(weft.load(tmp_path / "again.safetensors")) == list(net.state_dict())
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_model(nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)), tmp_path / "net.safetensors")


def test_nested_values_round_trip(tmp_path):
    value = {
        "state": {0: {"step": weft.tensor(3.0), "m": weft.ones(2, 2)}, 1: {}},
        "groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1], "nesterov": False, "none": None}],
        "best": float("inf"),
        "array": np.arange(3),
        "scalar": np.float32(2.5),
        "text": "grün",
        "dtype": weft.bfloat16,
        "dict": {"tensor": 1, True: 2, None: 3, 1.5: 4},
        "a.b": weft.zeros(1),
        "a": {"b": weft.ones(1)},
    }
    weft.save(value, tmp_path / "x.safetensors")
    got = weft.load(tmp_path / "x.safetensors")
    assert got["groups"] == value["groups"] and isinstance(got["groups"][0]["betas"], tuple)
    assert got["state"][0]["m"].tolist() == [[1, 1], [1, 1]] and got["state"][1] == {}
    assert got["best"] == float("inf") and isinstance(got["array"], np.ndarray) and got["array"].tolist() == [0, 1, 2]
    assert got["scalar"] == 2.5 and got["text"] == "grün" and got["dtype"] == weft.bfloat16
    assert got["dict"] == value["dict"]
    assert got["a.b"].tolist() == [0] and got["a"]["b"].tolist() == [1]
    for plain in (3, "x", [1, (2,)], weft.tensor([1, 2])):
        weft.save(plain, tmp_path / "plain.safetensors")
        back = weft.load(tmp_path / "plain.safetensors")
        assert back.tolist() == plain.tolist() if isinstance(plain, weft.Tensor) else back == plain


def test_file_objects():
    buffer = io.BytesIO()
    weft.save({"x": weft.ones(2)}, buffer)
    buffer.seek(0)
    assert weft.load(buffer)["x"].tolist() == [1, 1]


def test_what_cannot_be_saved_says_so(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(TypeError, match=r"model\.layer: .*Linear|expected tensors"):
        weft.save({"model": {"layer": object()}}, path)
    with pytest.raises(TypeError, match="keys"):
        weft.save({(1, 2): 3}, path)
    with pytest.raises(TypeError, match="expected a tensor"):
        save_file({"x": [1.0]}, path)
    with pytest.raises(ValueError, match="reserved"):
        save_file({"__metadata__": weft.ones(1)}, path)
    assert not path.exists() and os.listdir(tmp_path) == []


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save_file({"x": weft.ones(2)}, path)
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()

    def broken(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        save_file({"x": weft.zeros(100)}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.safetensors"]
    with pytest.raises(FileNotFoundError):
        save_file({"x": weft.ones(1)}, tmp_path / "missing" / "x.safetensors")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        weft.load(tmp_path / "nothing.safetensors")


# Damaged files


def packed(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"x": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


BAD = {
    "empty": b"",
    "short": b"\x01\x02",
    "length beyond the end": struct.pack("<Q", 1 << 60) + b"{}",
    "not JSON": packed(b"hello"),
    "not UTF-8": packed(b"\xff\xfe"),
    "a list": packed([1]),
    "no dtype": packed({"x": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "unknown dtype": packed(entry("F99"), bytes(8)),
    "unsupported dtype": packed(entry("F8_E4M3", (8,)), bytes(8)),
    "negative size": packed(entry(shape=(-2,)), bytes(8)),
    "huge size": packed(entry(shape=(1 << 62, 1 << 62)), bytes(8)),
    "wrong size": packed(entry(shape=(3,)), bytes(8)),
    "offsets beyond the end": packed(entry(offsets=(0, 80), shape=(20,)), bytes(8)),
    "backward offsets": packed(entry(offsets=(8, 0)), bytes(8)),
    "hole": packed({**entry(), "y": entry(offsets=(16, 24))["x"]}, bytes(24)),
    "overlap": packed({**entry(), "y": entry(offsets=(4, 12))["x"]}, bytes(12)),
    "left over": packed(entry(), bytes(9)),
    "metadata not text": packed({"__metadata__": {"a": 1}, **entry()}, bytes(8)),
    "deep JSON": packed(b"[" * 100_000),
    "structure not JSON": packed({"__metadata__": {"weft.structure": "{"}, **entry()}, bytes(8)),
    "structure names no tensor": packed({"__metadata__": {"weft.structure": '{"tensor": "y"}'}, **entry()}, bytes(8)),
    "structure of unknown kind": packed({"__metadata__": {"weft.structure": '{"call": "x"}'}, **entry()}, bytes(8)),
    "structure with two kinds": packed(
        {"__metadata__": {"weft.structure": '{"tuple": [], "dict": []}'}, **entry()}, bytes(8)
    ),
    "structure too deep": packed({"__metadata__": {"weft.structure": "[" * 5000 + "]" * 5000}, **entry()}, bytes(8)),
    "unhashable key": packed({"__metadata__": {"weft.structure": '{"dict": [[[1], 2]]}'}, **entry()}, bytes(8)),
    "unknown dtype in structure": packed(
        {"__metadata__": {"weft.structure": '{"dtype": "__class__"}'}, **entry()}, bytes(8)
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_damaged_files_raise_value_error(tmp_path, name):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(BAD[name])
    with pytest.raises(ValueError, match=r"bad\.safetensors"):
        weft.load(path)
    if not name.startswith(("structure", "unhashable", "unknown dtype in")):
        net = nn.Linear(2, 1)
        before = net.weight.tolist()
        with pytest.raises(ValueError):
            load_model(net, path)
        assert net.weight.tolist() == before


def whole_file():
    buffer = io.BytesIO()
    weft.save({"a": weft.arange(5).float(), "nested": {1: weft.ones(2), "t": (1, 2.5, None)}}, buffer)
    return buffer.getvalue()


def test_every_truncation_raises():
    data = whole_file()
    for n in range(len(data)):
        with pytest.raises(ValueError):
            weft.load(io.BytesIO(data[:n]))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_changed_bytes_load_or_raise_value_error(data):
    raw = bytearray(whole_file())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        weft.load(io.BytesIO(bytes(raw)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_load_or_raise_value_error(raw):
    for candidate in (raw, packed(raw)):
        with contextlib.suppress(ValueError):
            weft.load(io.BytesIO(candidate))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON, st.binary(max_size=16))
def test_any_header_loads_or_raises_value_error(header, body):
    with contextlib.suppress(ValueError):
        weft.load(io.BytesIO(packed(header, body)))
