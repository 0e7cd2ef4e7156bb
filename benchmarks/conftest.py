"""`pytest benchmarks`: the cases of bench_*.py under pytest-benchmark, one item for each library."""

import pytest

from benchmarks.harness import LIBRARIES, benches
from benchmarks.turns import verify


def pytest_collect_file(file_path, parent):
    if file_path.name.startswith("bench_") and file_path.suffix == ".py":
        return BenchFile.from_parent(parent, path=file_path)
    return None


class BenchFile(pytest.Module):
    def collect(self):
        for b in benches(self.obj):
            for index, name in enumerate(b.names()):
                for library in LIBRARIES:
                    yield pytest.Function.from_parent(
                        self, name=f"{name}[{library}]", callobj=run_one(b, index, library)
                    )


def run_one(b, index, library):
    def run(benchmark):
        case = b.case(index)
        function = case.function(library)
        if function is None:
            pytest.skip(f"no {library}")
        if library == "weft" and case.verify:
            functions = {lib: f for lib in LIBRARIES if (f := case.function(lib)) is not None}
            verify(case, functions)
        benchmark.group = case.name
        benchmark(function)

    return run
