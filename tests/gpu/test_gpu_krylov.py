"""Iterative solves on the device: SciPy's steps, options and results; operators, both modes."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import grid, numbers, regular

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device

GENERAL = ("bicg", "bicgstab", "cgs", "gmres", "lgmres", "qmr", "tfqmr", "gcrotmk")
HERMITIAN = ("cg", "minres")
METHODS = GENERAL + HERMITIAN
N = 6
there, back = scipygrad.to_device, scipygrad.to_host


def problem(name, dtype="float64", n=N, format="csr"):
    """A and b; minres is for real matrices up to SciPy 1.17."""
    dtype = "float64" if name == "minres" and dtype == "complex128" else dtype
    kind = "hermitian" if name in HERMITIAN else "general"
    return regular(format, "array", dtype, n=n, kind=kind), numbers(n, dtype, 2)


def close(got, wanted, rtol=1e-9):
    got, wanted = (x.toarray() if hasattr(x, "format") else x for x in (back(got), wanted))
    assert got.dtype == onp.asarray(wanted).dtype
    onp.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * onp.abs(wanted).max())


def compare(f, *arguments, rtol=1e-8):
    """Value, gradients and tangent of f, on host and device."""
    moved = there(arguments)
    for a, on in ((arguments, False), (moved, True)):
        vjp, value = make_vjp(lambda a: f(*a))(a)
        gradient = tuple(g if np.ndim(g) or hasattr(g, "format") else g[()] for g in vjp(value))
        tangent = make_jvp(lambda a: f(*a))(a)(gradient)[1]
        assert on_device(value) is on and on_device(tangent) is on
        if not on:
            wanted = value, gradient, tangent
    close(value, wanted[0], rtol)
    close(tangent, wanted[2], rtol)
    for g, w in zip(gradient, wanted[1]):
        close(g, w, rtol)


def solver(name, **options):
    return lambda A, b: getattr(spla, name)(A, b, **({"rtol": 1e-13} | options))[0]


def operator(A, adjoint=True):
    """A, traced or not, as an operator made of functions."""
    return spla.LinearOperator(
        A.shape, dtype=A.dtype, matvec=lambda v: A @ v,
        rmatvec=(lambda v: np.conj(A.T @ np.conj(v))) if adjoint else None,
    )  # fmt: skip


# ---- values: SciPy's -------------------------------------------------------------------------


def recorder(seen):
    """A callback that copies the iterates."""
    return lambda x: seen.append(onp.array(back(x)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("name", METHODS)
def test_each_step_is_scipys(name, dtype, cp):
    """The same iterates, as many, and the same info, with and without convergence."""
    single = dtype in ("float32", "complex64")
    if name == "minres" and dtype == "complex64":
        dtype = "float32"
    A, b = problem(name, dtype, n=12)
    for maxiter in (1, 3, 200):
        seen = [], []
        options = {"rtol": 1e-4 if single else 1e-9, "maxiter": maxiter}
        if name == "gmres":
            options |= {"callback_type": "x", "restart": 4}
        solve, (to_host, to_device) = getattr(spla, name), map(recorder, seen)
        wanted, wanted_info = solve(A, b, callback=to_host, **options)
        x, info = solve(*there((A, b)), callback=to_device, **options)
        assert info == wanted_info and len(seen[0]) == len(seen[1])
        close(x, wanted, rtol=1e-3 if single else 1e-8)
        for u, v in zip(*seen):
            onp.testing.assert_allclose(u, v, rtol=1e-3 if single else 1e-7, atol=1e-3 * single)


@pytest.mark.parametrize("kind", ["pr_norm", "legacy"])
@pytest.mark.parametrize("maxiter", [2, 7, 50])
def test_callbacks_of_gmres(kind, maxiter, cp):
    A, b = grid(4, seed=1).tocsr(), numbers(16, "float64", 2)
    seen = [], []
    options = {"restart": 3, "maxiter": maxiter, "callback_type": kind, "rtol": 1e-8}
    wanted, wanted_info = spla.gmres(A, b, callback=seen[0].append, **options)
    x, info = spla.gmres(*there((A, b)), callback=seen[1].append, **options)
    assert info == wanted_info
    onp.testing.assert_allclose(seen[1], seen[0], rtol=1e-6)
    close(x, wanted)


def test_gmres_without_a_type_of_callback_warns(cp):
    with pytest.warns(DeprecationWarning, match="callback_type"):
        spla.gmres(*there(problem("gmres")), callback=lambda r: None)
    with pytest.raises(ValueError, match="Unknown callback_type"):
        spla.gmres(*there(problem("gmres")), callback_type="y")


@pytest.mark.parametrize("name", METHODS)
def test_starting_guess(name, cp):
    A, b = problem(name)
    x0 = onp.linalg.solve(A.toarray(), b)
    for start in (0.9 * x0, x0):  # cg of CuPy gives nan for the second
        wanted, wanted_info = getattr(spla, name)(A, b, x0=start, rtol=1e-10)
        x, info = getattr(spla, name)(*there((A, b)), x0=cp.asarray(start), rtol=1e-10)
        assert info == wanted_info
        close(x, wanted)
    if name != "minres" and name != "tfqmr":
        close(getattr(spla, name)(*there((A, b)), x0="Mb", rtol=1e-10)[0], x0, rtol=1e-7)


@pytest.mark.parametrize("name", METHODS)
def test_right_side_of_zeros(name, cp):
    A, b = there(problem(name))
    x, info = getattr(spla, name)(A, 0 * b)
    assert info == 0 and not x.get().any() and x is not b


@pytest.mark.parametrize("name", METHODS)
def test_multiple_of_the_identity(name, cp):
    """The Krylov space is used up in one step; CuPy's gmres divides by zero here."""
    A, b = 2 * sp.eye_array(N, format="csr"), numbers(N, "float64", 1)
    x, info = getattr(spla, name)(*there((A, b)), rtol=1e-10)
    assert info == 0
    close(x, b / 2)


@pytest.mark.parametrize("name", GENERAL)
def test_complex_right_side_of_a_real_matrix(name, cp):
    """CuPy's methods would drop the imaginary part."""
    A, b = problem(name)[0], numbers(N, "complex128", 4)
    compare(solver(name), A, b)


def test_right_side_with_one_column(cp):
    A, b = problem("cg")
    compare(lambda A, b: solver("cg")(A, np.reshape(b, (-1, 1))), A, b)


@pytest.mark.parametrize("A", ["csr", "csc", "coo", "dia", "dense", "cupyx"])
def test_kinds_of_matrices(A, cp):
    import cupyx.scipy.sparse as cps

    K, b = problem("gmres")
    wanted = solver("gmres")(K, b)
    M, b = there((K, b))
    if A == "dense":
        M = cp.asarray(K.toarray())
    elif A == "cupyx":
        M = cps.csr_matrix((M.data, M.indices, M.indptr), shape=M.shape)
    else:
        M = M.asformat(A)
    close(solver("gmres")(M, b), wanted)
    close(solver("gmres", M=M)(M, b), wanted)
    # An adjoint solve with the transposed preconditioner.
    loss = lambda b, **options: np.sum(solver("gmres", **options)(M, b) ** 2)  # noqa: E731
    close(grad(loss)(b, M=M), back(grad(loss)(b)))


@pytest.mark.parametrize(
    "name, kept, option", [("gcrotmk", "CU", None), ("gcrotmk", "CU", "discard_C"),
                           ("gcrotmk", "CU", "truncate"), ("lgmres", "outer_v", None)],
)  # fmt: skip
def test_vectors_kept_for_the_next_solve(name, kept, option, cp):
    A, b = grid(5, seed=1).tocsr(), numbers((3, 25), "float64", 2)
    options = {"m": 4, "k": 3} if name == "gcrotmk" else {"inner_m": 4}
    if option is not None:
        options[option] = "smallest" if option == "truncate" else True
    known = [], []
    for c in b:
        seen = [], []
        for k, (to, callback) in enumerate(zip((lambda x: x, there), map(recorder, seen))):
            options |= {kept: known[k], "callback": callback}
            _, info = getattr(spla, name)(*to((A, c)), rtol=1e-5, **options)
            assert info == 0
        assert len(known[0]) == len(known[1]) and len(seen[0]) == len(seen[1])
        for u, v in zip(*seen):
            onp.testing.assert_allclose(u, v, rtol=1e-6, atol=1e-7)


def test_minres_with_shift_and_checks(cp):
    A, b = problem("minres")
    options = {"rtol": 1e-12, "shift": 0.3, "check": True}
    close(spla.minres(*there((A, b)), **options)[0], spla.minres(A, b, **options)[0])
    B = there(problem("gmres")[0])
    with pytest.raises(ValueError, match="non-symmetric matrix"):
        spla.minres(B, cp.asarray(b), check=True)


def test_minres_shows_its_progress(capsys, cp):
    A, b = problem("minres")
    spla.minres(A, b, show=True)
    wanted = capsys.readouterr().out
    spla.minres(*there((A, b)), show=True)
    assert capsys.readouterr().out.splitlines()[:5] == wanted.splitlines()[:5]


# ---- derivatives -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", METHODS)
def test_derivatives(name, dtype, cp):
    compare(solver(name), *problem(name, dtype))


@pytest.mark.parametrize("adjoint", [True, False], ids=["adjoint", "differentiated"])
@pytest.mark.parametrize("name", METHODS)
def test_derivatives_through_an_operator(name, adjoint, cp):
    if name in ("bicg", "qmr") and not adjoint:
        pytest.skip("the method needs an adjoint")
    compare(lambda A, b: solver(name)(operator(A, adjoint), b), *problem(name, "complex128"))
    compare(lambda A, b: solver(name)(spla.aslinearoperator(A), b), *problem(name, "complex128"))


def test_derivatives_of_a_dense_matrix(cp):
    A, b = problem("gmres", "complex128")
    compare(solver("gmres"), A.toarray(), b)


def test_parameters_of_a_closure(cp):
    """Numbers and arrays that the products depend on."""
    A, b = problem("gmres")

    def solve(d, s, b):
        def product(v):
            return A_(v) @ v + d * v * s

        return spla.gmres(spla.LinearOperator((N, N), product), b, rtol=1e-13)[0]

    moved = there(A)

    def A_(v):
        return moved if on_device(v) else A

    compare(solve, numbers(N, "float64", 5) ** 2, numbers((), "float64", 6)[()], b)


@pytest.mark.parametrize("kind", ["matrix", "operator", "without adjoint", "factors"])
@pytest.mark.parametrize("name", ["gmres", "bicgstab", "cgs", "cg", "minres", "lgmres"])
def test_preconditioner(name, kind, cp):
    """It is used in the adjoint, too, transposed, and changes neither value nor derivative."""
    A, b = problem(name)
    M = sp.diags_array(1 / A.diagonal(), format="csr")
    if name not in HERMITIAN:
        M = sp.csr_array(M + 0.05 * sp.diags_array([1.0], offsets=[1], shape=(N, N)))
    uses = []

    def preconditioner(A, M):
        if kind == "matrix":
            return M
        if kind == "factors":
            solve = spla.splu(A.tocsc()).solve
            return spla.LinearOperator(A.shape, solve, dtype=A.dtype)
        P = operator(M, adjoint=kind == "operator")
        return spla.LinearOperator(
            M.shape, lambda v: uses.append(v) or P.matvec(v),
            P.rmatvec if kind == "operator" else None, dtype=M.dtype,
        )  # fmt: skip

    M_ = there(M)

    def solve(A, b):
        return solver(name, M=preconditioner(A, M_ if on_device(b) else M))(A, b)

    compare(solve, A, b)
    assert kind in ("matrix", "factors") or any(map(on_device, uses))


def test_second_order(cp):
    A, b = problem("bicgstab")
    v = numbers(N, "float64", 3)

    def loss(b, A):
        return np.sum(solver("bicgstab")(operator(A), b) ** 3)

    wanted = hessian_vector_product(loss)(b, A, v)
    close(hessian_vector_product(loss)(*there((b, A, v))), wanted, rtol=1e-8)


def test_matrix_changed_after_the_solve(cp):
    A, b = there(problem("gmres"))
    wanted = grad(lambda b: np.sum(solver("gmres")(A, b) ** 2))(b)
    vjp, x = make_vjp(lambda b: solver("gmres")(A, b))(b)
    A.data *= 0
    close(vjp(2 * x), wanted.get())


@pytest.mark.parametrize("name", METHODS)
def test_adjoint_that_does_not_converge_warns(name, cp):
    A, b = grid(6, seed=1).tocsr(), numbers(36, "float64", 2)
    A = A if name in GENERAL else sp.csr_array(A + A.T + 4 * sp.eye_array(36))
    A, b = there((A, b))
    options = {"rtol": 1e-12, "maxiter": 2}
    options |= {"gmres": {"restart": 2}, "gcrotmk": {"m": 2, "k": 1}, "lgmres": {"inner_m": 2}}.get(
        name, {}
    )
    vjp, _ = make_vjp(lambda b: getattr(spla, name)(A, b, **options)[0])(b)
    with pytest.warns(scipygrad.AdjointConvergenceWarning, match=f"{name}: the linear system"):
        vjp(b)


# ---- operators on the device -----------------------------------------------------------------

K = regular("csr", "array", "complex128")
x, X = numbers(5, "complex128", 1), numbers((5, 2), "complex128", 2)
ALGEBRA = {
    "matrix": lambda K: spla.aslinearoperator(K),
    "dense": lambda K: spla.aslinearoperator(K.toarray()),
    "functions": lambda K: operator(K),
    "sum": lambda K: spla.aslinearoperator(K) + operator(K),
    "difference": lambda K: operator(K) - spla.aslinearoperator(K),
    "product": lambda K: spla.aslinearoperator(K) @ operator(K.T),
    "scaled": lambda K: 2j * operator(K) * 3.0,
    "divided": lambda K: -spla.aslinearoperator(K) / 4,
    "power": lambda K: operator(K) ** 2,
    "adjoint": lambda K: (1j * spla.aslinearoperator(K)).H,
    "transpose": lambda K: (1j * spla.aslinearoperator(K)).T,
    "adjoint of functions": lambda K: operator(K).H,
    "transpose of functions": lambda K: operator(K).T,
    "identity": lambda K: operator(K) + spla.aslinearoperator(K) ** 0,
    "scipy's": lambda K: spla.aslinearoperator(
        scipy_linalg.LinearOperator(K.shape, K.dot, K.conj().T.dot, K.dot, K.dtype)
    ),
}


@pytest.mark.filterwarnings("ignore:Calling `r?matvec` on 'column:FutureWarning")  # SciPy 1.18
@pytest.mark.parametrize("name", ALGEBRA)
def test_algebra(name, cp):
    op, on_gpu = ALGEBRA[name](K), ALGEBRA[name](there(K))
    assert on_gpu.dtype == op.dtype
    for f in (
        lambda op, x, X: op.matvec(x), lambda op, x, X: op.rmatvec(x), lambda op, x, X: op @ x,
        lambda op, x, X: op.matmat(X), lambda op, x, X: op @ X, lambda op, x, X: op.rmatmat(X),
        lambda op, x, X: op.matvec(x[:, None]), lambda op, x, X: op.dot(x), lambda op, x, X: x @ op,
    ):  # fmt: skip
        close(f(on_gpu, *there((x, X))), f(op, x, X), rtol=1e-12)
    compare_vectors(op, on_gpu)


def compare_vectors(op, on_gpu):
    """Derivatives with respect to the vector."""
    for f in (lambda op, x: op @ x, lambda op, x: op.rmatvec(x)):
        wanted = make_vjp(lambda x, f=f: f(op, x))(x)[0](x)
        got = make_vjp(lambda x, f=f: f(on_gpu, x))(there(x))[0](there(x))
        close(got, wanted, rtol=1e-12)


def test_traced_number_times_operator(cp):
    def f(s, x):
        A = there(K) if on_device(x) else K
        return (s * operator(A)).matvec(x)

    compare(f, numbers((), "complex128", 3)[()], x)


def test_laplacian(cp):
    op = spla.LaplacianNd((3, 4), dtype=float)
    v = numbers(12, "float64", 1)
    close(op @ there(v), op @ v)
    close(grad(lambda v: np.sum((op @ v) ** 2))(there(v)), grad(lambda v: np.sum((op @ v) ** 2))(v))


def test_dtype_is_that_of_a_product(cp):
    A = there(sp.csr_array(K.real.astype("float32")))
    assert spla.LinearOperator(A.shape, lambda v: A @ v).dtype == "float32"


def test_operator_of_cupys(cp):
    """An object with the methods of one, as those of CuPy's own class."""
    A, b = problem("gmres")
    moved, b_ = there((A, b))

    class Theirs:
        shape, dtype = moved.shape, moved.dtype

        def matvec(self, v):
            return moved @ v

        def rmatvec(self, v):
            raise NotImplementedError

    def loss(A, b):
        return np.sum(solver("gmres")(A, b) ** 2)

    close(grad(loss, 1)(Theirs(), b_), grad(loss, 1)(A, b))


# ---- host and device -------------------------------------------------------------------------


def test_mixed_operands_raise(cp):
    A, b = problem("gmres")
    A_, b_ = there((A, b))
    for mixed in (
        lambda: spla.gmres(A, b_), lambda: spla.gmres(A_, b), lambda: spla.gmres(A.toarray(), b_),
        lambda: spla.gmres(A_, b_, M=A), lambda: spla.gmres(A_, b_, x0=b),
        lambda: spla.gmres(A_, b_, M=A.toarray()), lambda: spla.gmres(A_.toarray(), b),
        lambda: spla.gmres(operator(A), b_),
        lambda: spla.gmres(spla.LinearOperator((N, N), lambda v: b, dtype=float), b_),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="the host's memory|Unsupported type"):
            mixed()


@pytest.mark.parametrize(
    "name, reads", [("cg", 1), ("gmres", 1), ("bicgstab", 5), ("cgs", 3), ("minres", 3)]
)
def test_numbers_read_in_each_step(name, reads, transfers, cp):
    """So many, besides a few at the beginning and, of gmres, at a restart."""
    A, b = there((grid(8, seed=1).tocsr(), numbers(64, "float64", 2)))
    A = A if name in GENERAL else A + A.T
    counts = []
    for steps in (4, 8):
        options = {"restart": 20, "maxiter": 1} if name == "gmres" else {"maxiter": steps}
        if name == "gmres":
            options["restart"] = steps
        getattr(spla, name)(A, b, rtol=1e-15, **options)
        transfers.clear()
        getattr(spla, name)(A, b, rtol=1e-15, **options)
        counts.append((transfers["to host"], transfers["to device"]))
    (few, first), (more, then) = counts
    assert more - few == 4 * reads and then == first <= (name == "gmres")
