import os
import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest

import weft
from script import fails, run
from weft import _core

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork with threads, on purpose


@pytest.fixture(autouse=True)
def restore_threads():
    before = weft.num_threads()
    yield
    weft.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("apart", [False, True])
def test_every_piece_runs_once(threads, pieces, apart):
    weft.set_num_threads(threads)
    workers = _core._trace_pieces(pieces, nested=0, apart=apart)
    assert len(workers) == pieces
    assert set(workers) <= set(range(threads))


def test_threads_keep_their_part():
    """The caller the first pieces and its helper the last ones, if neither is held up."""
    weft.set_num_threads(4)
    _core._trace_pieces(64, microseconds=200)  # the pool has more than one helper from now on
    weft.set_num_threads(2)
    for _ in range(200):
        workers = _core._trace_pieces(100, microseconds=20, apart=True)
        if workers[:40] == [0] * 40 and workers[60:] == [1] * 40:
            return
    raise AssertionError(f"never apart: {workers}")


def test_helpers_take_part():
    weft.set_num_threads(4)
    seen = set()
    for _ in range(50):
        seen |= set(_core._trace_pieces(64, microseconds=200))
        if seen == {0, 1, 2, 3}:
            return
    raise AssertionError(f"only workers {seen} ran anything")


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_max_workers(limit):
    weft.set_num_threads(8)
    for _ in range(20):
        assert set(_core._trace_pieces(40, microseconds=20, max_workers=limit)) <= set(range(limit))


def test_nested_calls_stay_on_their_thread():
    weft.set_num_threads(3)
    assert -1 not in _core._trace_pieces(30, microseconds=20, nested=5)


def test_callers_do_not_stall_each_other():
    weft.set_num_threads(2)
    stop, counts, bad = threading.Event(), Counter(), []

    def call(name, pieces, microseconds):
        while not stop.is_set():
            workers = _core._trace_pieces(pieces, microseconds)
            if len(workers) != pieces or not set(workers) <= {0, 1}:
                bad.append(workers)
            counts[name] += 1

    threads = [threading.Thread(target=call, args=("long", 400, 1000))]
    threads += [threading.Thread(target=call, args=(f"short {i}", 4, 10)) for i in range(3)]
    for t in threads:
        t.start()
    time.sleep(1.5)
    stop.set()
    for t in threads:
        t.join()
    assert not bad
    assert counts["long"] >= 1
    # Behind the long calls, a short one would come through about as often as they do.
    assert all(counts[f"short {i}"] > 20 * counts["long"] for i in range(3)), counts


def test_a_crowd_of_callers():
    """Each computes by itself, to the same bits, and may run where it might before, wherever it was moved meanwhile."""
    a = weft.randn(192, 192)
    expected = (a @ a).numpy().tobytes()
    found = []

    def call():
        before = os.sched_getaffinity(0)
        alike = all((a @ a).numpy().tobytes() == expected for _ in range(200))
        found.append(alike and os.sched_getaffinity(0) == before)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [True] * 6


def test_changing_the_number_while_others_work():
    stop = threading.Event()
    bad = []

    def call():
        while not stop.is_set():
            if len(_core._trace_pieces(20, 5)) != 20:
                bad.append(1)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for t in threads:
        t.start()
    for i in range(200):
        weft.set_num_threads(1 + i % 5)
        time.sleep(0.001)
    stop.set()
    for t in threads:
        t.join()
    assert not bad


@pytest.mark.parametrize("n", [0, -1, 100_000])
def test_number_out_of_range(n):
    with pytest.raises(ValueError, match=r"\[set_num_threads\] expected"):
        weft.set_num_threads(n)


def test_number_from_the_environment():
    code = "import weft; print(weft.num_threads())"
    assert run(code, env={"WEFT_NUM_THREADS": "3"}) == "3"
    assert int(run(code, env={"WEFT_NUM_THREADS": ""})) >= 1


@pytest.mark.parametrize("text", ["0", "-2", "two", "2.5", "2 ", "99999999999999999999"])
def test_bad_number_in_the_environment(text):
    message = fails("import weft", env={"WEFT_NUM_THREADS": text})
    assert "WEFT_NUM_THREADS: expected a number from 1 to" in message
    assert text in message


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import weft; print(weft.num_threads())"
    assert run(code) == "1"
    # It counts when the pool is first needed, and again in a forked worker.
    code = """
    import os, weft
    before = weft.num_threads()
    if os.fork() == 0:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os._exit(weft.num_threads())
    print(before, os.waitstatus_to_exitcode(os.wait()[1]))
    """
    assert run(code).split()[1] == "1"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "self_text, files, expected",
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 0),
        ("0::/\n", {}, 0),
        # The tightest on the way to the root counts; a folder outside the container's view is skipped.
        ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000", "cpu.max": "800000 100000"}, 2),
        ("0::/outside/view\n", {"cpu.max": "50000 100000"}, 0.5),
        ("4:cpu,cpuacct:/job\n", {"cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n"}, 0),
        (
            "11:memory:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/x\n",
            {"cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"},
            3,
        ),
        ("2:cpu:/job\n", {"cpu/cpu.cfs_quota_us": "25000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.25),
        ("2:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0),
        ("2:cpuset:/job\n", {"cpuset/job/cpu.max": "100000 100000"}, 0),
        ("nonsense\n::\n0:\n", {"cpu.max": "garbage"}, 0),
    ],
)
def test_cgroup_quota(tmp_path, self_text, files, expected):
    write(tmp_path / "self", self_text)
    for name, text in files.items():
        write(tmp_path / "fs" / name, text)
    assert _core._cgroup_quota(str(tmp_path / "self"), str(tmp_path / "fs")) == expected


def test_available_cpus():
    n = _core._available_cpus()
    assert 1 <= n <= os.cpu_count()


FORK = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore")
from weft import _core
import weft
weft.set_num_threads(2)

def works():
    return len(_core._trace_pieces(50, 20)) == 50 and weft.ones(1 << 18).sum().item() == 1 << 18

def in_child():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if works() else 1)
    return pid

def ok(pids):
    return all(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 for pid in pids)
"""


def test_fork_before_first_use():
    assert run(FORK + "assert ok([in_child()]); assert works(); print('fine')") == "fine"


def test_fork_after_use():
    assert (
        run(FORK + "assert works(); assert ok([in_child() for _ in range(5)]); assert works(); print('fine')") == "fine"
    )


def test_fork_while_workers_are_busy():
    code = """
stop = False
def busy():
    while not stop:
        _core._trace_pieces(20, 50)
        weft.ones(1000 + int(time.monotonic() * 1e6) % 100000)
threads = [threading.Thread(target=busy) for _ in range(2)]
for t in threads: t.start()
for _ in range(20):
    assert ok([in_child() for _ in range(3)])
stop = True
for t in threads: t.join()
assert works()
print('fine')
"""
    assert run(FORK + code) == "fine"


def test_fork_in_a_forked_child():
    code = """
assert works()
pid = os.fork()
if pid == 0:
    os._exit(0 if works() and ok([in_child()]) else 1)
assert ok([pid])
print('fine')
"""
    assert run(FORK + code) == "fine"


def test_multiprocessing_fork():
    code = """
import multiprocessing
assert works()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print([pool.apply(works) for _ in range(4)])
"""
    assert run(FORK + code) == "[True, True, True, True]"


def test_idle_threads_sleep():
    code = """
    import resource, time
    from weft import _core
    _core.set_num_threads(4)
    for _ in range(20): _core._trace_pieces(64, 100)
    time.sleep(0.05)
    cpu = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    before = cpu()
    time.sleep(1)
    print(cpu() - before)
    """
    assert float(run(code)) < 0.02


def test_busy_neighbour():
    code = """
    import os, signal, time, weft
    from weft import _core
    neighbour = os.fork()
    if neighbour == 0:
        if hasattr(os, "sched_setaffinity"): os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        while True: pass
    def seconds(threads):
        weft.set_num_threads(threads)
        start = time.monotonic()
        for _ in range(50): _core._trace_pieces(100, 20)
        return time.monotonic() - start
    try:
        seconds(2)
        print(min(seconds(2) / seconds(1) for _ in range(3)))
    finally:
        os.kill(neighbour, signal.SIGKILL)
    """
    # A static split would wait for the half that the neighbour delays; here whoever is free takes the next piece.
    assert float(run(code)) < 1.5


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one processor")
def test_a_worker_leaves_its_callers_processor():
    code = """
    import os
    from weft import _core
    here, there = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, {here})
    _core.set_num_threads(2)
    for _ in range(20): _core._trace_pieces(64, 100)
    for task in os.listdir("/proc/self/task"):
        if open(f"/proc/self/task/{task}/comm").read() == "weft\\n": worker = int(task)
    at = lambda: int(open(f"/proc/self/task/{worker}/stat").read().rpartition(")")[2].split()[36])
    confined = os.sched_getaffinity(worker) == {here}  # where somebody else put it, it stays
    os.sched_setaffinity(worker, {here, there})
    for _ in range(20): _core._trace_pieces(64, 100)
    print(confined, at() == there)
    """
    assert run(code) == "True True"


def tasks(name):
    found = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/status") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        if status["Name"] == name:
            found.append(status)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_block_signals():
    weft.set_num_threads(3)
    _core._trace_pieces(64, 100)
    workers = tasks("weft")
    assert len(workers) >= 2
    for status in workers:
        blocked = int(status["SigBlk"], 16)
        for signal in (1, 2, 3, 10, 12, 14, 15, 17):
            assert blocked >> (signal - 1) & 1


def test_denormals_are_flushed_inside_and_kept_outside():
    tiny = np.full(1 << 18, 1e-40, np.float32)
    for threads in (1, 2):
        weft.set_num_threads(threads)
        product = (weft.tensor(tiny) * 0.5).numpy()
        assert not product.any()
    assert (tiny * np.float32(0.5)).all()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_bits_do_not_depend_on_the_number_of_threads(threads):
    rng = np.random.default_rng(0)
    x = weft.tensor(rng.standard_normal((700, 900), np.float32))
    w = weft.tensor(rng.standard_normal((900, 300), np.float32))

    def results():
        return [t.numpy().tobytes() for t in (x.sum(), x.sum(0), x.mean(1), x @ w, x.exp(), weft.softmax(x, dim=-1))]

    weft.set_num_threads(1)
    one = results()
    weft.set_num_threads(threads)
    for _ in range(3):
        assert results() == one
