"""docs/operations.md is what running every operation shows."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")
sys.path.insert(0, str(Path(__file__).parents[1] / "cuda"))

import emulated

from parity import table


@pytest.mark.filterwarnings("ignore")
def test_fresh():
    if emulated.compiler() is None or not emulated.CUDA.is_dir() or not table.PAGE.exists():
        pytest.skip("no C++ compiler, or no sources beside the tests")
    with emulated.Emulation(emulated.build()).installed():
        made = table.page()
    for got, expected in zip(made.splitlines(), table.PAGE.read_text().splitlines(), strict=False):
        assert got == expected, "stale: run python tests/parity/table.py"
    assert len(made) == table.PAGE.stat().st_size
