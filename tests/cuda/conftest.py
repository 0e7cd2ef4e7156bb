import emulated
import pytest

import weft


@pytest.fixture(scope="session")
def library():
    if emulated.compiler() is None:
        pytest.skip("no C++ compiler")
    if not emulated.CUDA.is_dir():
        pytest.skip("no sources beside the tests")
    return emulated.Emulation(emulated.build())


KIND = pytest.param("gpu", marks=pytest.mark.gpu) if weft.cuda.is_available() else "emulated"


@pytest.fixture(scope="module", params=[KIND])
def device(request):
    """Runs the tests of a module on the GPU, where there is one, and else under the emulation."""
    if request.param == "gpu":
        yield "cuda"
    else:
        with request.getfixturevalue("library").installed():
            yield "cuda"


@pytest.fixture(autouse=True)
def no_failure(request):
    """A buffer overrun is found when the buffer is freed: no test may leave one behind."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    library = request.getfixturevalue("library") if parameters.get("device") == "emulated" else None
    yield
    assert library is None or library.take_failure() is None
