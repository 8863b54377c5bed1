"""Arrays as text for a page: whole numbers in base64, little-endian."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = -(2**15)  # stands for NaN
SPAN = 2**15 - 1  # the largest number written
SMALL_SPAN = 2**7 - 1


def text_of(values: NDArray[Any], kind: str) -> str:
    """An array as base64 of a NumPy kind such as "u2"."""
    ordered = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(ordered.tobytes()).decode()


def whole(values: NDArray[Any]) -> str:
    """Numbers rounded and cut to 16 bits; NaN is MISSING."""
    near = np.clip(np.rint(np.nan_to_num(values)), -SPAN, SPAN)
    return text_of(np.where(np.isfinite(values), near, MISSING), "i2")


def small(values: NDArray[Any]) -> dict[str, Any]:
    """Numbers in steps of their largest one's 127th part, in 8 bits; NaN is 0."""
    plain = np.nan_to_num(values)
    step = max(1.0, float(np.abs(plain).max(initial=0)) / SMALL_SPAN)
    return {"step": step, "values": text_of(np.rint(plain / step), "i1")}
