import pytest

import weft
from script import run

threadpoolctl = pytest.importorskip("threadpoolctl", minversion="3.2")


def test_limits():
    before = weft.num_threads()
    weft.set_num_threads(3)
    try:
        with threadpoolctl.threadpool_limits(limits=1):
            assert weft.num_threads() == 1
        assert weft.num_threads() == 3
        with threadpoolctl.threadpool_limits(limits=2, user_api="weft"):
            assert weft.num_threads() == 2
        with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
            assert weft.num_threads() == 3
        assert weft.num_threads() == 3
    finally:
        weft.set_num_threads(before)


def test_info():
    (info,) = (i for i in threadpoolctl.threadpool_info() if i["internal_api"] == "weft")
    assert info["num_threads"] == weft.num_threads()
    assert info["version"] == weft.__version__


@pytest.mark.parametrize("order", ["import weft, threadpoolctl", "import threadpoolctl, weft"])
def test_either_order(order):
    code = f"""
    {order}
    weft.set_num_threads(2)
    with threadpoolctl.threadpool_limits(limits=1):
        infos = threadpoolctl.threadpool_info()
        print(weft.num_threads(), [i["num_threads"] for i in infos if i["user_api"] == "weft"])
    """
    assert run(code) == "1 [1]"


def test_without_threadpoolctl():
    code = """
    import sys
    sys.modules["threadpoolctl"] = None  # as if it were not installed
    import weft
    print(weft.num_threads() >= 1)
    """
    assert run(code) == "True"
