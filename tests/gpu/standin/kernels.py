"""What the kernels of `scipygrad/_backend/gpu/kernels` compute, in NumPy, by their names."""

from __future__ import annotations

import re

import numpy as np

from . import cuda
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


def segment_extreme(out, x, order, begin, largest):
    for s in range(out.size):
        values = x[order[begin[s] : begin[s + 1]]]
        if values.size:  # (NumPy's too take the first nan)
            out[s] = values[values.real.argmax() if largest else values.real.argmin()]
        else:
            out[s] = 0


def differ(found, a, b):
    if (a != b).any():
        found[0] = 1


def _lines(begin):
    """The line that each place is in, and the place."""
    line = np.repeat(np.arange(begin.size - 1), np.diff(begin))
    return line, np.arange(line.size)


def _at(index, p):
    return p if index is None else index[p]


def sum_lines(y, data, x, data2, x2, begin, indices, places):
    sum_lines_of_block(y, data, x, begin, indices, places, 1)
    if data2 is not None:
        first = y.copy()
        sum_lines_of_block(y, data2, x2, begin, indices, places, 1)
        y += first


def sum_lines_of_block(y, data, x, begin, indices, places, k):
    line, p = _lines(begin)
    terms = x.reshape(-1, k)[_at(indices, p)]
    if data is not None:
        terms = data[_at(places, p)][:, None] * terms
    y[...] = 0
    np.add.at(y.reshape(-1, k), line, terms)


def both_cotangents(entries_bar, x_bar, u, v, g, data, begin, indices, column_begin,
                    column_indices, column_places, lines, columns):  # fmt: skip
    line, p = _lines(begin)
    assert lines == begin.size - 1
    entries_bar[: p.size] = u[line] * v[indices[p]]
    if columns:
        assert columns == column_begin.size - 1
        sum_lines(x_bar, data, g, None, None, column_begin, column_indices, column_places)


def sampled_outer(out, G, X, rows, columns, k):
    G, X = (x.reshape(x.size // max(k, 1), k) for x in (G, X))
    out[...] = 0 if not k else (G[rows] * X[columns]).sum(axis=1)


def _pairs(a_begin, a_indices, b_begin, b_indices, c_begin, c_indices, c_places, c_lines, n):
    """For each entry of C the pairs of places in rows of A and columns of B that meet there."""
    for p in range(n):
        i, j = c_lines[p], c_indices[p]
        last = p + 1 == c_begin[i + 1] or c_indices[p + 1] != j
        rows, columns = (range(b[k], b[k + 1]) for b, k in ((a_begin, i), (b_begin, j)))
        if not last:
            rows = ()
        pairs = [(q, r) for q in rows for r in columns if a_indices[q] == b_indices[r]]
        yield _at(c_places, p), pairs


def masked_product(c, a, b, a_begin, a_indices, a_places, b_begin, b_indices, b_places,
                   c_begin, c_indices, c_places, c_lines):  # fmt: skip
    n = c_begin[-1]
    for e, pairs in _pairs(a_begin, a_indices, b_begin, b_indices, c_begin, c_indices, c_places,
                           c_lines, n):  # fmt: skip
        c[e] = sum(a[_at(a_places, q)] * b[_at(b_places, r)] for q, r in pairs)


def pairs_of_product(counts, of_a, of_b, begin, a_begin, a_indices, a_places, b_begin, b_indices,
                     b_places, c_begin, c_indices, c_places, c_lines):  # fmt: skip
    n = c_begin[-1]
    for e, pairs in _pairs(a_begin, a_indices, b_begin, b_indices, c_begin, c_indices, c_places,
                           c_lines, n):  # fmt: skip
        if of_a is None:
            counts[e] = len(pairs)
            continue
        for t, (q, r) in enumerate(pairs, begin[e]):
            of_a[t], of_b[t] = _at(a_places, q), _at(b_places, r)


def _place_in_row(c_begin, c_indices, c_places, i, j):
    """The last place of column j in row i, or -1."""
    found = c_begin[i] + np.flatnonzero(c_indices[c_begin[i] : c_begin[i + 1]] == j)
    return _at(c_places, found[-1]) if found.size else -1


def find_slots(slots, slot_begin, a_lines, a_indices, b_begin, b_indices, c_begin, c_indices,
               c_places):  # fmt: skip
    for q in range(slot_begin.size - 1):
        k = a_indices[q]
        for t, r in enumerate(range(b_begin[k], b_begin[k + 1]), slot_begin[q]):
            slots[t] = _place_in_row(c_begin, c_indices, c_places, a_lines[q], b_indices[r])


def product_left(a, c, b, slots, slot_begin, a_lines, a_indices, b_begin, b_indices, c_begin,
                 c_indices, c_places):  # fmt: skip
    for q in range(a_lines.size):
        k, a[q] = a_indices[q], 0
        for t, r in enumerate(range(b_begin[k], b_begin[k + 1])):
            if slots is None:
                e = _place_in_row(c_begin, c_indices, c_places, a_lines[q], b_indices[r])
            else:
                e = slots[slot_begin[q] + t]
            a[q] += c[e] * b[r] if e >= 0 else 0


def product_right(b, c, a, slots, slot_begin, a_begin, a_indices, a_places, b_lines, b_begin,
                  b_indices, c_begin, c_indices, c_places):  # fmt: skip
    for r in range(b_lines.size):
        k, b[r] = b_lines[r], 0
        for p in range(a_begin[k], a_begin[k + 1]):
            q = _at(a_places, p)
            if slots is None:
                e = _place_in_row(c_begin, c_indices, c_places, a_indices[p], b_indices[r])
            else:
                e = slots[slot_begin[q] + r - b_begin[k]]
            b[r] += a[q] * c[e] if e >= 0 else 0


def segment_products(out, x, y, of_x, of_y, begin):
    for s in range(out.size):
        places = slice(begin[s], begin[s + 1])
        out[s] = (x[of_x[places]] * y[of_y[places]]).sum()


def substitute(x, b, data, place, column, begin, row, diagonal, level, lanes, first, last, k):
    x, b = x.reshape(-1, k), b.reshape(-1, k)
    for s in range(level[first], level[last]):
        terms = slice(begin[s], begin[s + 1])
        rest = b[row[s]] - data[place[terms]] @ x[column[terms]]
        x[row[s]] = rest if diagonal[s] < 0 else rest / data[diagonal[s]]


class RawModule:
    """Stand-in for `cupy.RawModule`: checks how kernels are called, and runs those above."""

    def __init__(self, *, code, options=(), name_expressions=()):
        self.code, self.names = code, frozenset(name_expressions)

    def get_function(self, name):
        assert name in self.names, name
        stem, *types = re.split(r"[<,]\s*(?![a-z ]*>>)|>$", name.replace("complex<", "complex["))
        types = [t.replace("complex[", "complex<").strip() for t in types if t.strip()]
        lanes = int(types.pop()) if types[-1].isdigit() else 1
        types = [_TYPES[t] for t in types]
        signature = re.search(rf"void {stem}\((.*?)\)", self.code, re.S).group(1).split(",")
        parameters = [p.split() for p in signature]

        def launch(grid, block, args):
            assert len(args) == len(parameters), (stem, len(args), len(parameters))
            values = []
            for p, x in zip(parameters, args):
                declared = (w for w in p[:-1] if w not in ("const", "__restrict__"))
                declared = " ".join(declared).replace("*", "")
                declared = dict(zip(("T", "I"), types)).get(declared) or _TYPES[declared]
                dtype = np.dtype(declared)
                if "*" in "".join(p) and isinstance(x, np.int64):
                    assert x == 0, (stem, p)  # a null pointer; CuPy does not take None for one
                    values.append(None)
                elif "*" in "".join(p):
                    assert isinstance(x, ndarray) and x._host.flags.c_contiguous, (stem, p)
                    assert x.dtype == dtype, (stem, p, x.dtype)
                    # CuPy looks at neither for kernels of other people's
                    assert x.device.id == cuda.get_device_id(), "illegal memory access"
                    x._read()
                    values.append(x._host.reshape(-1))
                else:
                    assert isinstance(x, np.generic) and x.dtype == dtype, (stem, p, type(x))
                    values.append(x)
            assert grid[0] * block[0] >= lanes * values[-1] > (grid[0] - 1) * block[0]
            globals()[stem](*values[:-1])

        return launch
