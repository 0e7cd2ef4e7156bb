"""Packs the installed package as a wheel does, without the CUDA module, and refuses more than 5 MB."""

import io
import sys
import zipfile
from importlib.metadata import files

LIMIT = 5_000_000

packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
    for file in files("weft"):
        if "__pycache__" not in file.parts and not file.name.startswith("_cuda") and ".." not in file.parts:
            wheel.write(file.locate(), str(file))
size = len(packed.getvalue())
print(f"{size / 1e6:.2f} MB of at most {LIMIT / 1e6:.0f}")
sys.exit(size > LIMIT)
