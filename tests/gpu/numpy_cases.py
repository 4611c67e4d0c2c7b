"""Functions of autograd.numpy, linalg, fft and scipy.special, with arguments: what runs on a GPU.

Decompositions that are not unique are put together again, or their unique part is taken.
"""

import autograd.numpy as np
import autograd.numpy.fft as fft
import autograd.numpy.linalg as la
import autograd.scipy.special as special
import numpy as onp
from autograd.numpy.numpy_wrapper import _astype as astype

_rng = onp.random.default_rng(0)
X, Y = _rng.uniform(0.2, 0.8, (2, 3, 4))
v, w = _rng.uniform(0.2, 0.8, (2, 5))
S = _rng.uniform(0.2, 0.8, (4, 4)) + 4 * onp.eye(4)
Z = X + 1j * Y
SZ = S + 1j * _rng.uniform(0.2, 0.8, (4, 4))
XXX = _rng.uniform(0.2, 0.8, (2, 3, 4))
YYY = _rng.uniform(0.2, 0.8, (5, 4, 2))
SS = _rng.uniform(0.2, 0.8, (2, 3, 3)) + 3 * onp.eye(3)
number = onp.float64(0.7)


def symmetric(a):
    return a + np.conj(np.swapaxes(a, -1, -2))


def positive(a):
    return np.matmul(a, np.conj(np.swapaxes(a, -1, -2)))


def of_svd(a, f=np.exp):
    """u f(s) vh, which the signs of u and v do not change."""
    u, s, vh = la.svd(a, full_matrices=False)
    return np.matmul(u * f(s)[..., None, :], vh)


def of_eigh(a, UPLO="L"):
    values, vectors = la.eigh(a, UPLO)
    return np.matmul(
        vectors * np.exp(values / 9)[..., None, :], np.conj(np.swapaxes(vectors, -1, -2))
    )


def of_eig(a):
    """A function of a matrix by its eigenvectors, whatever their order and length."""
    values, vectors = la.eig(a)
    return np.matmul(vectors * (values**2)[..., None, :], la.inv(vectors))


UNARY = """abs absolute sin cos tan exp log log1p expm1 sqrt square tanh sinh cosh arctan arcsin
arccos arcsinh arctanh negative reciprocal exp2 log2 log10 sign fabs rad2deg degrees deg2rad radians
sinc""".split()
BINARY = """add subtract multiply divide power maximum minimum arctan2 logaddexp logaddexp2 fmax
fmin hypot mod remainder""".split()

ELEMENTWISE = {
    **{n: (lambda a, n=n: getattr(np, n)(a), (X,)) for n in UNARY},
    **{n: (lambda a, b, n=n: getattr(np, n)(a, b), (X, Y)) for n in BINARY},
    "arccosh": (lambda a: np.arccosh(a + 1), (X,)),
    "power of a number": (lambda a: a**2 + a**0.5 + a ** onp.float64(3) + a**0, (X,)),
    "number to a power": (lambda a: 2**a + onp.float64(3) ** a, (X,)),
    "broadcast": (lambda a, b: a * b, (X, v[:4].copy())),
    "broadcast of one": (lambda a, b: a + b, (X, X[:, :1].copy())),
    "constants": (lambda a: 2.0 * a - 1 + onp.float64(3) / a, (X,)),
    "where": (lambda a, b: np.where(a > b, a, b), (X, Y)),
    "where, numbers": (lambda a: np.where(a > 0.5, a, 0.0) + np.where(a < 0.5, 1.0, a), (X,)),
    "clip": (lambda a: np.clip(a, 0.3, 0.6), (X,)),
    "nan_to_num": (lambda a: np.nan_to_num(a), (X,)),
    "astype": (lambda a: astype(a, "float32") * a, (X,)),
    "astype, method": (lambda a: a.astype("float32") * a, (X,)),
    "real": (lambda a: np.real(a * 1j), (Z,)),
    "imag": (lambda a: np.imag(a * (1 + 1j)), (Z,)),
    "real_if_close": (lambda a: np.real_if_close(a), (Z,)),
    "conj": (lambda a: np.conj(a), (Z,)),
    "abs, complex": (lambda a: np.abs(a), (Z,)),
    "angle": (lambda a: np.angle(a), (Z,)),
    "complex and real": (lambda a, b: a * b, (Z, Y)),
    "exp, complex": (lambda a: np.exp(a) * np.sin(a), (Z,)),
}

REDUCTIONS = {
    "sum": (lambda a: np.sum(a), (X,)),
    "sum over an axis": (lambda a: np.sum(a, axis=0), (X,)),
    "sum kept": (lambda a: np.sum(a, axis=1, keepdims=True) * a, (X,)),
    "sum over axes": (lambda a: np.sum(a, axis=(0, -1)), (XXX,)),
    "mean": (lambda a: np.mean(a, axis=1), (X,)),
    "prod": (lambda a: np.prod(a, axis=0), (X,)),
    "var": (lambda a: np.var(a), (X,)),
    "var, complex": (lambda a: np.var(a, axis=0), (Z,)),
    "std": (lambda a: np.std(a, axis=0), (X,)),
    "max": (lambda a: np.max(a), (X,)),
    "amax": (lambda a: np.amax(a, axis=1, keepdims=True), (X,)),
    "min": (lambda a: np.min(a, axis=0), (X,)),
    "amin": (lambda a: np.amin(a, axis=(0, 2)), (XXX,)),
    "cumsum": (lambda a: np.cumsum(a), (v,)),
    "cumsum along an axis": (lambda a: np.cumsum(a, axis=1), (X,)),
    "trace": (lambda a: np.trace(a), (S,)),
    "trace, offset": (lambda a: np.trace(a, 1), (XXX,)),
    "methods": (lambda a: a.sum(axis=0) * a.mean() + a.max() - a.T.reshape(3, 4).std(axis=0), (X,)),
}

METHODS = {
    "dot, method": (lambda a, b: a.dot(b.T).conj(), (X, Y)),
    "diagonal, method": (lambda a: a.diagonal() * a.diagonal(1)[0], (S,)),
    "repeat, method": (lambda a: a.repeat(2, axis=1), (X,)),
    "repeat, counts": (lambda a: np.repeat(a, [1, 0, 2], axis=0), (X,)),
    "item": (lambda a: a * a[1, 2].item() + a.item(1, 2), (X,)),
    "flat": (lambda a: a.flat[3:5] * a.real.ravel()[0], (X,)),
    "copy": (lambda a: np.copy(a) * a.copy(), (X,)),
    "asarray": (lambda a: np.asarray(a[0] * 2).ravel(), (X,)),
    "vdot": (lambda a, b: np.vdot(a, b), (Z, Z * 2j)),
}

PRODUCTS = {
    "dot of vectors": (lambda a, b: np.dot(a, b), (v, w)),
    "dot of matrices": (lambda a, b: np.dot(a, b), (X, Y.T.copy())),
    "dot, matrix and vector": (lambda a, b: np.dot(a, b), (X, v[:4].copy())),
    "dot, vector and matrix": (lambda a, b: np.dot(a, b), (v[:3].copy(), X)),
    "dot, complex": (lambda a, b: np.dot(a, b), (Z, Z.T * 1j)),
    "dot, 3 and 2": (lambda a, b: np.dot(a, b), (XXX, S)),
    "dot, 2 and 3": (lambda a, b: np.dot(a, b), (X, YYY)),
    "dot, 3 and 3": (lambda a, b: np.dot(a, b), (XXX, YYY)),
    "dot, 1 and 3": (lambda a, b: np.dot(a, b), (v[:4].copy(), YYY)),
    "dot, 3 and 1": (lambda a, b: np.dot(a, b), (XXX, v[:4].copy())),
    "matmul": (lambda a, b: a @ b, (X, Y.T.copy())),
    "matmul, stacked": (lambda a, b: np.matmul(a, b), (XXX, S)),
    "matvec": (lambda a, b: a @ b, (X, v[:4].copy())),
    "vecmat": (lambda a, b: b @ a, (X, v[:3].copy())),
    "inner": (lambda a, b: np.inner(a, b), (v, w)),
    "inner of matrices": (lambda a, b: np.inner(a, b), (X, Y[:2].copy())),
    "inner, 3 and 2": (lambda a, b: np.inner(a, b), (XXX, X)),
    "outer": (lambda a, b: np.outer(a, b), (v, w)),
    "outer, complex": (lambda a, b: np.outer(a, b), (v + 2j * w, w - 1j)),
    "tensordot": (lambda a, b: np.tensordot(a, b), (X, Y)),
    "tensordot, one axis": (lambda a, b: np.tensordot(a, b, axes=1), (X, Y.T.copy())),
    "tensordot, axes": (lambda a, b: np.tensordot(a, b, axes=([2, 1], [1, 0])), (XXX, X)),
    "tensordot, an axis": (lambda a, b: np.tensordot(a, b, (-1, 1)), (XXX, YYY)),
    "tensordot, none": (lambda a, b: np.tensordot(a, b, axes=0), (X, v)),
    "kron": (lambda a, b: np.kron(a, b), (X, Y)),
    "cross": (lambda a, b: np.cross(a, b), (X[:, :3].copy(), Y[:, 1:].copy())),
    "einsum": (lambda a, b: np.einsum("ij,kj->ik", a, b), (X, Y)),
    "einsum to a vector": (lambda a, b: np.einsum("ij,ij->i", a, b), (X, Y)),
    "einsum, implicit": (lambda a, b: np.einsum("ij,jk", a, b), (X, S)),
    "einsum, summed alone": (lambda a: np.einsum("ijk->j", a), (XXX,)),
    "einsum, all summed": (lambda a, b: np.einsum("ij,k->", a, b), (X, v)),
    "einsum, three": (lambda a, b, c: np.einsum("i,ij,j->", a, b, c), (v[:3], X, w[:4])),
    "einsum, ellipsis": (lambda a, b: np.einsum("...ij,jk->...ik", a, b), (XXX, S)),
    "einsum, broadcast": (lambda a, b: np.einsum("...i,...i", a, b), (X, X[:1].copy())),
    "einsum, lists": (lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [0, 2]), (X, S)),
    "einsum, complex": (lambda a, b: np.einsum("ij,jk->k", a, b), (X, SZ)),
}

SHAPES = {
    "reshape": (lambda a: np.reshape(a, (4, 3)), (X,)),
    "reshape, method": (lambda a: a.reshape(2, 6), (X,)),
    "reshape, order": (lambda a: np.reshape(a, (4, 3), order="F"), (X,)),
    "ravel": (lambda a: np.ravel(a), (X,)),
    "ravel, order": (lambda a: np.ravel(a, "F"), (X,)),
    "T": (lambda a: a.T, (X,)),
    "transpose": (lambda a: np.transpose(a, (2, 0, 1)), (XXX,)),
    "transpose, keyword": (lambda a: np.transpose(a, axes=(1, 2, 0)), (XXX,)),
    "swapaxes": (lambda a: np.swapaxes(a, 0, 1), (X,)),
    "moveaxis": (lambda a: np.moveaxis(a, 0, -1), (XXX,)),
    "rollaxis": (lambda a: np.rollaxis(a, 2, 1), (XXX,)),
    "squeeze": (lambda a: np.squeeze(a[None]), (X,)),
    "expand_dims": (lambda a: np.expand_dims(a, 0), (X,)),
    "atleast_1d": (lambda a: np.atleast_1d(a), (v,)),
    "atleast_2d": (lambda a: np.atleast_2d(a), (v,)),
    "atleast_3d": (lambda a: np.atleast_3d(a), (v,)),
    "broadcast_to": (lambda a: np.broadcast_to(a, (3, 4)), (X[:, :1].copy(),)),
    "flipud": (lambda a: np.flipud(a), (X,)),
    "fliplr": (lambda a: np.fliplr(a), (X,)),
    "rot90": (lambda a: np.rot90(a), (X,)),
    "roll": (lambda a: np.roll(a, 1), (v,)),
    "roll along an axis": (lambda a: np.roll(a, 2, axis=1), (X,)),
    "tile": (lambda a: np.tile(a, (2, 1)), (X,)),
    "repeat": (lambda a: np.repeat(a, 2, axis=0), (X,)),
    "repeat, flat": (lambda a: np.repeat(a, 2), (X,)),
    "pad": (lambda a: np.pad(a, ((1, 2), (0, 1)), "constant"), (X,)),
    "diff": (lambda a: np.diff(a, 2), (X,)),
    "diff along an axis": (lambda a: np.diff(a, axis=0), (X,)),
    "gradient": (lambda a: np.gradient(a), (v,)),
    "gradient along an axis": (lambda a: np.gradient(a, axis=1), (onp.outer(v, w),)),
    "linspace": (lambda a: np.linspace(a[0], a[1], 4), (v,)),
    "diag": (lambda a: np.diag(a), (v,)),
    "diag of a matrix": (lambda a: np.diag(a), (S,)),
    "diagonal": (lambda a: np.diagonal(a, 0, -1, -2), (SS,)),
    "triu": (lambda a: np.triu(a), (S,)),
    "tril": (lambda a: np.tril(a, -1), (SS,)),
    "concatenate": (lambda a, b: np.concatenate([a, b], axis=1), (X, Y)),
    "concatenate, axis -1": (lambda a, b: np.concatenate([a, b], -1), (Z, Z[:, :1] * 2)),
    "stack": (lambda a, b: np.stack([a, b], axis=-1), (X, Y)),
    "hstack": (lambda a, b: np.hstack([a, b]), (X, Y)),
    "vstack": (lambda a, b: np.vstack([a, b]), (X, Y)),
    "column_stack": (lambda a, b: np.column_stack([a, b]), (v, w)),
    "append": (lambda a, b: np.append(a, b), (v, w)),
    "array of numbers": (lambda a: np.array([a[0], a[1] * 2, 3.0]), (v,)),
    "array of rows": (lambda a, b: np.array([a, b]), (v, w)),
    "array of lists": (lambda a: np.array([[a[0], a[1]], [1.0, a[0] * a[1]]]), (v,)),
    "array_split": (lambda a: np.array_split(a, 3, axis=1)[1], (X,)),
    "split": (lambda a: np.split(a, [1, 2])[2], (X,)),
    "hsplit": (lambda a: np.hsplit(a, 2)[1], (X,)),
    "vsplit": (lambda a: np.vsplit(a, 3)[0], (X,)),
    "dsplit": (lambda a: np.dsplit(a, 2)[1], (XXX,)),
    "sort": (lambda a: np.sort(a), (v,)),
    "partition": (lambda a: np.partition(a, 2), (v,)),
    "rows": (lambda a: a[1:], (X,)),
    "row": (lambda a: a[0], (X,)),
    "number": (lambda a: a[1, 2] * a, (X,)),
    "number by number": (lambda a: a[-1][2] * a, (X,)),
    "slices": (lambda a: a[::2, 1:3], (X,)),
    "new axis": (lambda a: a[:, None] * a[..., None], (v,)),
    "list as index": (lambda a: a[[0, 2, 2]], (X,)),
    "lists as index": (lambda a: a[[0, 2, 2], [1, 3, 3]], (X,)),
    "list and slice": (lambda a: a[1:, [0, 0, 3]], (Z,)),
    "array of NumPy's as index": (lambda a: a[onp.array([[0, 1], [1, 1]])], (X,)),
    "mask": (lambda a: a[a > 0.5], (X,)),
    "iteration": (lambda a: sum(row * i for i, row in enumerate(a)), (X,)),
}

LINALG = {
    "solve": (la.solve, (S, v[:4].copy())),
    "solve, columns": (la.solve, (S, S[:, :2].copy())),
    "solve, complex": (la.solve, (SZ, SZ[:, :2].copy())),
    "solve, stacked": (la.solve, (SS, SS[:, :, :2].copy())),
    "inv": (la.inv, (S,)),
    "inv, stacked": (la.inv, (SS,)),
    "det": (la.det, (S,)),
    "det, stacked": (la.det, (SS,)),
    "slogdet": (lambda a: la.slogdet(a)[1], (S,)),
    "pinv": (la.pinv, (X,)),
    "pinv, tall": (la.pinv, (X.T.copy(),)),
    "cholesky": (lambda a: la.cholesky(positive(a)), (S,)),
    "cholesky, stacked": (lambda a: la.cholesky(positive(a)), (SS,)),
    "eigh": (lambda a: of_eigh(symmetric(a)), (S,)),
    "eigh, of one triangle": (lambda a: of_eigh(symmetric(a) * 1.0, "U"), (S,)),
    "eigh, complex": (lambda a: of_eigh(symmetric(a)), (SZ,)),
    "eigh, stacked": (lambda a: of_eigh(symmetric(a)), (SS,)),
    "eigh, values": (lambda a: la.eigh(a)[0], (S,)),
    "eig": (lambda a: of_eig(a), (SZ,)),
    "eig, real": (lambda a: np.real(of_eig(a)), (S,)),
    "svd": (of_svd, (X,)),
    "svd, tall": (of_svd, (X.T.copy(),)),
    "svd, square": (of_svd, (S,)),
    "svd, complex": (of_svd, (Z,)),
    "svd, values": (lambda a: la.svd(a, compute_uv=False), (X,)),
    "norm": (la.norm, (X,)),
    "norm, axis": (lambda a: la.norm(a, axis=1), (X,)),
    "norm, order": (lambda a: la.norm(a, 3), (v,)),
    "norm, nuclear": (lambda a: la.norm(a, "nuc"), (X,)),
    "norm, complex": (la.norm, (Z,)),
}

FFT = {
    **{n: (lambda a, n=n: getattr(fft, n)(a), (Z,)) for n in
       ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "fftshift", "ifftshift")},
    **{n: (lambda a, n=n: getattr(fft, n)(a), (X,)) for n in ("rfft", "rfft2", "rfftn")},
    **{n: (lambda a, n=n: getattr(fft, n)(a), (Z,)) for n in ("irfft", "irfft2", "irfftn")},
    "fft of reals": (lambda a: fft.fft(a, 6, 0, "ortho"), (X,)),
    "fft, shorter": (lambda a: fft.fft(a, n=2), (Z,)),
    "rfftn, axes": (lambda a: fft.rfftn(a, axes=(2, 0)), (XXX,)),
}  # fmt: skip

SPECIAL = {
    **{n: (lambda a, n=n: getattr(special, n)(a), (X,)) for n in
       ("gammaln", "gamma", "rgamma", "erf", "erfc", "erfinv", "erfcinv", "expit", "logit", "j0",
        "y0", "y1", "i0")},
    "beta": (lambda a, b: special.beta(a, b), (X, Y)),
    "betaln": (lambda a, b: special.betaln(a, b), (X, Y)),
    "gammainc": (lambda a: special.gammainc(1.5, a), (X,)),
    "gammaincc": (lambda a: special.gammaincc(1.5, a), (X,)),
    "betainc": (lambda a: special.betainc(1.5, 2.5, a), (X,)),
    "yn": (lambda a: special.yn(2, a), (X,)),
}  # fmt: skip

FUNCTIONS = ELEMENTWISE | REDUCTIONS | METHODS | PRODUCTS | SHAPES | LINALG | FFT | SPECIAL

NUMBER_OF_THE_HOST = {
    "s * x": lambda s, x: s * x, "x + s": lambda s, x: x + s, "s - x": lambda s, x: s - x,
    "x - s": lambda s, x: x - s, "x / s": lambda s, x: x / s, "x ** s": lambda s, x: x**s,
    "s ** x": lambda s, x: s**x, "maximum": lambda s, x: np.maximum(x, s * 0.5),
    "where": lambda s, x: np.where(x > 0.5, x, s), "array": lambda s, x: np.array([x[0], s]),
    "mod": lambda s, x: np.mod(s, x),
}  # fmt: skip
"""Of a number in the host's memory, and an array on the GPU."""

WITHOUT_SECOND = frozenset("gammaln gamma rgamma beta betaln j0 i0".split())
"""Whose derivative is a function of `LACKING`."""

BEYOND_AUTOGRAD = {
    "sort, axis": (lambda a: np.sort(a, axis=0), (X,)),
    "sort, last axis": (lambda a: np.sort(a), (XXX,)),
    "sort, flat": (lambda a: np.sort(a, axis=None), (X,)),
    "partition, axis": (lambda a: np.partition(a, 1, axis=0), (X,)),
    "diagonal, offset": (lambda a: np.diagonal(a, 1), (X,)),
    "diagonal, below": (lambda a: np.diagonal(a, -1, 1, 2), (XXX,)),
    "astype, complex": (lambda a: a.astype("complex128") * 1j, (X,)),
    "dot, real and complex": (lambda a: np.dot(a, np.cos(a.T) * (1 + 2j)), (X,)),
    "outer, real and complex": (lambda a: np.outer(a, a * 1j), (v,)),
    "tensordot, real and complex": (lambda a: np.tensordot(a, a * 1j), (X,)),
    "einsum, real and complex": (lambda a: np.einsum("ij,jk->i", a, a.T * 1j), (X,)),
    "concatenate, real and complex": (lambda a: np.concatenate([a, a * 1j]), (X,)),
    "where, broadcast": (lambda a: np.where(a > 0.5, a[0] * 2, a), (X,)),
    "rfft, keywords": (lambda a: fft.rfft(a, n=6, axis=0, norm="ortho"), (X,)),
    "irfft, keywords": (lambda a: fft.irfft(a, n=4, axis=0), (Z,)),
    "rfft, shorter": (lambda a: fft.rfft(a, 2), (X,)),
    "irfft, longer": (lambda a: fft.irfft(a, 10), (Z,)),
    "irfft, shorter": (lambda a: fft.irfft(a, 4), (Z,)),
    "no places": (lambda a: a[[]].sum() + a, (X,)),
    "irfftn, axes": (lambda a: fft.irfftn(a, (4, 4), (0, 1), "forward"), (Z,)),
    "rfft, odd": (lambda a: fft.rfft(a, axis=0), (X,)),
    "irfft, odd": (lambda a: fft.irfft(a, 5), (Z,)),
    "transpose, negative axes": (lambda a: np.transpose(a, (-1, 0, 1)), (XXX,)),
    "gradient of a matrix": (lambda a: np.gradient(a)[0] * np.gradient(a)[1], (X,)),
}
"""What autograd has no rule for, or a wrong one: compared with differences."""

LACKING = {
    "full": (lambda a: np.full((2,), a[0]), v, "numpy.full asks for no protocol"),
    "make_diagonal": (np.make_diagonal, v, "a helper of autograd's own rules"),
    "polygamma": (lambda a: special.polygamma(1, a), v, "SciPy's asks for arrays of NumPy's"),
    "multigammaln": (lambda a: special.multigammaln(a + 1, 2), v, "the same"),
    "logsumexp": (special.logsumexp, v, "the same"),
    "psi": (special.psi, v, "its derivative is polygamma"),
    "digamma": (special.digamma, v, "its derivative is polygamma"),
    "jn": (lambda a: special.jn(2, a), v, "CuPy has no jv"),
    "j1": (special.j1, v, "its derivative is jv"),
    "iv": (lambda a: special.iv(2.0, a), v, "CuPy has none"),
    "i1": (special.i1, v, "its derivative is iv"),
    "ive": (lambda a: special.ive(2.0, a), v, "CuPy has none"),
}
"""What raises, and why."""
