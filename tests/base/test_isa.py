import pytest

import weft
from script import fails, run
from weft import _core


def test_best_first_and_in_use():
    names = _core.cpu_isas()
    assert names and set(names) <= {"v4", "v3", "v2", "generic"}
    assert names == sorted(names, reverse=True)
    assert _core.cpu_isa() in names


def test_every_one_computes(isa):
    assert _core.cpu_isa() == isa
    assert weft.ones(1000).sum().item() == 1000


def test_default_is_the_best():
    assert run("from weft import _core; print(_core.cpu_isa() == _core.cpu_isas()[0])") == "True"


@pytest.mark.parametrize("name", _core.cpu_isas())
def test_environment(name):
    assert run("from weft import _core; print(_core.cpu_isa())", env={"WEFT_CPU_ISA": name}) == name


@pytest.mark.parametrize("name", ["v9", "avx2", "V3", "v3 "])
def test_unknown_name(name):
    message = fails("import weft", env={"WEFT_CPU_ISA": name})
    assert "WEFT_CPU_ISA: expected one of" in message and name in message and f"'{_core.cpu_isas()[0]}'" in message
    with pytest.raises(ValueError, match=r"\[set_cpu_isa\] expected one of"):
        _core.set_cpu_isa(name)
