"""CuPy's own `cupyx.scipy.sparse`, a package of Python, run on the stand-in's arrays.

A script: it prints what its constructors and simple methods give, and what the stand-in's do. What
launches a kernel of CuPy's cannot be run this way.
"""

import json
import sys
import types
from pathlib import Path

import cupy as real
import cupyx
import numpy as np
import scipy.sparse as sps

sys.path.insert(0, str(Path(__file__).parent))


class MatDescriptor:
    """Instead of cuSPARSE's, which cannot be loaded without a driver."""

    @classmethod
    def create(cls):
        return cls()


cupyx.cusparse = sys.modules["cupyx.cusparse"] = types.ModuleType("cupyx.cusparse")
cupyx.cusparse.MatDescriptor = MatDescriptor

import cupyx.scipy.sparse as theirs  # noqa: E402

modules = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in ("cupy", "cupyx")}

import standin  # noqa: E402

cp = standin.install()
ours = sys.modules["cupyx.scipy.sparse"]
sys.modules.update(modules)


class Over(types.ModuleType):
    """The first of two modules that has a name."""

    def __init__(self, *modules):
        super().__init__("cupy")
        self._modules = modules

    def __getattr__(self, name):
        for module in self._modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)


core = types.SimpleNamespace(ndarray=cp.ndarray)
for name, module in modules.items():
    if name.startswith("cupyx.scipy.sparse._"):
        for known in {"cupy", "basic", "_core", "core"} & set(vars(module)):
            is_core = known.endswith("core")
            setattr(module, known, Over(core, real._core) if is_core else Over(cp, real))


# ---- cases ------------------------------------------------------------------------------------

data, indptr, indices = np.array([1.0, 2.0, 3.0]), np.array([0, 2, 3]), np.array([2, 0, 1])
diagonals, offsets = np.arange(1.0, 7.0).reshape(2, 3), np.array([0, 1])


def on(x, dtype):
    return cp.asarray(x.astype(dtype))


def parts(A):
    names = {"coo": ("row", "col"), "dia": ("offsets",)}.get(A.format, ("indices", "indptr"))
    return [getattr(A, n) for n in names]


def described(A, *given):
    """All about a matrix; of its arrays, which are those that it was made from."""
    arrays = [A.data, *parts(A)]
    return {
        "class": type(A).__name__, "shape": list(A.shape), "dtype": str(A.dtype),
        "index dtypes": [str(a.dtype) for a in parts(A)],
        "shared": [any(a is g for g in given) for a in arrays],
        "numbers": [a.get().tolist() for a in arrays], "dense": A.get().toarray().tolist(),
    }  # fmt: skip


def compressed(space, name, index):
    x, i, p = on(data, "d"), on(indices, index), on(indptr, index)
    shape = (2, 3) if name.startswith("csr") else (3, 2)
    return described(getattr(space, name)((x, i, p), shape=shape), x, i, p)


def coordinates(space, name, index):
    x, i, j = on(data, "d"), on(indices % 2, index), on(indices, index)
    return described(getattr(space, name)((x, (i, j)), shape=(2, 3)), x, i, j)


def diagonal(space, name, index):
    x, k = on(diagonals, "d"), on(offsets, index)
    return described(getattr(space, name)((x, k), shape=(3, 3)), x, k)


def from_host(space, name):
    A = sps.csr_matrix((data, indices, indptr), shape=(2, 3))
    return described(getattr(space, name)(A.asformat(name[:3])))


def transposed(space, name):
    x, i, p = on(data, "d"), on(indices, "i"), on(indptr, "i")
    return described(getattr(space, name)((x, i, p), shape=(2, 3)).T)


def refused(space, make):
    x, i, p = on(data, "d"), on(indices, "i"), on(indptr, "i")
    try:
        make(space, x, i, p)
    except (TypeError, ValueError):
        return "refused"
    return "taken"


FAMILIES = ("matrix", "array")
CASES = {
    **{f"{f}_{k}, {t}": (make, f"{f}_{k}", t) for k in FAMILIES for t in "iq"
       for f, make in (("csr", compressed), ("csc", compressed), ("coo", coordinates),
                       ("dia", diagonal))},
    **{f"{f}_{k} of SciPy's": (from_host, f"{f}_{k}")
       for k in FAMILIES for f in ("csr", "csc", "coo")},
    **{f"csr_{k}.T": (transposed, f"csr_{k}") for k in FAMILIES},
    **{name: (refused, make) for name, make in {
        "whole numbers": lambda s, x, i, p: s.csr_matrix((x.astype("q"), i, p), shape=(2, 3)),
        "half precision": lambda s, x, i, p: s.csr_matrix((x.astype("e"), i, p), shape=(2, 3)),
        "entries of the host": lambda s, x, i, p: s.csr_matrix((data, i, p), shape=(2, 3)),
        "indices of the host": lambda s, x, i, p: s.csr_matrix((x, indices, p), shape=(2, 3)),
        "a list": lambda s, x, i, p: s.csr_matrix(([1.0, 2.0, 3.0], i, p), shape=(2, 3)),
        "too few pointers": lambda s, x, i, p: s.csr_matrix((x, i, p), shape=(3, 3)),
        "too many entries": lambda s, x, i, p: s.csr_matrix((x[:2], i[:2], p), shape=(2, 3)),
        "float times": lambda s, x, i, p: s.csr_matrix((x, i, p), shape=(2, 3)) @ 2.0,
    }.items()},
}  # fmt: skip

print(json.dumps({name: [f(space, *args) for space in (theirs, ours)]
                  for name, (f, *args) in CASES.items()}))  # fmt: skip
