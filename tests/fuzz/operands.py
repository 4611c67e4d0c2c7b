"""Operands of random programs: what an operation wants, and how one is drawn.

An operand is Python source, evaluated once with `sp` = scipy.sparse and once with
`sp` = scipygrad.sparse, so that a failing program can be printed as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sps
from hypothesis import strategies as st

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
FAMILIES = ("array", "matrix")
DTYPES = ("float64", "float64", "complex128", "float32")
INTEGER = ("int64", "int32")
STRUCTURES = (
    "random", "full", "zeros", "gaps", "unsorted", "duplicates", "nothing stored",
)  # fmt: skip
SIZES = (3, 2, 4, 1, 5, 0)
WITHOUT_1D = ("csc", "bsr", "dia", "lil")


class Choose:
    """Choices that hypothesis draws and can shrink; the simplest comes first."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return self._draw(st.integers(low, high)) if high > low else low

    def one(self, options: Any) -> Any:
        """One of the options."""
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred cases; False is the simpler one."""
        return self.integer(0, 99) >= 100 - percent


@dataclass(frozen=True)
class Want:
    """What an operation takes in one place: existing values are filtered, new ones drawn by it.

    `shape` has None for a free length. `own`: not a plain SciPy object, whose methods cannot be
    differentiated. `structure` and `where` restrict what is drawn and what is accepted.
    """

    kind: str = "sparse"  # or "dense", "scalar"
    ndim: tuple[int, ...] = (2,)
    shape: tuple[int | None, ...] | None = None
    formats: tuple[str, ...] = FORMATS
    families: tuple[str, ...] = FAMILIES
    dtypes: tuple[str, ...] | None = None  # of new operands
    own: bool = False
    square: bool = False
    structure: str | None = None  # "regular", "lower", "upper": well-conditioned; "full"
    where: Callable[[Any], bool] = field(default=lambda x: True)

    def accepts(self, x: Any) -> bool:
        """Whether a value of SciPy's run will do."""
        if self.kind != kind_of(x):
            return False
        shape = np.shape(x)
        if self.kind == "sparse" and not (
            x.format in self.formats and family_of(x) in self.families
        ):
            return False
        if self.kind != "scalar" and not (len(shape) in self.ndim and _fits(shape, self.shape)):
            return False
        if self.square and shape[0] != shape[1]:
            return False
        if self.structure in ("regular", "lower", "upper") and not _regular(x, self.structure):
            return False
        if self.structure == "full" and not dense(x).all():
            return False
        return self.where(x)


def kind_of(x: Any) -> str:
    """Of a value of SciPy's run: "sparse", "dense" or "scalar"."""
    return "sparse" if sps.issparse(x) else "dense" if np.ndim(x) else "scalar"


def family_of(x: Any) -> str:
    """Of a plain sparse value: "array" or "matrix"."""
    return "matrix" if isinstance(x, sps.spmatrix) else "array"


def dense(x: Any) -> np.ndarray:
    """A plain value as an array."""
    return np.asarray(x.toarray() if sps.issparse(x) else x)


def dtype_of(x: Any) -> np.dtype:
    """dtype of a plain value."""
    return x.dtype if sps.issparse(x) else np.result_type(x)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...] | None) -> bool:
    return wanted is None or (
        len(shape) == len(wanted) and all(w in (None, n) for n, w in zip(shape, wanted))
    )


def _regular(x: Any, structure: str) -> bool:
    D = dense(x)
    if D.dtype.kind not in "fc" or not D.size:
        return False
    triangle = {"lower": np.tril, "upper": np.triu}.get(structure, np.asarray)
    return bool((D == triangle(D)).all() and np.linalg.cond(D) < 100)


# ---- new operands -----------------------------------------------------------------------------


@dataclass
class Operand:
    """Source text of an operand, and its part in the program."""

    name: str
    source: str
    traced: bool
    foreign: bool  # a plain SciPy object, not one of scipygrad's class

    def evaluate(self, sp: Any) -> Any:
        """The operand, of the classes of SciPy's or our namespace."""
        sp = sps if self.foreign else sp
        return eval(self.source, {"sp": sp, "onp": np})


def new_operand(choose: Choose, want: Want, name: str, traced: bool) -> Operand:
    """An operand that fits: traced ones are of a floating or complex dtype."""
    dtypes = want.dtypes or DTYPES
    if not traced and choose.chance(20) and want.dtypes is None and want.structure is None:
        dtypes = INTEGER
    dtype = choose.one(dtypes)
    seed = choose.integer(0, 99)
    if want.kind == "scalar":
        x = numbers((), dtype, seed).item()
        source = repr(x) if choose.chance(60) else f"onp.{dtype}({x!r})"
        return Operand(name, source, traced, False)
    shape = new_shape(choose, want)
    if want.kind == "dense":
        return Operand(name, _array(numbers(shape, dtype, seed)), traced, False)
    foreign = choose.chance(8) if traced else not want.own and choose.chance(40)
    return Operand(name, _sparse_source(choose, want, shape, dtype, seed), traced, foreign)


def new_shape(choose: Choose, want: Want) -> tuple[int, ...]:
    """A shape that fits."""
    lengths = want.shape or (None,) * choose.one(want.ndim)
    shape = tuple(choose.one(SIZES) if n is None else n for n in lengths)
    if want.square or want.structure in ("regular", "lower", "upper"):
        n = next((n for n in lengths if n is not None), shape[0])
        n = n or (0 if want.structure is None else 3)
        shape = (n, n)
    if want.kind == "sparse" and want.structure == "full" and not all(shape):
        shape = tuple(n or 2 for n in shape)
    return shape


def numbers(shape: Any, dtype: str, seed: int) -> np.ndarray:
    """Numbers of few digits, away from zero, that do not cancel by chance."""
    rng = np.random.default_rng(seed)

    def draw():
        return rng.integers(500, 1500, shape) / 1000 * rng.choice([-1, 1], shape)

    if np.dtype(dtype).kind == "i":
        return np.asarray(rng.integers(1, 4, shape) * rng.choice([-1, 1], shape)).astype(dtype)
    x = draw() + 1j * draw() if np.dtype(dtype).kind == "c" else draw()
    return np.asarray(x).astype(dtype)


def _array(x: np.ndarray) -> str:
    values = x.astype(np.float64 if x.dtype == np.float32 else x.dtype).tolist()
    if x.dtype == np.float32:
        values = np.round(x.astype(np.float64), 3).tolist()
    text = f'onp.array({values}, "{x.dtype}")'
    return text if x.size else f'onp.zeros({x.shape}, "{x.dtype}")'


def _sparse_source(
    choose: Choose, want: Want, shape: tuple[int, ...], dtype: str, seed: int
) -> str:
    formats = [f for f in want.formats if len(shape) == 2 or f not in WITHOUT_1D]
    families = [f for f in want.families if len(shape) == 2 or f == "array"]
    format, family = choose.one(formats), choose.one(families)
    structure = want.structure or choose.one(STRUCTURES)
    if structure == "duplicates" and len(shape) == 1:  # SciPy's own results are wrong (1.17)
        structure = "unsorted"
    if format == "dia" and structure not in ("regular", "lower", "upper", "full"):
        return _dia_source(choose, family, shape, dtype, seed, structure)
    coords, values = _entries(shape, dtype, seed, structure)
    if structure == "duplicates" and len(values) and format in ("coo", "csr", "csc"):
        twice = np.arange(len(values))[:: 2 if len(values) > 1 else 1]
        coords = tuple(np.concatenate([c, c[twice]]) for c in coords)
        values = np.concatenate([values, numbers(len(twice), dtype, seed + 1)])
    if structure in ("unsorted", "duplicates"):
        order = np.random.default_rng(seed).permutation(len(values))
        coords, values = tuple(c[order] for c in coords), values[order]
    places = ", ".join(str(c.tolist()) for c in coords)
    places += "," if len(shape) == 1 else ""
    coo = f"sp.coo_{family}(({_array(values)}, ({places})), shape={shape})"
    if format == "coo":
        return coo
    if format in ("csr", "csc") and len(shape) == 2:
        return _compressed_source(format, family, coords, values, shape)
    if format == "bsr":
        blocks = tuple(choose.one([k for k in (1, 2, 3) if not n % k] or [1]) for n in shape)
        return f"{coo}.tobsr(blocksize={blocks})" if all(shape) else f"{coo}.tobsr()"
    return f"{coo}.to{format}()"


def _entries(shape: Any, dtype: str, seed: int, structure: str) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(seed + 1000)
    D = numbers(shape, dtype, seed)
    mask = rng.random(shape) < 0.55
    if structure == "full":
        mask[...] = True
    elif structure == "nothing stored":
        mask[...] = False
    elif structure == "gaps":
        mask[rng.integers(0, shape[0] or 1) : 1 + shape[0] // 2] = False
        mask[..., -1:] = False
    elif structure in ("regular", "lower", "upper"):
        n = len(D)
        D[range(n), range(n)] = (3.0 + np.arange(n)) * np.sign(D.diagonal().real)
        mask |= np.eye(n, dtype=bool)
        mask &= {"lower": np.tril, "upper": np.triu}.get(structure, np.asarray)(
            np.ones((n, n), bool)
        )
    coords = np.nonzero(mask)
    values = D[coords]
    if structure == "zeros":
        values[rng.random(len(values)) < 0.4] = 0
    return coords, values


def _compressed_source(
    format: str, family: str, coords: Any, values: np.ndarray, shape: tuple[int, int]
) -> str:
    major, minor = coords if format == "csr" else coords[::-1]
    order = np.argsort(major, kind="stable")
    counts = np.bincount(major, minlength=shape[0 if format == "csr" else 1])
    indptr = [0, *np.cumsum(counts).tolist()]
    parts = f"{_array(values[order])}, {minor[order].tolist()}, {indptr}"
    return f"sp.{format}_{family}(({parts}), shape={shape})"


def _dia_source(
    choose: Choose, family: str, shape: tuple[int, int], dtype: str, seed: int, structure: str
) -> str:
    m, n = shape
    if structure == "nothing stored" or not m * n:
        return f'sp.dia_{family}({shape}, dtype="{dtype}")'
    rng = np.random.default_rng(seed)
    offsets = rng.permutation(np.arange(1 - m, n))[: choose.integer(1, 3)]
    if structure != "unsorted":
        offsets.sort()
    data = numbers((len(offsets), n), dtype, seed)  # also what lies outside the matrix
    if structure == "zeros":
        data[rng.random(data.shape) < 0.4] = 0
    return f"sp.dia_{family}(({_array(data)}, {offsets.tolist()}), shape={shape})"
