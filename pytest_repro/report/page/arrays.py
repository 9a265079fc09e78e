"""Columns of numbers, packed small enough to stand within a page."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_TYPES = {"u16": "<u2", "u32": "<u4", "f32": "<f4"}


def packed(values: Any, kind: str) -> dict[str, str]:
    """Returns numbers as base64 of a little-endian typed array; `kind` is `u16`, `u32` or `f32`."""
    import numpy as np

    data = np.asarray(values).astype(_TYPES[kind]).tobytes()
    return {kind: base64.b64encode(data).decode("ascii")}


def packed_codes(codes: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Returns small numbers as runs of equal ones where that is shorter, one by one otherwise."""
    import numpy as np

    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]]) if len(codes) else np.zeros(0, int)
    if 3 * len(starts) >= len(codes):
        return {"each": packed(codes, "u16")}
    lengths = np.diff(np.r_[starts, len(codes)])
    return {"runs": [packed(codes[starts], "u16"), packed(lengths, "u32")]}


def sample_places(must: np.ndarray[Any, Any], *, most: int) -> np.ndarray[Any, Any]:
    """Returns places of a fair sample, in order: all marked ones first, of the others evenly many.

    Args:
        must: Whether each one is to be kept.
        most: So many places are returned at most; of more marked ones than that, evenly many.
    """
    import numpy as np

    if len(must) <= most:
        return np.arange(len(must))
    marked, others = np.flatnonzero(must), np.flatnonzero(~must)
    marked = _evenly(marked, most)
    return np.asarray(np.sort(np.r_[marked, _evenly(others, most - len(marked))]))


def _evenly(places: np.ndarray[Any, Any], most: int) -> np.ndarray[Any, Any]:
    import numpy as np

    if len(places) <= most:
        return places
    return np.asarray(places[np.arange(most) * len(places) // most]) if most else places[:0]
