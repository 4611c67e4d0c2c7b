"""What the kernels of `scipygrad/_backend/gpu/kernels` compute, in NumPy, by their names."""

from __future__ import annotations

import re

import numpy as np

from .array import ndarray

_TYPES = {"float": "f", "double": "d", "complex<float>": "F", "complex<double>": "D",
          "int": "i", "long long": "q"}  # fmt: skip


def gather(out, x, index):
    out[...] = np.where(index >= 0, x[index] if x.size else 0, 0)


def gather_sum(out, a, b, left, right, sign):
    gather(out, a, left)
    other = np.empty_like(out)
    gather(other, b, right)
    out += other if sign > 0 else -other


def segment_sum(out, x, order, begin):
    for s in range(out.size):
        out[s] = x[order[begin[s] : begin[s + 1]]].sum()


def differ(found, a, b):
    if (a != b).any():
        found[0] = 1


def sampled_outer(out, G, X, rows, columns, k):
    G, X = G.reshape(-1, k), X.reshape(-1, k)
    out[...] = (G[rows] * X[columns]).sum(axis=1)


def segment_products(out, x, y, of_x, of_y, begin):
    for s in range(out.size):
        places = slice(begin[s], begin[s + 1])
        out[s] = (x[of_x[places]] * y[of_y[places]]).sum()


class RawModule:
    """Stand-in for `cupy.RawModule`: checks how kernels are called, and runs those above."""

    def __init__(self, *, code, options=(), name_expressions=()):
        self.code, self.names = code, frozenset(name_expressions)

    def get_function(self, name):
        assert name in self.names, name
        stem, *types = re.split(r"[<,]\s*(?![a-z ]*>>)|>$", name.replace("complex<", "complex["))
        types = [_TYPES[t.replace("complex[", "complex<").strip()] for t in types if t.strip()]
        signature = re.search(rf"void {stem}\((.*?)\)", self.code, re.S).group(1).split(",")
        parameters = [p.split() for p in signature]

        def launch(grid, block, args):
            assert len(args) == len(parameters), (stem, len(args), len(parameters))
            values = []
            for p, x in zip(parameters, args):
                declared = " ".join(w for w in p[:-1] if w != "const").replace("*", "")
                declared = dict(zip(("T", "I"), types)).get(declared) or _TYPES[declared]
                dtype = np.dtype(declared)
                if "*" in "".join(p):
                    assert isinstance(x, ndarray) and x._host.flags.c_contiguous, (stem, p)
                    assert x.dtype == dtype, (stem, p, x.dtype)
                    values.append(x._host.reshape(-1))
                else:
                    assert isinstance(x, np.generic) and x.dtype == dtype, (stem, p, type(x))
                    values.append(x)
            assert grid[0] * block[0] >= values[-1] > (grid[0] - 1) * block[0]
            globals()[stem](*values[:-1])

        return launch
