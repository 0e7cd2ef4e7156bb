"""docs/operations.md, by running every public operation: python tests/parity/table.py writes it.

An operation's arguments are those of PyTorch's catalogue, or of examples.py for what PyTorch does not have.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "cuda")]

import torch  # noqa: E402

import weft  # noqa: E402
from parity import examples, samples  # noqa: E402
from parity.samples import DTYPES, Untranslatable, tensors_of, translate  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
FLOATING = ("float64", "float32", "bfloat16", "float16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
HEAD = """# Operations

Each public operation, found by running it on small samples of every dtype: `python tests/parity/table.py` writes this
page, and a test fails when it is stale.

- **dtypes**: floating is float64, float32, bfloat16, float16; integers are int64, int32, int16, int8, uint8.
- **gradient**: 1 has a first derivative, 2 a second one as well.
- **kernels**: the stems in `csrc/kernels` that a call launches; none for views and what is done on the host.
- **CUDA**: it runs on "cuda", seen under the emulation of `cuda/` on the CPU, which says nothing of speed.

| operation | method | in place | dtypes | gradient | kernels | CUDA |
|---|---|---|---|---|---|---|
"""


def public():
    """{name in the catalogue's spelling: function} of everything that works on tensors."""
    found = {}
    functional = {n: f for n, f in vars(weft.nn.functional).items() if n[0] != "_" and callable(f)}
    modules = (
        ("", vars(weft)),
        ("nn.functional.", functional),
        ("linalg.", {n: getattr(weft.linalg, n) for n in weft.linalg.__all__}),
    )
    for prefix, members in modules:
        for name, value in members.items():
            if name[0] == "_" or isinstance(value, type) or not callable(value) or name in examples.NOT_OPERATIONS:
                continue
            elsewhere = functional.get(name) if not prefix else None
            if not name.endswith("_") and elsewhere is not value and (prefix or f"nn.functional.{name}" not in ALIASES):
                found[prefix + name] = value
    for name in dir(weft.Tensor):
        value = getattr(weft.Tensor, name)
        plain = name[0] != "_" and name[-1] != "_" and callable(value) and name not in examples.NOT_OPERATIONS
        if plain and not callable(getattr(weft, name, None)):
            found[name] = value
    return {name: samples.resolve(name) if name in samples.RENAMED else f for name, f in found.items()}


def calls(name):
    """{dtype: [(args, kwargs), …]} in Weft's tensors, floating ones requiring gradients where they may."""
    if name in examples.EXAMPLES:
        made = {d: examples.EXAMPLES[name](getattr(weft, d)) for d in DTYPES}
        return {d: [(args, {})] for d, args in made.items() if args is not None}
    infos = ALIASES.get(name) or ALIASES.get(name.removesuffix("_with_indices"), [])
    found = {}
    for dtype in DTYPES:
        for info in infos:
            if getattr(torch, dtype) not in info.supported_dtypes("cpu"):
                continue
            gradient = info.supports_autograd and dtype in FLOATING
            for sample in info.sample_inputs("cpu", getattr(torch, dtype), requires_grad=gradient):
                try:
                    call = translate([sample.input, *sample.args]), translate(dict(sample.kwargs))
                except Untranslatable:
                    continue
                found.setdefault(dtype, []).append(call)
                if len(found[dtype]) >= 3:
                    break
    return found


def _aliases():
    found = {"unsafe_split_with_sizes": samples.catalogue()["split_with_sizes"]}
    for name, infos in samples.catalogue().items():
        for info in infos:
            for alias in (name, *(a.name for a in info.aliases)):
                found.setdefault(alias, []).append(info)
    return found


ALIASES = _aliases()


def runs(function, call):
    try:
        args, kwargs = call
        return function(*args, **kwargs)
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        return None


def orders(function, call):
    """How many derivatives the call has: 0, 1 or 2."""
    inputs = [t for t in tensors_of(call) if t.requires_grad]
    outputs = [t for t in tensors_of(runs(function, call)) if t.requires_grad]
    if not inputs or not outputs:
        return 0
    try:
        first = weft.autograd.grad(
            outputs, inputs, [weft.ones_like(t) for t in outputs], create_graph=True, allow_unused=True
        )
        first = [t for t in first if t is not None and t.requires_grad]
    except RuntimeError:
        return 0
    if not first:
        return 2  # constant: the second derivative is zero
    try:
        weft.autograd.grad(first, inputs, [weft.ones_like(t) for t in first], allow_unused=True)
    except RuntimeError:
        return 1
    return 2


def stems(function, call):
    inputs = [t for t in tensors_of(call) if t.requires_grad]

    def both():
        outputs = [t for t in tensors_of(function(*call[0], **call[1])) if t.requires_grad]
        if inputs and outputs:
            weft.autograd.grad(outputs, inputs, [weft.ones_like(t) for t in outputs], allow_unused=True)

    try:
        return set(weft._core._trace_kernels(both))
    except RuntimeError:
        return set()


def moved(x):
    if isinstance(x, weft.Tensor):
        return x.detach().to("cuda").requires_grad_(x.requires_grad)
    if isinstance(x, list | tuple):
        return type(x)(moved(i) for i in x)
    if isinstance(x, dict):
        return {k: moved(v) for k, v in x.items()}
    return weft.device("cuda") if isinstance(x, weft.device) else x


def dtypes_text(kept):
    if not kept:
        return ""
    parts = []
    for label, group in (("floating", FLOATING), ("integers", INTEGERS)):
        if all(d in kept for d in group):
            parts.append(label)
        else:
            parts += [d for d in group if d in kept]
    return ", ".join(parts + (["bool"] if "bool" in kept else []))


def row(name, function):
    by_dtype = {d: [c for c in found if runs(function, c) is not None] for d, found in calls(name).items()}
    kept = [d for d in DTYPES if by_dtype.get(d)]
    if not kept:
        return None
    floats = by_dtype.get("float64") or []
    order = max((orders(function, c) for c in floats), default=0)
    used = set().union(*(stems(function, c) for c in floats or by_dtype[kept[0]]))
    cuda = any(runs(function, moved(c)) is not None for c in (by_dtype.get("float32") or by_dtype[kept[0]]))
    short = name.rpartition(".")[2]
    method = "yes" if not name.startswith("linalg.") and hasattr(weft.Tensor, short) else ""
    twin = hasattr(weft.Tensor, short + "_") or hasattr(weft.nn.functional, short + "_")
    columns = [f"`{name}`", method, "yes" if twin and not name.startswith("linalg.") else "", dtypes_text(kept)]
    columns += [str(order or ""), ", ".join(sorted(used)), "yes" if cuda else "no"]
    return "| " + " | ".join(columns) + " |"


def page():
    """The text of the page; `device "cuda"` must be there, real or emulated."""
    rows, missing = [], []
    for name, function in sorted(public().items(), key=lambda item: (item[0].count("."), item[0])):
        line = row(name, function)
        if line is None:
            missing.append(name)
        else:
            rows.append(line)
    if missing:
        raise AssertionError(f"no example of: {' '.join(missing)}")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    import emulated

    with emulated.Emulation(emulated.build()).installed():
        PAGE.write_text(page())
