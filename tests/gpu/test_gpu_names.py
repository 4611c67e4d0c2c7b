"""What the library and the stand-in assume of CuPy, compared with the CuPy that is installed.

CuPy can be imported where there is no GPU; its functions have their signatures there. It is asked
in a process of its own, since the stand-in has its name in this one.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from standin import array, names, rules

import scipygrad
import scipygrad.sparse as sp

LIBRARY = Path(scipygrad.__file__).parent
PROBE = r"""
import inspect, json
import cupy, cupyx.scipy.special as special, cupyx.scipy.sparse as sparse

def described(f):
    if isinstance(f, cupy.ufunc):
        return "ufunc", any(set(t.partition("->")[0]) & set("FD") for t in f.types)
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return "unknown", None
    return "function", [(p.name, str(p.kind), p.default is not p.empty) for p in parameters]

def members(space):
    return {n: described(getattr(space, n)) for n in dir(space)
            if not n.startswith("_") and callable(getattr(space, n))}

import numpy
print(json.dumps({
    "version": cupy.__version__,
    "": members(cupy), "linalg": members(cupy.linalg), "fft": members(cupy.fft),
    "special": members(special), "sparse": members(sparse),
    "numpys": [n for n in dir(cupy) if getattr(cupy, n) is getattr(numpy, n, None)],
    "ndarray": dir(cupy.ndarray),
    **{f: [n for n in dir(getattr(sparse, f + "_matrix")) if not n.startswith("_")]
       for f in ("csr", "csc", "coo", "dia")},
}))
"""


def asked(*command):
    """What a process prints in which CuPy is the real one."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    if "No module named 'cupy'" in done.stderr:
        pytest.skip("CuPy is not installed")
    assert not done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def real():
    """Functions and members of the CuPy that is installed."""
    found = asked("-c", PROBE)
    if tuple(map(int, found["version"].split(".")[:2])) < (14, 2):
        pytest.skip(f"CuPy {found['version']} is older than what is supported")
    return found


# ---- the stand-in has no more than CuPy -------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("FUNCTIONS", ""), ("UFUNCS", ""), ("LINALG", "linalg"), ("FFT", "fft"),
     ("SPECIAL", "special"), ("METHODS", "ndarray"), ("SPARSE", "sparse"), ("CSR", "csr"),
     ("CSC", "csc"), ("COO", "coo"), ("DIA", "dia")],
)  # fmt: skip
def test_names_are_cupys(ours, theirs, real):
    assert getattr(names, ours) - set(real[theirs]) == set()


def test_elementwise_functions(real):
    kinds = {n: real[""][n] for n in names.FUNCTIONS if n in real[""]}
    assert {n for n, (kind, _) in kinds.items() if kind == "ufunc"} == names.UFUNCS
    assert {n for n in names.UFUNCS if not kinds[n][1]} == names.REAL_ONLY
    assert all(real["special"][n][0] == "ufunc" for n in names.SPECIAL)


def test_what_is_numpys_own(real):
    assert names.FUNCTIONS & set(real["numpys"]) == names.NUMPYS_OWN


def test_signatures(real):
    """Names, kinds and defaults of parameters, wherever Python can tell them."""
    different = []
    for full_name, signature in rules.signatures().items():
        space, _, name = full_name.rpartition(".")
        if space == "ndarray":
            assert name in real["ndarray"]
            continue
        kind, parameters = real[space][name]
        if kind == "unknown":
            continue
        ours = [
            [p.name, str(p.kind), p.default is not p.empty] for p in signature.parameters.values()
        ]
        if ours != parameters:
            different.append(full_name)
    assert different == []


def test_sparse_classes_are_as_cupys(real):
    """CuPy's own code, on the stand-in's arrays, makes the same matrices as the stand-in."""
    cases = asked(Path(__file__).parent / "real_sparse.py")
    assert len(cases) > 30
    for name, (theirs, ours) in cases.items():
        assert theirs == ours, name


# ---- the library calls nothing else -----------------------------------------------------------


def calls():
    """Calls of functions of CuPy's in the library: file, dotted name, keywords."""
    spaces = {"cp": "", "cupy": "", "cps": "sparse"}
    for path in sorted(LIBRARY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            parts = ast.unparse(node.func).replace('sys.modules["cupy"]', "cupy")
            parts = parts.replace("sys.modules['cupy']", "cupy").split(".")
            if parts[0] in spaces and len(parts) in (2, 3):
                space = ".".join(filter(None, [spaces[parts[0]], *parts[1:-1]]))
                keywords = [k.arg for k in node.keywords if k.arg]
                yield path.name, space, parts[-1], len(node.args), keywords


def test_calls_are_found():
    assert {"asarray", "empty", "RawModule"} <= {name for _, _, name, _, _ in calls()}


def test_functions_that_the_library_calls_are_there_with_their_keywords(real):
    wrong = []
    for file, space, name, count, keywords in calls():
        if space not in ("", "linalg", "fft", "sparse"):
            continue  # cupy.cuda: classes of Cython's
        if name not in real[space]:
            wrong.append((file, space, name))
            continue
        kind, parameters = real[space][name]
        if kind == "ufunc":
            wrong += [(file, name, k) for k in keywords if k not in ("out", "dtype", "casting")]
        elif kind == "function":
            accepted = {p for p, _, _ in parameters}
            if any("VAR_KEYWORD" in k or "variadic keyword" in k for _, k, _ in parameters):
                continue
            wrong += [(file, name, k) for k in keywords if k not in accepted]
            if not any("variadic" in k for _, k, _ in parameters):
                positional = sum("keyword-only" not in k for _, k, _ in parameters)
                wrong += [(file, name, count)] * (count > positional)
    assert wrong == []


def test_those_functions_are_in_the_stand_in(cp):
    for file, space, name, _, _ in calls():
        if space in ("", "linalg", "fft"):
            assert hasattr(getattr(cp, space) if space else cp, name), (file, space, name)


# ---- our matrices, in CuPy's hands ------------------------------------------------------------

READ = {
    "csr": ["indptr", "indices"], "csc": ["indptr", "indices"], "coo": ["row", "col", "coords"],
    "dia": ["offsets"],
}  # fmt: skip
"""Attributes that CuPy's code reads, beside `data`, `_shape`, `shape`, `dtype`, `nnz`, `format`."""


@pytest.mark.parametrize("format", READ)
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_attributes_that_cupy_reads_are_there(format, family, cp):
    A = scipygrad.to_device(getattr(sp, f"{format}_{family}")(sp.eye_array(3, format=format)))
    for name in (*READ[format], "data", "_shape", "shape", "dtype", "nnz", "format", "maxprint"):
        assert getattr(A, name) is not None
    for name in (*READ[format], "data"):
        if name != "coords":  # a new tuple, of the arrays that are kept
            assert getattr(A, name) is getattr(A, name)


REFUSED = {
    # _core/_scalar.pyx, CScalar
    "n + x": TypeError, "n[0, ...] * x": TypeError, "x + [1.0, 2.0]": TypeError,
    "[1.0] * x": TypeError,
    # _core/_kernel.pyx, ufunc.__call__
    "np.sin(x, where=True)": TypeError, "cp.mod(1j * x, 2)": TypeError,
    # _core/core.pyx: array, view, item, __len__, __bool__
    "cp.asarray([x[0], 3.0])": TypeError, "np.asarray(x)": TypeError,
    "np.finfo(x.view(np.ndarray).dtype)": (TypeError, ValueError),  # it is the dtype of objects
    "x.item(0)": TypeError, "len(x[0])": TypeError, "bool(x)": ValueError,
    # _core/internal.pyx, _normalize_order
    "cp.reshape(x, (2, 1), order=None)": TypeError, "np.ravel(x, order=None)": TypeError,
    # _sorting/sort.py
    "cp.sort(x, kind='quicksort')": ValueError, "np.argsort(x, -1, None, None)": TypeError,
    # functions without NumPy's later parameters
    "np.sum(x, where=True)": TypeError, "np.max(x, initial=0.0)": TypeError,
    # what CuPy does not have, or has from NumPy
    "np.insert(x, 0, 1.0)": TypeError, "np.block([x, x])": TypeError,
    # linalg/_product.py
    "cp.tensordot(x[0], x, ([], []))": ValueError,
    "cp.dot(2.0, x)": (TypeError, AttributeError),
    # _core/_routines_manipulation.pyx, concatenate_method
    "cp.concatenate([x, [1.0]])": TypeError, "cp.concatenate([x[0], x[1]])": TypeError,
    # linalg/_solve.py
    "cp.linalg.solve(cp.eye(2), cp.ones((3, 2, 1)))": ValueError,
    # _core/_routines_indexing.pyx
    "x.__setitem__(0, n)": (TypeError, ValueError),
}  # fmt: skip

PROBE_OF_REFUSALS = r"""
import json, sys
import cupy as cp, numpy as np
n = np.ones((2, 2))
try:
    x = cp.asarray([1.0, 2.0])
except cp.cuda.runtime.CUDARuntimeError:  # an array of no memory: what is refused at once, is
    x = cp.ndarray((2,), float, cp.cuda.MemoryPointer(
        cp.cuda.UnownedMemory(1 << 20, 1 << 10, None, device_id=0), 0))
found = {}
for expression in json.loads(sys.argv[1]):
    try:
        eval(expression)
    except (cp.cuda.runtime.CUDARuntimeError, ImportError):
        continue  # there is no driver, or no library
    except Exception as error:
        found[expression] = type(error).__name__
    else:
        found[expression] = "taken"
print(json.dumps(found))
"""


def test_cupy_refuses_the_same(real):
    """As far as it gets without a GPU; on one, all of it."""
    found = asked("-c", PROBE_OF_REFUSALS, json.dumps(list(REFUSED)))
    assert len(found) >= 12
    for expression, error in found.items():
        wanted = REFUSED[expression]
        names_of = [e.__name__ for e in (wanted if isinstance(wanted, tuple) else (wanted,))]
        assert error in names_of, expression


class TestStandIn:
    """What it refuses, as CuPy does. The files of CuPy that say so are in the comments above."""

    @pytest.fixture(autouse=True)
    def only_there(self, cp):
        if cp.ndarray is not array.ndarray:
            pytest.skip("the stand-in's rules; CuPy has its own")

    @pytest.mark.parametrize("expression", REFUSED)
    def test_refuses(self, expression, cp):
        x, n = cp.asarray([1.0, 2.0]), np.ones((2, 2))
        with pytest.raises(REFUSED[expression]):
            eval(expression, {"cp": cp, "x": x, "n": n, "np": np})

    def test_takes(self, cp):
        x = cp.asarray([1.0, 2.0])
        assert (np.float64(2) * x).get().tolist() == [2, 4]
        assert (np.float32(2) * x.astype("float32")).dtype == np.float32
        assert (np.float64(2) * x.astype("float32")).dtype == np.float64
        assert (2.0 * x.astype("float32")).dtype == np.float32
        assert (x == None).get().tolist() == [False, False]  # noqa: E711
        assert (x < np.array(1.5)).get().tolist() == [True, False]
        assert x[np.array([1, 1])].get().tolist() == [2, 2]
        part = x[0]
        part += 5  # an element is a view
        assert x.get().tolist() == [6, 2] and part.shape == ()
        assert x.real is x and x.astype(x.dtype, copy=False) is x

    def test_numbers_that_are_read_are_counted(self, cp, transfers):
        """Functions whose result has a size that the device knows wait for it."""
        x = cp.asarray([1.0, 0.0])
        for read in (lambda: cp.flatnonzero(x), lambda: x[x > 0], lambda: cp.where(x),
                     lambda: cp.repeat(x, cp.asarray([1, 2])), lambda: bool(x[0]),
                     lambda: x.nonzero()):  # fmt: skip
            transfers.clear()
            read()
            assert transfers["to host"] == 1
        transfers.clear()
        cp.where(x > 0, x, 1.0), cp.repeat(x, 2), cp.sort(x), cp.searchsorted(x, x)
        assert not transfers

    def test_special_functions_are_reached_by_numpys_protocol(self, cp):
        x = cp.asarray([0.5])
        assert scipy.special.erf(x).get() == scipy.special.erf(0.5)
        with pytest.raises(TypeError):
            scipy.special.polygamma(1, x)
