import itertools

import pytest

import weft

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]

# torch.promote_types, row by row; the order of columns is NAMES.
ROWS = {
    "bool": " ".join(NAMES),
    "uint8": "uint8 uint8 int16 int16 int32 int64 float16 bfloat16 float32 float64",
    "int8": "int8 int16 int8 int16 int32 int64 float16 bfloat16 float32 float64",
    "int16": "int16 int16 int16 int16 int32 int64 float16 bfloat16 float32 float64",
    "int32": "int32 int32 int32 int32 int32 int64 float16 bfloat16 float32 float64",
    "int64": "int64 int64 int64 int64 int64 int64 float16 bfloat16 float32 float64",
    "float16": "float16 float16 float16 float16 float16 float16 float16 float32 float32 float64",
    "bfloat16": "bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 float32 bfloat16 float32 float64",
    "float32": "float32 " * 9 + "float64",
    "float64": "float64 " * 10,
}
TABLE = {name: row.split() for name, row in ROWS.items()}


@pytest.mark.parametrize("a, b", list(itertools.product(NAMES, NAMES)))
def test_promotion(a, b):
    expected = getattr(weft, TABLE[a][NAMES.index(b)])
    assert weft.promote_types(getattr(weft, a), getattr(weft, b)) == expected
    assert (weft.ones(2, dtype=getattr(weft, a)) + weft.ones(2, dtype=getattr(weft, b))).dtype == expected


def test_table_is_pytorchs():
    torch = pytest.importorskip("torch")
    for a in NAMES:
        ours = [getattr(torch, name) for name in TABLE[a]]
        assert ours == [torch.promote_types(getattr(torch, a), getattr(torch, b)) for b in NAMES]
