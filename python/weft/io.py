"""Saving and loading by safetensors: no pickle, so that a file from anywhere can be opened without running its code.

`save_file` and `load_file` speak plain safetensors, readable by every other tool. `save` and `load` take the place of
PyTorch's: nested dicts, lists and tuples of tensors, arrays, numbers and strings; the nesting is kept as JSON in the
file's metadata. Files are written whole or not at all; bad files raise ValueError and change nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from weft import _core
from weft._core import Tensor, as_tensor

# weft dtype name: the format's name, and a NumPy dtype of the same size for the bytes
_FORMATS = {
    "bool": ("BOOL", "bool"),
    "uint8": ("U8", "uint8"),
    "int8": ("I8", "int8"),
    "int16": ("I16", "int16"),
    "int32": ("I32", "int32"),
    "int64": ("I64", "int64"),
    "float16": ("F16", "float16"),
    "bfloat16": ("BF16", "int16"),
    "float32": ("F32", "float32"),
    "float64": ("F64", "float64"),
}
_NAMES = {code: name for name, (code, _) in _FORMATS.items()}
_STRUCTURE = "weft.structure"


def save_file(tensors: Mapping[str, Any], filename: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors by name. A view is saved as its own elements and not as the memory behind it."""
    _write(filename, _serialize(tensors, metadata))


def load_file(filename: Any, device: Any = None) -> dict[str, Tensor]:
    """Tensors by name. ValueError on anything that is not a whole, well-formed safetensors file."""
    return _deserialize(_read(filename), filename, device)[0]


def save_model(model: Any, filename: Any, metadata: Mapping[str, str] | None = None) -> None:
    """The module's state_dict as a safetensors file."""
    save_file(model.state_dict(), filename, metadata)


def load_model(model: Any, filename: Any, strict: bool = True, on_mismatch: str = "raise") -> Any:
    """Loads a module's state_dict from a safetensors file; see Module.load_state_dict."""
    return model.load_state_dict(load_file(filename), strict=strict, on_mismatch=on_mismatch)


def save(obj: Any, f: Any) -> None:
    """Writes a module's state_dict, or any nesting of dicts, lists and tuples of tensors and plain values."""
    if hasattr(obj, "state_dict"):
        obj = obj.state_dict()
    if isinstance(obj, Mapping) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in obj.items()):
        _write(f, _serialize(obj, None))
        return
    tensors: dict[str, Tensor] = {}
    structure = _encode(obj, tensors, "")
    _write(f, _serialize(tensors, {_STRUCTURE: json.dumps(structure, separators=(",", ":"))}))


def load(f: Any, map_location: Any = None, weights_only: bool = True) -> Any:
    """What `save` wrote, or the tensors of any safetensors file. Nothing in a file is ever run."""
    tensors, metadata = _deserialize(_read(f), f, map_location)
    if _STRUCTURE not in metadata:
        return tensors
    try:
        return _decode(json.loads(metadata[_STRUCTURE]), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"[load] {_name(f)}: the description of its structure is damaged ({error})") from None


# Structure: JSON values as they are, except that dicts say what they stand for.


def _encode(value: Any, tensors: dict[str, Tensor], path: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor | np.ndarray):
        key = path or "value"
        while key in tensors:
            key += "_"
        tensors[key] = as_tensor(value)
        return {"tensor" if isinstance(value, Tensor) else "array": key}
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, _core.dtype):
        return {"dtype": value.name}
    if isinstance(value, list | tuple):
        items = [_encode(v, tensors, _join(path, i)) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, Mapping):
        for k in value:
            if not (k is None or isinstance(k, bool | int | float | str)):
                raise TypeError(
                    f"[save] {path or 'the object'}: keys may be strings and numbers, got {type(k).__name__}"
                )
        return {"dict": [[k, _encode(v, tensors, _join(path, k))] for k, v in value.items()]}
    raise TypeError(
        f"[save] {path or 'the object'}: expected tensors, arrays, numbers, strings, None, dicts, lists and tuples, "
        f"got {type(value).__name__}; save its state_dict() or its fields instead"
    )


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "array":
        return tensors[inner].numpy()
    if kind == "tuple":
        return tuple(_decode(v, tensors) for v in inner)
    if kind == "dict":
        return {k: _decode(v, tensors) for k, v in inner}
    if kind == "dtype" and inner in _FORMATS:
        return getattr(_core, inner)
    raise ValueError(f"unknown entry {kind!r}")


# Bytes


def _serialize(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None) -> list[Any]:
    """The file in parts: length of the header, header, then the tensors, the widest elements first for alignment.

    Written here because the safetensors package has no stable function that takes bfloat16.
    """
    arrays, header = {}, {"__metadata__": dict(metadata)} if metadata else {}
    for name, value in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"[save_file] names are strings, got {type(name).__name__}")
        if not isinstance(value, Tensor | np.ndarray):
            raise TypeError(f"[save_file] {name}: expected a tensor or array, got {type(value).__name__}")
        if name == "__metadata__":
            raise ValueError("[save_file] the name __metadata__ is reserved by the format")
        t = as_tensor(value).detach().cpu().contiguous()
        code, numpy_name = _FORMATS[t.dtype.name]
        array = (t.view(_core.int16) if t.dtype == _core.bfloat16 else t).numpy()
        arrays[name] = array.astype(np.dtype(numpy_name).newbyteorder("<"), copy=False)
        header[name] = {"dtype": code, "shape": list(t.shape), "data_offsets": None}
    offset, body = 0, []
    for name in sorted(arrays, key=lambda n: -arrays[n].itemsize):
        end = offset + arrays[name].nbytes
        header[name]["data_offsets"] = [offset, end]
        body.append(arrays[name].reshape(-1).data)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little"), text, *body]


def _deserialize(raw: bytes, source: Any, device: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, deserialize

    try:
        entries = dict(deserialize(raw))  # checks sizes, offsets and the header's form
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        metadata = header.pop("__metadata__", None) or {}
        tensors = {name: _tensor(name, entries[name]) for name in header}
    except (SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise ValueError(f"[load] {_name(source)} is not a whole safetensors file: {error}") from None
    return {k: t if device is None else t.to(device) for k, t in tensors.items()}, metadata


def _tensor(name: str, entry: dict[str, Any]) -> Tensor:
    dtype = _NAMES.get(entry["dtype"])
    if dtype is None:
        raise ValueError(f"tensor {name!r} has dtype {entry['dtype']}, which is not supported")
    stored = np.dtype(_FORMATS[dtype][1])
    array = np.frombuffer(entry["data"], dtype=stored.newbyteorder("<")).astype(stored, copy=False)
    t = as_tensor(array.reshape(entry["shape"]))
    return t.view(_core.bfloat16) if dtype == "bfloat16" else t


def _name(f: Any) -> str:
    return os.fspath(f) if isinstance(f, str | os.PathLike) else "the file"


def _read(f: Any) -> bytes:
    if hasattr(f, "read"):
        return f.read()
    with open(f, "rb") as file:
        return file.read()


def _write(f: Any, parts: list[Any]) -> None:
    if hasattr(f, "write"):
        for part in parts:
            f.write(part)
    else:
        write_atomically(f, parts)


def write_atomically(path: Any, parts: list[Any]) -> None:
    """All of it or nothing: a neighbouring temporary file takes the name only once it is on the disk."""
    path = os.path.abspath(os.fspath(path))
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
