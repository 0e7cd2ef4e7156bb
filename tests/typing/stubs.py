"""Writes python/weft/_core.pyi and __init__.pyi from the signatures of the built module: python tests/typing/stubs.py

They are for editors and type checkers; a test fails when they are stale.
"""

import inspect
import keyword
import re
import sys
from pathlib import Path

import weft
from weft import _core

PACKAGE = Path(__file__).parents[2] / "python" / "weft"
SIGNATURE = re.compile(r"^(?:\d+\. )?(\w+)\((.*)\) -> (.*)$")

HEAD = '''"""Written by tests/typing/stubs.py from the built module."""

# ruff: noqa
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, SupportsFloat, SupportsIndex, overload

import numpy
import numpy.typing

from weft._size import Size

Operand = Any  # a tensor, a number, a NumPy scalar
'''

PROPERTIES = {
    "T": "Tensor", "H": "Tensor", "mT": "Tensor", "mH": "Tensor", "data": "Tensor", "grad": "Tensor | None",
    "device": "_device", "dtype": "_dtype",
    "grad_fn": "Node | None", "is_cuda": "builtins.bool", "is_leaf": "builtins.bool", "itemsize": "builtins.int",
    "nbytes": "builtins.int", "ndim": "builtins.int", "requires_grad": "builtins.bool", "shape": "Size",
    "retains_grad": "builtins.bool", "is_cpu": "builtins.bool", "layout": "Any", "is_sparse": "builtins.bool",
}  # fmt: skip
WRITABLE = ("data", "grad", "requires_grad")
ARITHMETIC = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
DUNDERS = {
    **{f"__{prefix}{op}__": "other: Operand, /) -> Tensor" for op in ARITHMETIC.split() for prefix in ("", "r", "i")},
    **{f"__{op}__": "other: Operand, /) -> Tensor" for op in ("lt", "le", "gt", "ge")},
    **{f"__{op}__": "other: Any, /) -> Tensor:  # type: ignore[override]" for op in ("eq", "ne")},
    **{f"__{op}__": ") -> Tensor" for op in ("neg", "pos", "abs", "invert", "reversed")},
    "__divmod__": "other: Operand, /) -> tuple[Tensor, Tensor]",
    "__getitem__": "index: Any, /) -> Tensor",
    "__setitem__": "index: Any, value: Any, /) -> None",
    "__contains__": "element: Any, /) -> builtins.bool",
    "__len__": ") -> builtins.int",
    "__int__": ") -> builtins.int",
    "__index__": ") -> builtins.int",
    "__float__": ") -> builtins.float",
    "__bool__": ") -> builtins.bool",
    "__hash__": ") -> builtins.int",
    "__iter__": ") -> Iterator[Tensor]",
    "__array__": "dtype: Any = None, copy: builtins.bool | None = None) -> numpy.ndarray",
    "__deepcopy__": "memo: Any, /) -> Tensor",
}
REPLACED = [
    (r"typing\.SupportsInt \| typing\.SupportsIndex", "builtins.int"),
    (r"typing\.SupportsFloat \| typing\.SupportsIndex", "builtins.float"),
    (r"Tensor \| float \| int \| bool", "Operand"),
    (r"collections\.abc\.|typing_extensions\.|typing\.|weft\._core\.|weft\.", ""),
    (r"CapsuleType|\bobject\b", "Any"),
    (r"(?<![\w.])(int|float|bool)(?![\w(])", r"builtins.\1"),
    (r"((?:: |-> |\| |^))(dtype|device)\b(?=[ ,)=|]|$)", r"\1_\2"),  # Tensor has properties of these names
    (r"<[^<>]*>", "..."),
    (r"= device\('cpu'\)|= dtype\('.*?'\)", "= ..."),
    (r"(: )((?:(?!\| None)[^,=()]|\[[^\]]*\])+)( = None)", r"\1\2 | None\3"),
    (r"\*args(?=[,)]|$)", "*args: Any"),
    (r"\*\*kwargs(?=[,)]|$)", "**kwargs: Any"),
]


def typed(text):
    for pattern, by in REPLACED:
        text = re.sub(pattern, by, text)
    return text


def overloads(function):
    """(arguments, result, documentation) of each signature in a bound function's documentation."""
    doc = inspect.getdoc(function) or ""
    lines = doc.splitlines()
    numbered = len(lines) > 1 and lines[1] == "Overloaded function."
    found = []
    for line in lines:
        match = SIGNATURE.match(line) if (not numbered and not found) or re.match(r"\d+\. ", line) else None
        if match:
            found.append([match[2], match[3], []])
        elif found:
            found[-1][2].append(line)
    return [(args, result, "\n".join(text).strip()) for args, result, text in found]


def documented(text, indent):
    if not text:
        return " ..."
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    pad = "\n" + indent + "    "
    body = pad.join(text.splitlines())
    return f'{pad}"""{body}"""' + (f"{pad}..." if not text else "")


def named(args):
    """self without its type; all arguments unnamed if one has a name that Python keeps for itself (random_'s from)."""
    args = re.sub(r"^self: Tensor", "self", args)
    reserved = any(keyword.iskeyword(name) for name in re.findall(r"(\w+): ", args))
    return "self, *args, **kwargs" if reserved else args


def bound(name, function, indent=""):
    found = overloads(function)
    if not found:
        return f"{indent}def {name}(*args: Any, **kwargs: Any) -> Any: ...\n"
    text = ""
    for args, result, doc in found:
        text += f"{indent}@overload\n" if len(found) > 1 else ""
        result = "Any" if result == "object" else typed(result)
        text += f"{indent}def {name}({typed(named(args))}) -> {result}:{documented(doc, indent)}\n"
    return text


def python_function(name, function, indent=""):
    """A function written in Python, with annotations as text."""
    signature = inspect.signature(function)
    shown = []
    parameters = list(signature.parameters.values())
    star = False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not star:
            star = True
            if not any(q.kind is q.VAR_POSITIONAL for q in parameters):
                shown.append("*")
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        kind = p.annotation if isinstance(p.annotation, str) else "Any"
        part = prefix + p.name + ("" if indent and p is parameters[0] else f": {plain(kind)}")
        shown.append(part + ("" if p.default is p.empty else " = ..."))
    result = signature.return_annotation
    result = plain(result) if isinstance(result, str) else "Any"
    return f"{indent}def {name}({', '.join(shown)}) -> {result}:{documented(inspect.getdoc(function), indent)}\n"


KNOWN = set(
    [
        "Tensor",
        "int",
        "float",
        "bool",
        "str",
        "None",
        "Any",
        "Sequence",
        "Callable",
        "tuple",
        "list",
        "dict",
        "dtype",
        "device",
        "Size",
        "Generator",
        "object",
        "Iterator",
        "SupportsIndex",
        "SupportsFloat",
        "Operand",
    ]
)


def plain(annotation):
    """The annotation if all its names are known here, else Any."""
    words = set(re.findall(r"[A-Za-z_][\w.]*", annotation))
    return typed(annotation) if words <= KNOWN else "Any"


def is_python(value):
    return inspect.isfunction(value)


def tensor_class():
    lines = ['class Tensor:\n    """Elements of one dtype on one device, with the tape of their making."""\n\n']
    for name in sorted(dir(weft.Tensor)):
        value = inspect.getattr_static(weft.Tensor, name, None)
        if name in DUNDERS:
            end = "" if "# type" in DUNDERS[name] else ":"
            self = "self, " if not DUNDERS[name].startswith(")") else "self"
            text = DUNDERS[name].replace(":  # type", ": ...  # type")
            lines.append(f"    def {name}({self}{text}{end}{'' if '# type' in text else ' ...'}\n")
        elif name[0] == "_":
            continue
        elif name in PROPERTIES:
            lines.append(f"    @property\n    def {name}(self) -> {PROPERTIES[name]}: ...\n")
            if name in WRITABLE:
                lines.append(f"    @{name}.setter\n    def {name}(self, value: Any) -> None: ...\n")
        elif inspect.isgetsetdescriptor(value) or isinstance(value, property):
            raise SystemExit(f"the type of the property {name} is missing in PROPERTIES")
        else:
            value = getattr(weft.Tensor, name)
            lines.append((python_function if is_python(value) else bound)(name, value, "    "))
    return "".join(lines)


def small_class(cls):
    text = f'class {cls.__name__}:\n    """{(inspect.getdoc(cls) or "").splitlines()[0]}"""\n\n'
    for name, value in sorted(vars(cls).items()):
        if name == "__init__":
            text += "    def __init__(self, *args: Any, **kwargs: Any) -> None: ...\n"
        elif name[0] == "_":
            continue
        elif isinstance(value, property):
            doc = inspect.getdoc(value.fget) or ""
            result = typed(doc.split("-> ")[-1].splitlines()[0]) if "-> " in doc else "Any"
            text += f"    @property\n    def {name}(self) -> {result}: ...\n"
        else:
            text += re.sub(r"\(self: [^,)]*", "(self", bound(name, getattr(cls, name), "    "))
    return text + ("    ...\n" if text.endswith("\n\n") else "")


def core():
    names = sorted(n for n in dir(_core) if n[0] != "_" and not keyword.iskeyword(n))
    classes = [n for n in names if isinstance(getattr(_core, n), type)]
    dtypes = [n for n in names if isinstance(getattr(_core, n), weft.dtype)]
    text = HEAD
    text += "".join("\n" + small_class(getattr(_core, n)) for n in classes if n != "Tensor")
    text += "\n_dtype = dtype\n_device = device\n\n" + tensor_class() + "\n"
    for n in names:
        if n not in classes and n not in dtypes and callable(getattr(_core, n)):
            text += bound(n, getattr(_core, n))
    text += "\ndefault_generator: Generator\n" + "".join(f"{n}: dtype\n" for n in dtypes)
    text += "def __getattr__(name: str) -> Any: ...  # the parts that begin with _\n"
    return text


def package():
    """weft/__init__.pyi: what the package gathers from the core and from weft.operations, and its submodules."""
    text = '"""Written by tests/typing/stubs.py from the built module."""\n\n# ruff: noqa\n'
    public = sorted(n for n in dir(weft) if n[0] != "_" and n not in weft._SUBMODULES)
    sources, made = {}, []
    for name in public:
        value = getattr(weft, name)
        home = value.__module__ if is_python(value) or isinstance(value, type) else "weft._core"
        if inspect.ismodule(value):
            continue
        home = "weft._core" if not home.startswith("weft") or home == "weft" else home
        if home != "weft._core" and not hasattr(sys.modules[home], name):
            made.append(name)  # by another function: a twin in place
        else:
            sources.setdefault(home, []).append(name)
    for home, names in sorted(sources.items()):
        text += f"from {home} import (\n" + "".join(f"    {n} as {n},\n" for n in names) + ")\n"
    text += "from weft import (\n" + "".join(f"    {n} as {n},\n" for n in sorted(weft._SUBMODULES)) + ")\n"
    text += "from collections.abc import Callable\n\n" + "".join(f"{n}: Callable[..., Tensor]\n" for n in made)
    return text + "__version__: str\n"


PAGES = {PACKAGE / "_core.pyi": core, PACKAGE / "__init__.pyi": package}

if __name__ == "__main__":
    for path, make in PAGES.items():
        path.write_text(make())
    sys.exit(0)
