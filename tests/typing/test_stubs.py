"""The stubs are those of the built module, and a type checker accepts them and finds a user's mistake by them."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import stubs

import weft

RIGHT = """
import weft
import weft.nn.functional as F
from weft import nn
from weft.optim import AdamW

net = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
optimizer = AdamW(net.parameters(), lr=1e-3)
x = weft.randn(2, 3)
loss = F.cross_entropy(net(x), weft.tensor([1, 2]))
loss.backward()
optimizer.step()
y: weft.Tensor = (x + 1) @ x.T * 2 - x.sum(dim=1, keepdim=True)
rows: int = y.shape[0]
size: float = y.abs().max().item()
same: bool = x.dtype == weft.float32 and x.device == weft.device("cpu")
"""
WRONG = """
import weft
weft.ones(2, 2).transpose("rows", 0)
weft.ones(2).no_such_method()
"""


@pytest.mark.parametrize("path", stubs.PAGES, ids=lambda p: p.name)
def test_fresh(path):
    assert path.read_text() == stubs.PAGES[path](), f"{path.name} is stale: run python tests/typing/stubs.py"


def mypy(tmp_path, program):
    pytest.importorskip("mypy")
    file = tmp_path / "program.py"
    file.write_text(program)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--no-error-summary",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path),
    ]
    home = Path(weft.__file__).parents[1]
    environment = {"PATH": "/usr/bin:/bin"}
    if home.name != "site-packages":  # where a checker looks anyway
        environment["MYPYPATH"] = str(home)
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, cwd=tmp_path, env=environment)
    return [line for line in done.stdout.splitlines() if ": error:" in line]


def test_a_checker_accepts_them(tmp_path):
    assert mypy(tmp_path, f"import weft._core\n{RIGHT}") == []


def test_a_checker_finds_mistakes(tmp_path):
    found = mypy(tmp_path, WRONG)
    assert len(found) == 2 and "transpose" in found[0] and "no_such_method" in found[1]
