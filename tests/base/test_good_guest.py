"""What `import weft` must not do to the process that it is a guest in."""

import json
import pkgutil
import statistics

import pytest

import weft
from script import run

# Everything that an import could disturb, before and after.
SNAPSHOT = """
import faulthandler, json, locale, logging, os, random, signal, sys, threading, warnings
import numpy as np

def snapshot():
    state = {
        "threads": len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count(),
        "signals": {s.name: repr(signal.getsignal(s)) for s in signal.valid_signals() if isinstance(s, signal.Signals)},
        "wakeup": signal.set_wakeup_fd(-1),
        "environment": dict(os.environ),
        "warnings": [repr(f) for f in warnings.filters],
        "numpy errors": np.geterr(),
        "numpy printing": repr(np.get_printoptions()),
        "numpy random": repr(np.random.get_state()[1][:8]) + repr(np.random.get_state()[2:]),
        "random": hash(random.getstate()),
        "meta path": [repr(f) for f in sys.meta_path],
        "path hooks": len(sys.path_hooks),
        "path": sys.path[:],
        "hooks": [repr(sys.excepthook), repr(sys.displayhook), repr(threading.excepthook), sys.gettrace() is None],
        "recursion": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "faulthandler": faulthandler.is_enabled(),
        "logging": [logging.root.level, len(logging.root.handlers)],
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
        "umask": os.umask(0o022),
    }
    os.umask(state["umask"])
    state["sockets"] = 0
    if os.path.isdir("/proc/self/fd"):
        for fd in os.listdir("/proc/self/fd"):
            try:
                state["sockets"] += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
            except OSError:
                pass
    return state

def float_mode():
    tiny = np.array([1e-310, 3.0])
    small = np.array([1e-40, 3.0], np.float32)
    return {
        "denormals": bool((tiny / 2)[0] > 0 and (small / np.float32(2))[0] > 0),
        "rounding": (np.float64(1) / np.float64(3)).hex() + (np.float32(2) / np.float32(3)).tobytes().hex(),
    }
"""


def changed(code):
    script = f"""{SNAPSHOT}
before = snapshot() | float_mode()
{code}
after = snapshot() | float_mode()
print(json.dumps([k for k in before if before[k] != after[k]]))
"""
    return json.loads(run(script))


def test_import_changes_nothing():
    assert changed("import weft") == []


def test_submodules_change_nothing():
    assert changed("import weft, weft.nn, weft.nn.functional, weft.optim, weft.data") == []


def test_work_changes_nothing_but_threads():
    code = """
import weft
weft.set_num_threads(2)
x = weft.ones(600, 600, requires_grad=True)
(x @ x).exp().sum().backward()
weft.rand(1000)
"""
    assert set(changed(code)) <= {"threads"}


def test_light_import():
    """Of what Weft can use, only what the core needs is loaded, beyond NumPy."""
    code = """
    import sys, numpy
    import weft
    heavy = ["torch", "cupy", "safetensors", "rich", "typer", "asyncio", "multiprocessing", "socket", "weft._cuda"]
    print([m for m in heavy if m in sys.modules])
    """
    assert run(code) == "[]"


def test_import_time():
    """At most 0.1 s beyond NumPy; processor time, because other processes would count in the time of day."""

    def seconds():
        code = """
        import time
        import numpy
        start = time.process_time()
        import weft
        print(time.process_time() - start)
        """
        return float(run(code))

    seconds()  # writes the bytecode
    assert statistics.median(seconds() for _ in range(7)) <= 0.1


@pytest.mark.parametrize("before", ["", "import numpy", "import weft"])
def test_exit_is_quiet(before):
    """Daemon threads in the middle of work when the interpreter ends neither crash it nor hold it up."""
    code = f"""
    {before}
    import threading, time
    from weft import _core
    def work():
        while True: _core._trace_pieces(40, 500)
    for _ in range(3): threading.Thread(target=work, daemon=True).start()
    time.sleep(0.2)
    """
    assert run(code, timeout=20) == ""


@pytest.mark.parametrize("name", sorted(m.name for m in pkgutil.iter_modules(weft.__path__) if m.name != "__main__"))
def test_any_module_may_be_imported_first(name):
    assert run(f"import weft.{name}") == ""


def test_compile_may_be_called_first():
    assert run("import weft; print(weft.compile(lambda x: x + 1)(weft.ones(2)).tolist())") == "[2.0, 2.0]"
