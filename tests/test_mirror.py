"""The public names are SciPy's, each in exactly one state, each with SciPy's signature."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

import numpy as np
import pytest
from autograd import make_vjp

import scipygrad.linalg
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core import mirror, table
from scipygrad._core.table import NAMESPACES, STATES, TABLE

THEIRS = {n: importlib.import_module(f"scipy.{n}") for n in NAMESPACES}
OURS = {n: importlib.import_module(f"scipygrad.{n}") for n in NAMESPACES}


def public(namespace: str) -> set[str]:
    """SciPy's public names: `__all__` less the deprecated modules (csgraph and linalg stay)."""
    module = THEIRS[namespace]
    return {
        name
        for name in module.__all__
        if name != "test"
        and (name in ("csgraph", "linalg") or not isinstance(getattr(module, name), ModuleType))
    }


def is_class(namespace: str, name: str) -> bool:
    return inspect.isclass(getattr(THEIRS[namespace], name))


NAMES = sorted((s, n) for s in NAMESPACES for n in public(s) if n not in ("csgraph", "linalg"))
FUNCTIONS = [k for k in NAMES if not is_class(*k)]
PLAIN = [k for k in FUNCTIONS if k in TABLE and TABLE[k].state == "plain"]
TRACED = [k for k in FUNCTIONS if k in TABLE and TABLE[k].state == "traced"]


def ours(key: tuple[str, str]):
    return getattr(OURS[key[0]], key[1])


def theirs(key: tuple[str, str]):
    return getattr(THEIRS[key[0]], key[1])


def shape_of(signature: inspect.Signature) -> list:
    """Names, kinds, defaults; SciPy's sentinels for "not given" count as None."""
    return [
        (p.name, p.kind, None if type(p.default) is object else p.default)
        for p in signature.parameters.values()
    ]


# ---- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_public_names_are_scipys(namespace):
    assert set(OURS[namespace].__all__) == public(namespace)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_all_names_nothing_twice(namespace):
    names = OURS[namespace].__all__
    assert len(names) == len(set(names))


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_dir_has_every_public_name(namespace):
    assert public(namespace) <= set(dir(OURS[namespace]))


@pytest.mark.parametrize("key", NAMES, ids=".".join)
def test_name_can_be_read(key):
    assert callable(ours(key))


@pytest.mark.parametrize("name", scipygrad.linalg.__all__)
def test_linalg_is_one_module_under_two_names(name):
    assert getattr(scipygrad.linalg, name) is getattr(spla, name)


@pytest.mark.parametrize("name", ["csgraph", "linalg"])
def test_submodules_are_attributes(name):
    assert getattr(sp, name) is OURS[f"sparse.{name}"]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_unknown_name_is_an_attribute_error(namespace):
    with pytest.raises(AttributeError, match="no_such_name"):
        OURS[namespace].no_such_name  # noqa: B018


# ---- the table -------------------------------------------------------------------------------


def test_table_has_the_public_names_and_no_others():
    assert set(TABLE) == set(NAMES)


@pytest.mark.parametrize("key", sorted(TABLE), ids=".".join)
def test_state_is_one_of_three(key):
    assert TABLE[key].state in STATES


@pytest.mark.parametrize("key", sorted(TABLE), ids=".".join)
def test_entry_is_under_its_own_name(key):
    assert (TABLE[key].namespace, TABLE[key].name) == key


@pytest.mark.parametrize("key", [k for k in sorted(TABLE) if TABLE[k].state == "plain"],
                         ids=".".join)  # fmt: skip
def test_plain_says_why(key):
    assert TABLE[key].note.strip()


@pytest.mark.parametrize("key", TRACED, ids=".".join)
def test_traced_function_names_existing_arguments(key):
    assert set(TABLE[key].wrt) <= set(inspect.signature(theirs(key)).parameters)


# ---- signatures ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", FUNCTIONS, ids=".".join)
def test_signature_is_scipys(key):
    assert inspect.signature(ours(key)) == inspect.signature(theirs(key))


@pytest.mark.parametrize("key", TRACED, ids=".".join)
def test_traced_implementation_has_scipys_parameters(key):
    implementation = inspect.signature(ours(key).traced_implementation)
    assert shape_of(implementation) == shape_of(inspect.signature(theirs(key)))


@pytest.mark.parametrize(
    "key", [k for k in NAMES if is_class(*k) and k[1].endswith(("_array", "_matrix"))],
    ids=".".join,
)  # fmt: skip
def test_constructor_signature_is_scipys(key):
    assert inspect.signature(ours(key)) == inspect.signature(theirs(key))


@pytest.mark.parametrize("key", FUNCTIONS, ids=".".join)
def test_name_of_function(key):
    f = ours(key)
    assert (f.__name__, f.__module__) == (key[1], f"scipygrad.{key[0]}")


# ---- docstrings ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", FUNCTIONS, ids=".".join)
def test_docstring_starts_with_our_line(key):
    assert ours(key).__doc__.splitlines()[0] == TABLE[key].line()


@pytest.mark.parametrize("key", FUNCTIONS, ids=".".join)
def test_docstring_has_scipys_first_line(key):
    doc = inspect.cleandoc(theirs(key).__doc__ or "")
    if not doc:
        pytest.skip("no docstring in SciPy")
    assert doc.splitlines()[0] in ours(key).__doc__


# ---- not yet: speaks up when traced ----------------------------------------------------------

MATRIX = sp.csr_array(np.array([[4.0, 1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 3.0, 6.0]]))
VECTOR = np.array([1.0, 2.0, 3.0])
SAMPLES = {
    "b": VECTOR, "B": VECTOR, "X": np.ones((3, 1)), "f": np.exp, "axis1": 0, "axis2": 1,
    "source": 0, "sink": 2, "K": 1, "i_start": 0, "predecessors": np.zeros((3, 3), int),
    "symmetrized": False, "power": 2, "file": None, "blocks": None,
}  # fmt: skip
KINDS = ("csr_array", "csc_matrix", "coo_array", "dok_matrix")


def required(key: tuple[str, str]) -> list[inspect.Parameter]:
    return [
        p
        for p in inspect.signature(theirs(key)).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def matrix_argument(key: tuple[str, str]) -> inspect.Parameter:
    """The first argument that has no sample: the matrix."""
    return next(p for p in required(key) if p.name not in SAMPLES)


def call_traced(key: tuple[str, str], kind: str = "csr_array", function=None, keyword=False):
    """Call with the matrix traced."""
    target, function = matrix_argument(key).name, function or ours(key)
    outcome = []

    def run(x):
        args, kwargs = [], {}
        for p in required(key):
            v = x if p.name == target else SAMPLES.get(p.name, MATRIX)
            if keyword and p.kind is not p.POSITIONAL_ONLY:
                kwargs[p.name] = v
            else:
                args.append(v)
        outcome.append(function(*args, **kwargs))
        return 1.0 * x.sum()

    make_vjp(run)(getattr(sp, kind)(MATRIX))
    return outcome[0]


def test_nothing_is_not_yet():
    assert not [key for key, entry in TABLE.items() if entry.state == "not yet"]


SOME = (("sparse", "kron"), ("sparse.linalg", "gmres"), ("sparse.csgraph", "johnson"))


@pytest.fixture(params=SOME, ids=".".join)
def not_yet(request, monkeypatch):
    """A name, and how it would be mirrored if it had no rule (as a new one of SciPy's)."""
    monkeypatch.setattr(table, "TABLE", {})
    return request.param, mirror.not_yet(theirs(request.param))


@pytest.mark.parametrize("keyword", [False, True], ids=["positional", "keyword"])
@pytest.mark.parametrize("kind", KINDS)
def test_not_yet_names_function_and_argument_and_says_what_to_do(not_yet, kind, keyword):
    key, function = not_yet
    with pytest.raises(NotImplementedError, match=r"scipygrad\.detach") as error:
        call_traced(key, kind, function, keyword)
    message = str(error.value)
    assert message.startswith(key[1]) and f"'{matrix_argument(key).name}'" in message


def test_not_yet_is_scipys_function_untraced(not_yet):
    key, function = not_yet
    args = [SAMPLES.get(p.name, MATRIX) for p in required(key)]
    got, expected = function(*args), theirs(key)(*args)
    assert type(got).__name__ == type(expected).__name__


def test_not_yet_finds_a_traced_optional_argument(monkeypatch):
    monkeypatch.setattr(table, "TABLE", {})
    gmres = mirror.not_yet(theirs(("sparse.linalg", "gmres")))
    with pytest.raises(NotImplementedError, match="gmres.*'x0'"):
        make_vjp(lambda x: gmres(MATRIX, VECTOR, x0=x)[0])(VECTOR)


# ---- plain: works on the values --------------------------------------------------------------

NO_MATRIX = {
    "eye": "sizes only", "eye_array": "sizes only", "identity": "sizes only",
    "rand": "sizes only", "random": "sizes only", "random_array": "sizes only",
    "load_npz": "a file", "save_npz": "a file", "use_solver": "options only",
    "get_index_dtype": "index arrays only",
}  # fmt: skip
REFUSING = {"csgraph_from_masked", "csgraph_masked_from_dense", "csgraph_to_masked"}
"""Those that raise, as their values alone would lose a derivative."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "key", [k for k in PLAIN if k[1] not in {*NO_MATRIX, *REFUSING}], ids=".".join
)
def test_plain_takes_a_traced_matrix(key, kind):
    expected = None
    try:
        args = [SAMPLES.get(p.name, getattr(sp, kind)(MATRIX)) for p in required(key)]
        expected = theirs(key)(*args)
    except (AttributeError, TypeError, ValueError) as error:
        with pytest.raises(type(error)):  # what SciPy refuses, we refuse in the same way
            call_traced(key, kind)
        return
    assert type(call_traced(key, kind)).__name__ == type(expected).__name__


@pytest.mark.parametrize("name", ["eye", "eye_array", "identity"])
def test_plain_without_a_matrix_gives_ours(name):
    result = getattr(sp, name)(3, format="csr")
    assert type(result).__module__ == "scipygrad.sparse"
