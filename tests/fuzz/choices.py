"""What operations are given besides values: axes, indices, shapes, offsets, dtypes.

Each function takes a `Choose` and the values (of SciPy's run) that the operation is given; strings
stand in the program as they are, anything else as its `repr`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .operands import Choose


class Source(str):
    """Text that stands in a program as it is."""

    def __repr__(self) -> str:
        return str(self)


def one(options: Any) -> Callable[..., Any]:
    """One of the options, whatever the values are."""
    return lambda choose, *values: choose.one(options)


def axis(choose: Choose, *values: Any) -> Any:
    """An axis, or all."""
    return choose.one((None, 0, 1, -1, -2, (0, 1), (1,)))


def offset(choose: Choose, A: Any, *values: Any) -> int:
    """The number of a diagonal, possibly just outside."""
    return choose.one((0, 1, -1, 2, -2, A.shape[1], -A.shape[0]))


def wider(choose: Choose, A: Any, *values: Any) -> str:
    """A dtype that holds what A holds (or, of the same kind, is single precision)."""
    return choose.one(("complex128",) if A.dtype.kind == "c" else
                      ("float64", "complex128", "float32"))  # fmt: skip


def blocksize(choose: Choose, A: Any) -> tuple[int, int]:
    """A block size that divides the shape."""
    return tuple(choose.one([k for k in (1, 2, 3, 4) if n and not n % k] or [1]) for n in A.shape)


def reshape(choose: Choose, A: Any) -> tuple[int, int]:
    """Another shape with as many elements, sometimes with -1 in it."""
    size = int(np.prod(A.shape))
    rows = choose.one([k for k in range(1, size + 1) if not size % k] or [3])
    shape = (rows, size // rows)
    return choose.one((shape, shape[::-1], (shape[0], -1) if size else shape))


def row(choose: Choose, A: Any) -> int:
    """The number of a row, possibly counted from the end; or one too many."""
    return choose.integer(-A.shape[0], A.shape[0] - (1 if choose.chance(95) else 0))


def column(choose: Choose, A: Any) -> int:
    """The number of a column, possibly counted from the end."""
    return choose.integer(-A.shape[1], max(A.shape[1] - 1, 0))


# ---- indices ------------------------------------------------------------------------------------


def _slice(choose: Choose, n: int) -> str:
    start = choose.one(("", "1", "-2", str(n)))
    stop = choose.one(("", "-1", "3", str(n + 2)))
    step = choose.one(("", "", "2", "-1", "-2"))
    return f"{start}:{stop}" + (f":{step}" if step else "")


def _number(choose: Choose, n: int) -> str:
    return str(choose.integer(-n, n - 1))


def _list(choose: Choose, n: int, length: int | None = None) -> str:
    length = choose.integer(1, 4) if length is None else length
    return str([choose.integer(-n, n - 1) for _ in range(length)])


def _mask(choose: Choose, *shape: int) -> str:
    bits = np.random.default_rng(choose.integer(0, 20)).random(shape) < 0.5
    return f"onp.array({bits.tolist()}, bool).reshape({shape})"


def _part(choose: Choose, n: int) -> str:
    if not n:
        return _slice(choose, n)
    kind = choose.one((_slice, _number, _list, _mask, _slice))
    return kind(choose, n)


def index_1d(choose: Choose, A: Any) -> Source:
    """An index of a one-dimensional array."""
    return Source(_part(choose, A.shape[0]))


def index_2d(choose: Choose, A: Any) -> Source:
    """An index of a matrix: of every kind that SciPy knows, but None."""
    m, n = A.shape
    form = choose.one(("both", "both", "rows", "pairs", "grid", "ellipsis"))
    if form in ("pairs", "grid") and m and n:
        k = choose.integer(1, 4)
        if form == "pairs":
            return Source(f"{_list(choose, m, k)}, {_list(choose, n, k)}")
        rows = [[choose.integer(-m, m - 1)] for _ in range(k)]
        return Source(f"{rows}, {_list(choose, n)}")
    if form == "rows":
        return Source(_part(choose, m))
    if form == "ellipsis":
        return Source(choose.one(("...", f"..., {_part(choose, n)}", f"{_part(choose, m)}, ...")))
    rows = _part(choose, m)
    columns = _part(choose, n)
    if rows[0] in "[o" and columns[0] in "[o":
        columns = _slice(choose, n)
    # An array beside a slice with steps: SciPy (1.17) reads memory outside the shorter index.
    if rows[0] in "[o":
        columns = _without_step(columns)
    if columns[0] in "[o":
        rows = _without_step(rows)
    return Source(f"{rows}, {columns}")


def _without_step(index: str) -> str:
    return ":".join(index.split(":")[:2])


def mask_2d(choose: Choose, A: Any) -> Source:
    """A mask of the whole matrix."""
    return Source(_mask(choose, *A.shape))


def assigned_index(choose: Choose, A: Any, *values: Any) -> Source:
    """An index without repetitions, which can be written to."""
    m, n = A.shape
    if not (m and n):
        return Source(f"{_slice(choose, m)}, {_slice(choose, n)}")
    rows = choose.one((_slice, _number, _distinct))(choose, m)
    columns = choose.one((_slice, _number, _distinct))(choose, n)
    if rows[0] == columns[0] == "[":
        k = choose.integer(1, min(m, n))
        return Source(f"{_distinct(choose, m, k)}, {_distinct(choose, n, k)}")
    return Source(choose.one((f"{rows}, {columns}", rows)))


def _distinct(choose: Choose, n: int, length: int | None = None) -> str:
    order = np.random.default_rng(choose.integer(0, 20)).permutation(n)
    return str(order[: length or choose.integer(1, n)].tolist())


def entry(choose: Choose, A: Any, *values: Any) -> Source:
    """The index of one element."""
    return Source(f"{_number(choose, A.shape[0])}, {_number(choose, A.shape[1])}")


def window(choose: Choose, A: Any, B: Any) -> Source:
    """Where B fits into A, as slices."""
    i = choose.integer(0, A.shape[0] - B.shape[0])
    j = choose.integer(0, A.shape[1] - B.shape[1])
    return Source(f"{i}:{i + B.shape[0]}, {j}:{j + B.shape[1]}")


def new_shape(choose: Choose, A: Any) -> tuple[int, int]:
    """Any shape, not much larger."""
    return tuple(max(1, n + choose.integer(-2, 2)) for n in A.shape)


def rows(choose: Choose, A: Any) -> Source:
    """Distinct rows."""
    return Source(_distinct(choose, A.shape[0]))
