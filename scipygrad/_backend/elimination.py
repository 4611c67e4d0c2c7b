"""Kernels on the structure and the factors of a matrix under elimination.

On the host only: this is where SuperLU leaves its factors. Triangular factors come as compressed
columns of L and compressed rows of U, both with sorted indices: the first entry of each column or
row is its diagonal entry.
"""

from __future__ import annotations

import numpy as np

from .cpu import _kernel

# ---- substitution with a triangle of A -------------------------------------------------------

SINGULAR, OUTSIDE, OVERFLOW = 1, 2, 4


def substitute(data, indptr, indices, b, *, lower: bool, unit: bool, by_rows: bool):
    """x with T x = b, T a triangle of A (CSR by rows, CSC by columns), and what was met.

    Entries outside the triangle are not used, with `unit` neither is the diagonal; duplicates are
    summed. What was met: SINGULAR, a diagonal entry is zero, and x is worth nothing; else the sum
    of OUTSIDE, there are nonzero entries outside the triangle, and OVERFLOW, some x is not finite.
    """
    x = np.array(b, np.result_type(data, b), order="C")
    data = np.ascontiguousarray(data)
    if x.ndim == 1 or x.shape[1] == 1:
        kernel = _rows_vector if by_rows else _columns_vector
        return x, kernel(x.reshape(-1), data, indptr, indices, lower, unit)
    kernel = _rows_block if by_rows else _columns_block
    return x, kernel(x, data, indptr, indices, lower, unit)


@_kernel
def _rows_vector(x, data, indptr, indices, lower, unit):
    n = x.size
    outside, remainder = False, x.dtype.type(0)
    for step in range(n):
        i = step if lower else n - 1 - step
        s, diagonal = x[i], data.dtype.type(0)
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if j == i:
                diagonal += data[k]
            elif (j < i) == lower:
                s -= data[k] * x[j]
            elif data[k] != 0:
                outside = True
        if not unit:
            if diagonal == 0:
                return SINGULAR
            s *= 1 / diagonal  # the quotient does not wait for s
        x[i] = s
        remainder += s - s  # nan if s is not finite
    return OUTSIDE * outside + OVERFLOW * (remainder != 0)


@_kernel
def _columns_vector(x, data, indptr, indices, lower, unit):
    n = x.size
    outside, remainder = False, x.dtype.type(0)
    for step in range(n):
        j = step if lower else n - 1 - step
        s, begin, end = x[j], indptr[j], indptr[j + 1]
        if not unit:
            diagonal = data.dtype.type(0)
            for k in range(begin, end):
                if indices[k] == j:
                    diagonal += data[k]
            if diagonal == 0:
                return SINGULAR
            s *= 1 / diagonal
            x[j] = s
        for k in range(begin, end):
            i = indices[k]
            if i != j:
                if (i > j) == lower:
                    x[i] -= data[k] * s
                elif data[k] != 0:
                    outside = True
        remainder += s - s
    return OUTSIDE * outside + OVERFLOW * (remainder != 0)


@_kernel
def _rows_block(x, data, indptr, indices, lower, unit):
    n, columns = x.shape
    outside, remainder = False, x.dtype.type(0)
    for step in range(n):
        i = step if lower else n - 1 - step
        diagonal = data.dtype.type(0)
        for k in range(indptr[i], indptr[i + 1]):
            j, v = indices[k], data[k]
            if j == i:
                diagonal += v
            elif (j < i) == lower:
                for c in range(columns):
                    x[i, c] -= v * x[j, c]
            elif v != 0:
                outside = True
        if not unit:
            if diagonal == 0:
                return SINGULAR
            factor = 1 / diagonal
            for c in range(columns):
                x[i, c] *= factor
        for c in range(columns):
            remainder += x[i, c] - x[i, c]
    return OUTSIDE * outside + OVERFLOW * (remainder != 0)


@_kernel
def _columns_block(x, data, indptr, indices, lower, unit):
    n, columns = x.shape
    outside, remainder = False, x.dtype.type(0)
    for step in range(n):
        j = step if lower else n - 1 - step
        begin, end = indptr[j], indptr[j + 1]
        if not unit:
            diagonal = data.dtype.type(0)
            for k in range(begin, end):
                if indices[k] == j:
                    diagonal += data[k]
            if diagonal == 0:
                return SINGULAR
            factor = 1 / diagonal
            for c in range(columns):
                x[j, c] *= factor
        for k in range(begin, end):
            i, v = indices[k], data[k]
            if i != j:
                if (i > j) == lower:
                    for c in range(columns):
                        x[i, c] -= v * x[j, c]
                elif v != 0:
                    outside = True
        for c in range(columns):
            remainder += x[j, c] - x[j, c]
    return OUTSIDE * outside + OVERFLOW * (remainder != 0)


# ---- entries of the inverse ------------------------------------------------------------------


@_kernel
def selected_inverse(d, z, l_ptr, l_ind, l_data, u_ptr, u_ind, u_data):
    """Entries of Z = (L U)⁻¹ at the places of (L + U)ᵀ, by the recurrence of Takahashi.

    `d` is the diagonal of U. Written in place: `z` gets the diagonal of Z, the entry of L at
    (j, i) is replaced by Z[i, j], that of U at (i, k) by Z[k, i]. The answer is False, and the
    arrays are worth nothing, if the recurrence asks for a place that is not stored.
    (docs/derivations/linalg_determinant.md)
    """
    n = d.size
    in_l, in_u = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    sum_l, sum_u = np.zeros(n, l_data.dtype), np.zeros(n, l_data.dtype)
    for i in range(n - 1, -1, -1):
        l0, l1, u0, u1 = l_ptr[i] + 1, l_ptr[i + 1], u_ptr[i] + 1, u_ptr[i + 1]
        for p in range(l0, l1):
            in_l[l_ind[p]] = p - l0
            sum_l[p - l0] = 0
        for q in range(u0, u1):
            in_u[u_ind[q]] = q - u0
            u_data[q] = u_data[q] / d[i]
            sum_u[q - u0] = 0
        # All Z[k, j] with k in row i of U and j in column i of L, each met once:
        missing = (l1 - l0) * (u1 - u0)
        for p in range(l0, l1):
            j, s = l_ind[p], sum_l[p - l0]
            k = in_u[j]
            if k >= 0:
                s += u_data[u0 + k] * z[j]
                sum_u[k] += z[j] * l_data[p]
                missing -= 1
            for r in range(u_ptr[j] + 1, u_ptr[j + 1]):  # k > j
                k = in_u[u_ind[r]]
                if k >= 0:
                    s += u_data[u0 + k] * u_data[r]
                    sum_u[k] += u_data[r] * l_data[p]
                    missing -= 1
            sum_l[p - l0] = s
        for q in range(u0, u1):
            k, s = u_ind[q], sum_u[q - u0]
            for r in range(l_ptr[k] + 1, l_ptr[k + 1]):  # j > k
                j = in_l[l_ind[r]]
                if j >= 0:
                    sum_l[j] += u_data[q] * l_data[r]
                    s += l_data[r] * l_data[l0 + j]
                    missing -= 1
            sum_u[q - u0] = s
        if missing:
            return False
        z[i] = 1 / d[i]
        for q in range(u0, u1):
            z[i] += u_data[q] * sum_u[q - u0]
            u_data[q] = -sum_u[q - u0]
            in_u[u_ind[q]] = -1
        for p in range(l0, l1):
            l_data[p] = -sum_l[p - l0]
            in_l[l_ind[p]] = -1
    return True


@_kernel
def read_selected(out, rows, columns, z, l_ptr, l_ind, l_data, u_ptr, u_ind, u_data):
    """Z[columns[p], rows[p]] from what `selected_inverse` left; False if one is not stored."""
    for p in range(rows.size):
        i, j = rows[p], columns[p]
        if i == j:
            out[p] = z[i]
            continue
        if i > j:
            ptr, ind, values, line, place = l_ptr, l_ind, l_data, j, i
        else:
            ptr, ind, values, line, place = u_ptr, u_ind, u_data, i, j
        end = ptr[line + 1]
        k = ptr[line] + np.searchsorted(ind[ptr[line] : end], place)
        if k == end or ind[k] != place:
            return False
        out[p] = values[k]
    return True


@_kernel
def spread(out, ptr, ind, values, from_ptr, from_ind):
    """Put the values of one compressed structure into a larger one, both sorted."""
    for i in range(ptr.size - 1):
        q = ptr[i]
        for p in range(from_ptr[i], from_ptr[i + 1]):
            while ind[q] < from_ind[p]:
                q += 1
            out[q] = values[p]


@_kernel
def spread_transposed(out, ptr, ind, values, from_ptr, from_ind):
    """The same for values that come by columns and go into rows."""
    at = ptr[:-1].copy()
    for k in range(ptr.size - 1):
        for p in range(from_ptr[k], from_ptr[k + 1]):
            i = from_ind[p]
            while ind[at[i]] < k:
                at[i] += 1
            out[at[i]] = values[p]


# ---- sizes of entries ------------------------------------------------------------------------


@_kernel
def sizes(indptr, indices, data, share):
    """Of a CSC matrix: whether its diagonal is fit for pivots, and its ∞-norm and 1-norm.

    It is fit if no entry of it is zero or smaller than `share` of the largest in its column, and
    all entries are finite.
    """
    n = indptr.size - 1
    fit, one = True, 0.0
    of_rows = np.zeros(n)
    for j in range(n):
        largest, diagonal, total = 0.0, data.dtype.type(0), 0.0
        for k in range(indptr[j], indptr[j + 1]):
            i, size = indices[k], float(abs(data[k]))
            if i == j:
                diagonal += data[k]
            if size > largest or size != size:  # nan stays
                largest = size
            total += size
            of_rows[i] += size
        size = float(abs(diagonal))
        fit = fit and size > 0 and size >= share * largest and np.isfinite(largest)
        one = max(one, total)
    return fit, of_rows.max() if n else 0.0, one


# ---- structure -------------------------------------------------------------------------------


@_kernel
def fill(indptr, indices, limit):
    """Columns of the Cholesky factor of a symmetric structure, not sorted.

    Column j is column j of the matrix, and of the factor's columns whose first entry below the
    diagonal is j. No columns are returned if there are more than `limit` entries.
    """
    n = indptr.size - 1
    out_ptr, out = np.zeros(n + 1, indptr.dtype), np.empty(2 * indices.size + n, indices.dtype)
    child, sibling, seen = np.full(n, -1), np.full(n, -1), np.full(n, -1)
    for j in range(n):
        start = out_ptr[j]
        if start > limit:
            return out_ptr[:1], out[:0]
        if start + n - j > out.size:
            grown = np.empty(max(2 * out.size, start + n - j), out.dtype)
            grown[:start] = out[:start]
            out = grown
        out[start] = j
        end = start + 1
        for p in range(indptr[j], indptr[j + 1]):
            i = indices[p]
            if i > j and seen[i] != j:
                seen[i] = j
                out[end] = i
                end += 1
        seen[j] = j
        c = child[j]
        while c >= 0:
            for p in range(out_ptr[c] + 1, out_ptr[c + 1]):
                i = out[p]
                if seen[i] != j:
                    seen[i] = j
                    out[end] = i
                    end += 1
            c = sibling[c]
        out_ptr[j + 1] = end
        parent = n
        for p in range(start + 1, end):
            parent = min(parent, out[p])
        if parent < n:
            sibling[j] = child[parent]
            child[parent] = j
    return out_ptr, out[: out_ptr[n]].copy()


@_kernel
def reach(indptr, indices, start_ptr, start):
    """For each column of starting nodes, the nodes that can be reached from them, not sorted.

    The graph has the edges k → indices[indptr[k]], ..., indices[indptr[k + 1] - 1].
    """
    columns, n = start_ptr.size - 1, indptr.size - 1
    out_ptr, out = np.zeros(columns + 1, np.int64), np.empty(start.size + n, np.int64)
    seen = np.full(n, -1)
    for c in range(columns):
        first = out_ptr[c]
        if first + n > out.size:
            grown = np.empty(2 * out.size + n, np.int64)
            grown[:first] = out[:first]
            out = grown
        end = first
        for p in range(start_ptr[c], start_ptr[c + 1]):
            if seen[start[p]] != c:
                seen[start[p]] = c
                out[end] = start[p]
                end += 1
        at = first  # the nodes found are their own queue
        while at < end:
            k = out[at]
            at += 1
            for p in range(indptr[k], indptr[k + 1]):
                i = indices[p]
                if seen[i] != c:
                    seen[i] = c
                    out[end] = i
                    end += 1
        out_ptr[c + 1] = end
    return out_ptr, out[: out_ptr[columns]].copy()
