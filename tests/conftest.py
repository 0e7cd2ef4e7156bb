import os
import signal

import pytest

from weft import _core

# PyTorch, the reference, on one thread: on small tensors others only spin, and the suite takes twice as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config):
    # A shell's background job ignores Ctrl-C, and so would every process that a test starts to interrupt it.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc):
    if "isa" in metafunc.fixturenames:
        metafunc.parametrize("isa", _core.cpu_isas(), indirect=True)


@pytest.fixture
def isa(request):
    """Runs the test once on every instruction set of this machine."""
    before = _core.cpu_isa()
    _core.set_cpu_isa(request.param)
    yield request.param
    _core.set_cpu_isa(before)
