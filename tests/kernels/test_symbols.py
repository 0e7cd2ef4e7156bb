"""Kernel files for one instruction set must share nothing with other files: the linker keeps one copy of an inline
function, and it may be the one compiled for AVX-512."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("WEFT_BUILD_DIR", Path(__file__).parents[2] / "build"))
OBJECTS = sorted(BUILD.glob("CMakeFiles/weft_kernels_*.dir/**/*.o"))


def shared_symbols(path, isa):
    """Symbols that the file offers to others and that do not bear the name of its instruction set, and weak ones."""
    lines = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines()
    kinds = [line.split()[-2:] for line in lines]
    return [name for kind, name in kinds if kind in "WVuw" or (kind.isupper() and kind != "U" and isa not in name)]


@pytest.mark.skipif(not OBJECTS, reason="needs a build folder: build/ or WEFT_BUILD_DIR")
@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
@pytest.mark.parametrize("path", OBJECTS, ids=lambda p: f"{p.parts[-2]}/{p.name}" if p.parts else "none")
def test_kernels_share_no_symbols(path):
    isa = next(part for part in path.parts if part.startswith("weft_kernels_"))[len("weft_kernels_") : -len(".dir")]
    assert shared_symbols(path, f"isa_{isa}") == []


@pytest.mark.skipif(shutil.which("g++") is None or shutil.which("nm") is None, reason="needs g++ and nm")
def test_the_check_finds_what_it_looks_for(tmp_path):
    source, path = tmp_path / "bad.cpp", tmp_path / "bad.o"
    source.write_text(
        "inline int shared(int x) { return x + 1; }\n"
        "namespace isa_v4 { int own(int x) { return x; } }\n"
        "int foreign(int x) { return shared(x); }\n"
    )
    subprocess.run(["g++", "-O0", "-c", source, "-o", path], check=True)
    assert len(shared_symbols(path, "isa_v4")) == 2
