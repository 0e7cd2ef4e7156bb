"""Without a GPU, a driver or weft._cuda the package imports, and says why there is no GPU."""

import subprocess
import sys

import pytest

import weft


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_weft_loads_nothing_of_cuda():
    loaded = run("import sys, weft; print([m for m in sys.modules if 'cuda' in m or 'cupy' in m])")
    assert loaded == "[]"


def test_asking_never_raises():
    available, reason, count = run(
        "import weft; print(weft.cuda.is_available(), weft.cuda.why_not() or '-', weft.cuda.device_count(), sep='\\n')"
    ).split("\n")
    assert (available == "True") == (reason == "-") == (int(count) > 0)


@pytest.mark.skipif(weft.cuda.is_available(), reason="there is a GPU")
def test_using_a_gpu_that_is_not_there_says_why():
    code = """
import weft
for use in (lambda: weft.ones(3).to("cuda"), lambda: weft.ones(3, device="cuda"), weft.cuda.synchronize,
            weft.cuda.current_stream, weft.cuda.memory_allocated, lambda: weft.ones(2, device="cuda:1")):
    try:
        use()
    except RuntimeError as e:
        assert weft.cuda.why_not() in str(e), e
    else:
        raise SystemExit("no error")
print("told")
"""
    assert run(code) == "told"


@pytest.mark.skipif(not weft.cuda.is_built(), reason="this build has no weft._cuda")
def test_the_module_links_no_driver():
    from weft import _cuda

    linked = subprocess.run(["readelf", "-d", _cuda.__file__], capture_output=True, text=True, check=True).stdout
    needed = [line for line in linked.splitlines() if "NEEDED" in line]
    assert needed and not any("libcuda" in line or "_core" in line for line in needed)


def test_a_cpu_tensor_has_no_cuda_interface():
    assert not hasattr(weft.ones(2), "__cuda_array_interface__")
    with pytest.raises(TypeError, match="GPU"):
        weft.cuda.from_cupy([1, 2])
