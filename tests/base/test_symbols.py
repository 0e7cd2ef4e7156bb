"""The linker keeps one copy of every inline or template function. If a kernel file compiled for AVX-512 had one, it
could be the copy that everybody runs. So kernel objects may share nothing: their code lives in the namespace of their
instruction set or is local to the file.

The objects are those of WEFT_BUILD_DIR, else of the folder build/ of a checkout. What a stripped wheel still shows, its
exported symbols, is always looked at.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from weft import _core

nm = pytest.mark.skipif(not shutil.which("nm"), reason="needs nm from binutils")


def kernel_objects():
    folder = os.environ.get("WEFT_BUILD_DIR") or Path(__file__).resolve().parents[2] / "build"
    return sorted(Path(folder).glob("**/weft_kernels_*.dir/**/*.o"))


def symbols(*options, files):
    """(file, type, demangled name) of every symbol."""
    out = subprocess.run(
        ["nm", "-C", "-A", *options, *map(str, files)], capture_output=True, text=True, check=True
    ).stdout
    return [re.match(r"(.*?):\s*[0-9a-f]*\s+([A-Za-z?]) (.*)", line).groups() for line in out.splitlines()]


def isa_of(path):
    return re.search(r"weft_kernels_(\w+)\.dir", str(path)).group(1)


def shared_code(lines):
    """Symbols with code or data that another file could be given instead of its own."""
    return [
        (path, kind, name)
        for path, kind, name in lines
        if (kind in "WVu" or kind in "TDBR") and f"weft::isa_{isa_of(path)}::" not in name
    ]


@nm
def test_kernel_objects_share_no_code():
    objects = kernel_objects()
    if not objects:
        pytest.skip("no kernel objects here: set WEFT_BUILD_DIR to the build folder")
    assert shared_code(symbols("--defined-only", files=objects)) == []


@nm
def test_kernel_objects_call_only_the_ground_and_the_c_library():
    """No C++ library, no memory, no exceptions."""
    objects = kernel_objects()
    if not objects:
        pytest.skip("no kernel objects here: set WEFT_BUILD_DIR to the build folder")
    foreign = {
        name
        for path, _, name in symbols("--undefined-only", files=objects)
        if f"weft::isa_{isa_of(path)}::" not in name
        and re.search(r"::|operator |^(malloc|calloc|realloc|free|__cxa_\w+|_Unwind_\w+)$", name)
        and not re.match(r"weft::(parallel_for|num_threads|in_parallel|wait_for|interrupted)\(", name)
    }
    assert foreign == set()


def test_the_check_sees_what_it_is_for():
    lines = [
        ("x/weft_kernels_v4.dir/a.o", "W", "float std::max<float>(float const&, float const&)"),
        ("x/weft_kernels_v4.dir/a.o", "u", "weft::table"),
        ("x/weft_kernels_v4.dir/a.o", "T", "weft::helper(int)"),
        ("x/weft_kernels_v4.dir/a.o", "W", "weft::isa_v3::f()"),
        ("x/weft_kernels_v4.dir/a.o", "W", "void weft::isa_v4::rows<float>(weft::Rows const&)"),
        ("x/weft_kernels_v4.dir/a.o", "t", "weft::local()"),
    ]
    assert [name for _, _, name in shared_code(lines)] == [line[2] for line in lines[:4]]


@nm
def test_exported_symbols():
    """Another extension cannot bind to our functions by accident, nor we to its."""
    exported = {name for _, _, name in symbols("-D", "--defined-only", files=[_core.__file__])}
    ours = {"PyInit__core", "weft_get_num_threads", "weft_set_num_threads"}
    assert ours <= exported
    assert {name for name in exported - ours if re.match(r"(?!typeinfo)(\w+ )*weft", name)} == set()
