"""What the attributes and methods of a sparse matrix do to derivatives.

Every name that one of SciPy's sparse classes has is in one of two states: *traced*, a method of
`TracedSparse`, or *plain*, listed here with its reason.
"""

from __future__ import annotations

_STRUCTURE = "structure: it does not depend on the values of the entries"
_WHOLE = "a whole number"
_CHOICE = "indices, which do not change with the entries but in jumps"
_TRUTH = "truth values"
_TEXT = "text"
_PYTHON = "Python's own"
_STEPS = "piecewise constant: its derivative is zero wherever it has one"

STRUCTURE: dict[str, str] = dict.fromkeys(
    (
        "indices", "indptr", "row", "col", "coords", "offsets", "blocksize", "has_sorted_indices",
        "has_canonical_format", "_shape_as_2d",
    ),
    _STRUCTURE,
)  # fmt: skip
"""Attributes that the pattern alone decides: read off a matrix of tags."""

VALUES: dict[str, str] = {
    "count_nonzero": _WHOLE, "getnnz": _WHOLE,
    "nonzero": _CHOICE, "argmax": _CHOICE, "argmin": _CHOICE,
    "check_format": "checks index arrays", "getformat": _TEXT, "getmaxprint": "for printing",
    "get_shape": _STRUCTURE, "maxprint": "for printing", "keys": _STRUCTURE, "rows": _STRUCTURE,
}  # fmt: skip
"""Attributes and methods that are SciPy's, on the plain value."""

OWN: dict[str, str] = {
    **dict.fromkeys(("shape", "ndim", "nnz", "size", "format", "dtype"), _STRUCTURE),
    **dict.fromkeys(("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"), _TRUTH),
    "__bool__": _TRUTH,
    **dict.fromkeys(("__contains__", "__len__", "__reversed__"), _STRUCTURE),
    **dict.fromkeys(("__repr__", "__str__", "__format__", "__doc__", "__module__"), _TEXT),
    "__hash__": "None: matrices are mutable", "__array_priority__": "whose operator is asked",
    "__reduce__": "a traced matrix cannot be pickled: raises",
    "__reduce_ex__": "a traced matrix cannot be pickled: raises",
    "__getstate__": "of pickling", "__setstate__": "of pickling", "__sizeof__": _WHOLE,
    "__round__": _STEPS,
    **dict.fromkeys(
        (
            "__class__", "__new__", "__init__", "__init_subclass__", "__subclasshook__",
            "__class_getitem__", "__dir__", "__dict__", "__weakref__", "__getattribute__",
            "__setattr__", "__delattr__", "__slots__", "__abstractmethods__", "__annotations__",
            "__firstlineno__", "__static_attributes__", "__type_params__",
        ),
        _PYTHON,
    ),
}  # fmt: skip
"""Those that `TracedSparse`, or Python, answers itself."""

PLAIN: dict[str, str] = STRUCTURE | VALUES | OWN
