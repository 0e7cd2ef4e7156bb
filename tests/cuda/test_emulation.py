"""The emulation's own tests: right kernels give right results under every schedule, and each kind of mistake is caught
by at least one."""

import ctypes

import emulated
import numpy as np
import pytest

SCHEDULES = [("round-robin", 0), ("reversed", 0), ("warp-greedy", 0), *(("random", seed) for seed in range(4))]


@pytest.fixture(scope="module")
def run():
    if emulated.compiler() is None or not emulated.CUDA.is_dir():
        pytest.skip("no C++ compiler, or no sources beside the tests")
    lib = ctypes.CDLL(str(emulated.build([emulated.ROOT / "tests" / "cuda" / "controls.cu"], "weft_controls")))
    lib.run_control.restype = ctypes.c_char_p
    lib.run_control.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64]

    def run(name, values, schedule="round-robin", seed=0):
        numbers = np.array(values, dtype=np.int32)
        failure = lib.run_control(name.encode(), numbers.ctypes.data, emulated.SCHEDULES[schedule], seed)
        return numbers, failure and failure.decode()

    return run


VALUES = np.arange(128) * 7 % 31
EXPECTED = {
    "reverse": VALUES[::-1],
    "rotate_twice": np.roll(VALUES, -64),
    "swap_lanes": VALUES[np.arange(128) ^ 1],
    "sum_lanes": VALUES.reshape(4, 32).sum(1).repeat(32),
    "sum_block": np.full(128, VALUES.sum()),
}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize(("schedule", "seed"), SCHEDULES)
def test_right_kernels_are_right_under_every_schedule(run, name, schedule, seed):
    result, failure = run(name, VALUES, schedule, seed)
    assert failure is None
    np.testing.assert_array_equal(result, EXPECTED[name])


@pytest.mark.parametrize("name", ["reverse", "rotate_twice", "swap_lanes"])
def test_missing_barriers_are_caught(run, name):
    caught = [
        schedule
        for schedule in SCHEDULES
        if not np.array_equal(run(f"{name}, no barrier", VALUES, *schedule)[0], EXPECTED[name])
    ]
    assert caught, "no schedule exposed the missing barrier"


def test_match(run):
    result, failure = run("match", VALUES)
    assert failure is None
    for warp in range(4):
        v = VALUES[warp * 32 : warp * 32 + 32]
        expected = [(v == x) @ (1 << np.arange(32, dtype=np.int64)) for x in v]
        np.testing.assert_array_equal(result[warp * 32 : warp * 32 + 32].view(np.uint32), expected)


def test_shared_memory_is_poisoned(run):
    result, failure = run("read_unwritten", VALUES)
    assert failure is None and (result == -1).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("divergent_barrier", "divergent barrier"),
        ("shuffle_with_the_absent", "a warp operation waits"),
        ("write_past_the_end", "past the end of a buffer"),
        ("misaligned", "misaligned vector access"),
    ],
)
def test_mistakes_are_named(run, name, message):
    assert message in (run(name, VALUES)[1] or "")
