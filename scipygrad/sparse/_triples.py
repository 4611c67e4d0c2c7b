"""Which entries of three sparse matrices meet in a product."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sps

from .._core.pattern import Pattern


class Triples:
    """CSR index arrays of A, B and C = A B (C: the structural product, or a part of it).

    `A`, `B` and `C` are the arrays on the host, `patterns` has what a device keeps of them. Found
    on the host, there are arrays, and patterns if a device asks; found on a device, the reverse.
    """

    def __init__(self, A: tuple, B: tuple, C: tuple, columns: int) -> None:
        self.A, self.B, self.C, self.columns = A, B, C, columns
        self._known: dict[str, Any] = {}

    @classmethod
    def of(cls, A: Pattern, B: Pattern, C: Pattern) -> Triples:
        """Those of patterns in csr, or of Aᵀ, Bᵀ and Cᵀ in csc: the arrays are the same."""
        new = object.__new__(cls)
        new._given, new._known = (A, B, C), {}
        new.columns = C.shape[C.format == "csr"]
        return new

    A, B, C = (cached_property(lambda self, k=k: self._given[k].arrays) for k in range(3))

    @cached_property
    def patterns(self) -> tuple[Pattern, Pattern, Pattern]:
        """The patterns of A, B and C in csr."""
        if "_given" in self.__dict__:
            A, B, C = self._given
            return (A, B, C) if C.format == "csr" else (A.T, B.T, C.T)
        middle, last = len(self.B[0]) - 1, self.columns
        return _csr(self.A, middle), _csr(self.B, last), _csr(self.C, last)

    def once(self, key: str, build: Callable[[], Any]) -> Any:
        """`build()`, remembered under `key`."""
        if key not in self._known:
            self._known[key] = build()
        return self._known[key]


def _csr(arrays: tuple, columns: int) -> Pattern:
    """The pattern in csr that has these index arrays."""
    indptr, indices = arrays
    ones = np.broadcast_to(np.True_, indices.shape)
    return Pattern.of(sps.csr_array((ones, indices, indptr), shape=(len(indptr) - 1, columns)))
