"""Matrices assembled from entries."""

import autograd.numpy as anp
import numpy as np

from .common import Benchmark, vector

COUNTS = {"small": 300, "large": 10000}


def _lil(lib, values):
    A = lib.sp.lil_array((len(values), len(values)))
    for k in range(len(values)):
        A[k, (7 * k) % len(values)] = values[k]
    return A.tocsr()


def _lil_rows(lib, values):
    A = lib.sp.lil_array((len(values) // 4, 4))
    for k in range(len(values) // 4):
        A[k, :] = values[4 * k : 4 * k + 4]
    return A.tocsr()


def _lil_added(lib, values):
    A = lib.sp.lil_array((len(values) // 3 + 1, 3))
    for k in range(len(values)):
        A[k // 3, 0] += values[k]
    return A.tocsr()


def _coo(lib, values):
    n = len(values)
    i, j = np.arange(n) // 2, np.arange(n) // 4  # every place twice
    return lib.sp.coo_array((values, (i, j)), shape=(n, n)).tocsr()


def _setdiag(lib, values):
    A = lib.sp.csr_array(lib.sp.eye_array(len(values)))
    A.setdiag(values)
    return A


def _csr_places(lib, values):
    n = len(values)
    A = lib.sp.csr_array(lib.sp.eye_array(n))
    A[np.arange(n), np.arange(n)[::-1]] = values
    return A


class Assembly(Benchmark):
    """n traced entries, next to SciPy's n plain ones."""

    operations = {
        "lil A[i, j] = v": _lil,
        "lil A[i, :] = v": _lil_rows,
        "lil A[i, j] += v": _lil_added,
        "coo with duplicates": _coo,
        "csr setdiag": _setdiag,
        "csr A[i, j] = v, fancy": _csr_places,
    }
    params = [list(operations), list(COUNTS)]
    param_names = ["operation", "size"]

    def problem(self, operation, size):
        """The values are differentiated."""
        return self.operations[operation], (vector(COUNTS[size]),)


# ---- finite elements -------------------------------------------------------------------------


class StiffnessMatrix(Benchmark):
    """Bilinear elements on an n × n grid, as a SciPy user writes it: 16 n² contributions.

    Differentiated is one coefficient of each element; or, where the name says so, all entries of
    all element matrices.
    """

    timeout = 600
    GRIDS = {"small": 20, "large": 79}  # 6400 and 99 856 contributions
    WAYS = (
        "lil, entries", "dok, entries", "lil, entries of element matrices",
        "dok, entries of element matrices", "lil, blocks", "dok, blocks",
        "coo, lists", "coo, array of a list", "coo, vectorised", "csr, vectorised",
    )  # fmt: skip
    params = [list(WAYS), list(GRIDS)]
    param_names = ["way", "size"]

    def problem(self, way, size):
        """The function of coefficients or element matrices, and those."""
        n = self.GRIDS[size]
        K = Stiffness(n, way.split(",")[0])
        E = np.random.default_rng(0).uniform(1, 2, n * n)
        function = {
            "entries": K.by_entries, "entries of element matrices": K.by_entries_of_matrices,
            "blocks": K.by_blocks, "lists": K.from_lists, "array of a list": K.from_array_of_list,
            "vectorised": K.vectorised,
        }[way.split(", ")[1]]  # fmt: skip
        return function, (E[:, None, None] * K.KE if "matrices" in way else E,)


class Stiffness:
    """One matrix in several ways."""

    # Of diffusion and convection, clearly not symmetric.
    KE = np.array(
        [[4.0, -1.0, -2.0, -1.1], [-0.9, 4.1, -1.0, -2.1], [-2.2, -1.0, 4.2, -1.0],
         [-1.0, -1.9, -1.2, 4.3]]
    ) / 6  # fmt: skip

    def __init__(self, n, format):
        nodes = np.arange((n + 1) ** 2).reshape(n + 1, n + 1)
        corners = nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, 1:], nodes[1:, :-1]
        self.dofs = np.stack(corners, axis=-1).reshape(-1, 4)
        self.lists = self.dofs.tolist()
        self.i = np.repeat(self.dofs, 4, axis=1).ravel()
        self.j = np.tile(self.dofs, (1, 4)).ravel()
        self.shape = ((n + 1) ** 2, (n + 1) ** 2)
        self.format = format

    def _empty(self, lib):
        return getattr(lib.sp, f"{self.format}_array")(self.shape)

    def by_entries(self, lib, E):
        """``K[i, j] += E[e] * KE[a, b]``."""
        K, KE = self._empty(lib), self.KE
        for e, dofs in enumerate(self.lists):
            for a in range(4):
                for b in range(4):
                    K[dofs[a], dofs[b]] += E[e] * KE[a, b]
        return K.tocsr()

    def by_entries_of_matrices(self, lib, KE):
        """``K[i, j] += KE[e, a, b]``."""
        K = self._empty(lib)
        for e, dofs in enumerate(self.lists):
            for a in range(4):
                for b in range(4):
                    K[dofs[a], dofs[b]] += KE[e, a, b]
        return K.tocsr()

    def by_blocks(self, lib, E):
        """``K[np.ix_(dofs, dofs)] += E[e] * KE``."""
        K, KE = self._empty(lib), self.KE
        for e, dofs in enumerate(self.dofs):
            K[np.ix_(dofs, dofs)] += E[e] * KE
        return K.tocsr()

    def _triplets(self, E):
        i, j, v = [], [], []
        for e, dofs in enumerate(self.lists):
            for a in range(4):
                for b in range(4):
                    i.append(dofs[a])
                    j.append(dofs[b])
                    v.append(E[e] * self.KE[a, b])
        return i, j, v

    def from_lists(self, lib, E):
        """``coo_array((list, (i, j)))``."""
        i, j, v = self._triplets(E)
        return lib.sp.coo_array((v, (i, j)), shape=self.shape).tocsr()

    def from_array_of_list(self, lib, E):
        """``coo_array((np.array(list), (i, j)))``, with autograd's NumPy."""
        i, j, v = self._triplets(E)
        return lib.sp.coo_array((anp.array(v), (i, j)), shape=self.shape).tocsr()

    def vectorised(self, lib, E):
        """All contributions as one array."""
        make = getattr(lib.sp, f"{self.format}_array")
        v = anp.ravel(anp.outer(E, self.KE.ravel()))
        return make((v, (self.i, self.j)), shape=self.shape).tocsr()
