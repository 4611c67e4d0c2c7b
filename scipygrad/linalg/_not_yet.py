"""Names that have no rule yet; with a traced argument they say so."""

from __future__ import annotations

import scipy.sparse.linalg as spla

from .._core.mirror import not_yet, own
from .._core.table import enter

bicg = not_yet(spla.bicg)
bicgstab = not_yet(spla.bicgstab)
cgs = not_yet(spla.cgs)
gcrotmk = not_yet(spla.gcrotmk)
gmres = not_yet(spla.gmres)
lgmres = not_yet(spla.lgmres)
lsmr = not_yet(spla.lsmr)
lsqr = not_yet(spla.lsqr)
minres = not_yet(spla.minres)
qmr = not_yet(spla.qmr)
tfqmr = not_yet(spla.tfqmr)

eigs = not_yet(spla.eigs)
eigsh = not_yet(spla.eigsh)
lobpcg = not_yet(spla.lobpcg)
svds = not_yet(spla.svds)

expm = not_yet(spla.expm)
expm_multiply = not_yet(spla.expm_multiply)
inv = not_yet(spla.inv)
norm = not_yet(spla.norm)
onenormest = not_yet(spla.onenormest)
if hasattr(spla, "funm_multiply_krylov"):
    funm_multiply_krylov = not_yet(spla.funm_multiply_krylov)

_OPERATOR = "constant operators serve `cg`; one applied to a traced vector raises"
LinearOperator = spla.LinearOperator
enter(LinearOperator, "not yet", note=_OPERATOR)
aslinearoperator = not_yet(spla.aslinearoperator, _OPERATOR)


class LaplacianNd(spla.LaplacianNd):
    __doc__ = spla.LaplacianNd.__doc__

    def tosparse(self):
        return own(super().tosparse())

    tosparse.__doc__ = spla.LaplacianNd.tosparse.__doc__


enter(spla.LaplacianNd, "not yet", note=_OPERATOR)
