import numpy as np
import pytest

import weft

NUMPY_DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("name", NUMPY_DTYPES)
def test_numpy_round_trip_shares_memory(name):
    a = np.arange(6).reshape(2, 3).astype(name)
    t = weft.from_numpy(a)
    assert t.dtype is getattr(weft, name) and t.shape == (2, 3)
    b = t.numpy()
    assert b.dtype == a.dtype and np.array_equal(a, b)
    b[0, 0] = 1
    assert a[0, 0] == 1 and t[0, 0].item() == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a[:, ::2],
        lambda a: a.T,
        lambda a: a[::-1],
        lambda a: a[:, ::-1][1:],
        lambda a: np.asfortranarray(a),
        lambda a: np.broadcast_to(a[0], (3, 6)),
        lambda a: a.astype(">f4"),
        lambda a: a[:0],
    ],
)
def test_strange_arrays(make):
    a = make(np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32))
    t = weft.tensor(a)
    assert np.array_equal(t.numpy(), a)
    assert np.array_equal(weft.as_tensor(a).numpy(), a)


def test_misaligned_array():
    raw = np.zeros(4 * 5 + 1, np.uint8)
    a = raw[1:].view(np.float32)
    a[:] = np.arange(5)
    assert weft.from_numpy(a).tolist() == [0, 1, 2, 3, 4]


def test_read_only_array():
    a = np.zeros(3)
    a.setflags(write=False)
    t = weft.from_numpy(a)
    with pytest.raises(RuntimeError, match="read-only"):
        t.add_(1)
    assert not t.numpy().flags.writeable
    assert weft.tensor(a).add_(1).tolist() == [1, 1, 1]


def test_memory_outlives_its_owners():
    view = weft.from_numpy(np.arange(1000.0))[10:20].numpy()
    assert view.tolist() == list(range(10, 20))


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1, "int64", ()),
        (1.5, "float32", ()),
        (True, "bool", ()),
        ([1, 2], "int64", (2,)),
        ([[1.0, 2.0]], "float32", (1, 2)),
        ([], "float32", (0,)),
        (np.float64(2), "float64", ()),
        (np.ones(2, np.float64), "float64", (2,)),
        (range(3), "int64", (3,)),
    ],
)
def test_tensor_from_data(data, dtype, shape):
    t = weft.tensor(data)
    assert t.dtype is getattr(weft, dtype) and t.shape == shape


def test_tensor_of_tensors():
    assert weft.tensor([weft.tensor(1.0), weft.tensor(2.0)]).tolist() == [1, 2]


def test_tensor_copies_and_as_tensor_does_not():
    a = np.zeros(3, np.float32)
    copy, shared = weft.tensor(a), weft.as_tensor(a)
    a[0] = 5
    assert copy[0].item() == 0 and shared[0].item() == 5
    assert weft.as_tensor(shared) is shared


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: weft.tensor([[1, 2], [3]]), ValueError),
        (lambda: weft.tensor("text"), TypeError),
        (lambda: weft.tensor(np.array([1 + 2j])), TypeError),
        (lambda: weft.tensor(np.zeros((1,) * 9)), ValueError),
        (lambda: weft.tensor(np.zeros(2, np.uint16)), TypeError),
        (lambda: weft.from_numpy([1, 2]), TypeError),
        (lambda: weft.zeros(-1), RuntimeError),
        (lambda: weft.zeros(2**40, 2**40), OverflowError),
        (lambda: weft.empty(2**46), MemoryError),
        (lambda: weft.zeros(2, dtype="nonsense"), TypeError),
        (lambda: weft.zeros(2, device="tpu"), (ValueError, RuntimeError)),
        (lambda: weft.zeros(1.5), TypeError),
        (lambda: weft.full((2,), "a"), (TypeError, ValueError, RuntimeError)),
        (lambda: weft.arange(0, 5, 0), RuntimeError),
        (lambda: weft.arange(0, float("inf")), RuntimeError),
        (lambda: weft.linspace(0, 1, -1), RuntimeError),
        (lambda: weft.zeros(2).item(), RuntimeError),
        (lambda: bool(weft.zeros(2)), RuntimeError),
        (lambda: weft.zeros(2, requires_grad=True).numpy(), RuntimeError),
        (lambda: weft.zeros(2, dtype=weft.bfloat16).numpy(), TypeError),
    ],
)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()


def test_creation():
    assert weft.zeros(2, 3).tolist() == [[0] * 3] * 2
    assert weft.ones((2,), dtype=weft.int32).dtype is weft.int32
    assert weft.full((2,), 7).dtype is weft.int64
    assert weft.full((2,), 2**53 + 1).tolist() == [2**53 + 1] * 2
    assert weft.arange(5).tolist() == [0, 1, 2, 3, 4]
    assert weft.arange(1, 2, 0.25).tolist() == [1, 1.25, 1.5, 1.75]
    assert weft.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert weft.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert weft.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    x = weft.ones(2, 2, dtype=weft.float64)
    assert weft.zeros_like(x).dtype is weft.float64
    assert x.new_zeros(3).dtype is weft.float64
    assert weft.full_like(x, 2).sum().item() == 8


def test_attributes():
    x = weft.zeros(2, 3, requires_grad=True)
    assert x.shape == (2, 3) and x.shape.numel() == 6 and repr(x.shape) == "weft.Size([2, 3])"
    assert (x.ndim, x.numel(), x.dim(), x.size(-1), x.stride(), x.itemsize, x.nbytes) == (2, 6, 2, 3, (3, 1), 4, 24)
    assert x.is_leaf and (x * 2).grad_fn.name() == "mul" and not x.is_cuda
    assert x.device == weft.device("cpu") and str(x.device) == "cpu"
    assert x.dtype is weft.float32 and repr(x.dtype) == "weft.float32"


def test_numbers():
    assert float(weft.tensor(1.5)) == 1.5 and int(weft.tensor(3)) == 3 and [0, 1, 2][weft.tensor(1)] == 1
    assert weft.tensor(True).item() is True and isinstance(weft.tensor(2).item(), int)
    assert bool(weft.tensor([1.0])) and not bool(weft.tensor(0))
    x = weft.tensor([1.0, 2.0])
    assert (1 + x).tolist() == [2, 3] and (1 - x).tolist() == [0, -1] and (2 / x).tolist() == [2, 1]
    assert (x**2).tolist() == [1, 4] and (2**x).tolist() == [2, 4] and (-x).tolist() == [-1, -2]
    assert (x > 1).tolist() == [False, True] and (x == x).all().item()
    assert (x // 2).tolist() == [0, 1] and (x % 2).tolist() == [1, 0]
    assert (np.float32(2) * x).tolist() == [2, 4] and (np.array([1.0, 1.0], np.float32) + x).tolist() == [2, 3]
    assert isinstance(np.array([1.0, 1.0]) + x, weft.Tensor)
    assert x.dtype is weft.float32 and (x + 1).dtype is weft.float32 and (weft.arange(2) + 0.5).dtype is weft.float32
    with pytest.raises(TypeError):
        x + "a"
    assert (x == "a") is False


def test_data_assignment():
    x = weft.zeros(2, requires_grad=True)
    x.data = weft.ones(3)
    assert x.shape == (3,) and x.requires_grad and x.is_leaf


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (lambda: weft.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: weft.tensor([1, 2]), "tensor([1, 2])"),
        (
            lambda: weft.tensor([1.0], dtype=weft.float64, requires_grad=True),
            "tensor([1.], dtype=weft.float64, requires_grad=True)",
        ),
        (lambda: weft.tensor(1.0, requires_grad=True) * 2, "tensor(2., grad_fn=<mul>)"),
        (lambda: weft.zeros(0, 3), "tensor([], size=(0, 3))"),
        (lambda: weft.ones(1, dtype=weft.bfloat16), "tensor([1.], dtype=weft.bfloat16)"),
    ],
)
def test_repr(tensor, text):
    assert repr(tensor()) == text


def test_long_tensors_are_summarised():
    assert "..." in repr(weft.zeros(100, 100)) and len(repr(weft.zeros(100, 100))) < 1000
