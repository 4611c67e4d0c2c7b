"""What an untraced call costs beside SciPy's, where nothing but the call costs: n = 3."""

from statistics import median
from timeit import Timer

import numpy as np

from .common import OURS, SCIPY

CALLS = {
    "constructor": lambda m, A, B, x, D: type(A)(D),
    "constructor (data, indices, indptr)": lambda m, A, B, x, D: type(A)(
        (A.data, A.indices, A.indptr), shape=A.shape
    ),
    "A @ x": lambda m, A, B, x, D: A @ x,
    "A + B": lambda m, A, B, x, D: A + B,
    "A.T": lambda m, A, B, x, D: A.T,
    "A * 2": lambda m, A, B, x, D: A * 2,
    "A @ B": lambda m, A, B, x, D: A @ B,
    "A.multiply(B)": lambda m, A, B, x, D: A.multiply(B),
    "A[1, 1]": lambda m, A, B, x, D: A[1, 1],
    "A[1:, :]": lambda m, A, B, x, D: A[1:, :],
    "hstack": lambda m, A, B, x, D: m.sp.hstack([A, B]),
    "eye": lambda m, A, B, x, D: m.sp.eye(3),
    "spsolve": lambda m, A, B, x, D: m.spla.spsolve(A, x),
}


def seconds(calls, repeat=31, number=200):
    """Median time of each call, measured in turns."""
    timers = [Timer(c) for c in calls]
    times = [[t.timeit(number) / number for t in timers] for _ in range(repeat)]
    return [median(column) for column in zip(*times)]


class Untraced:
    """Ours against SciPy's."""

    params = list(CALLS)
    param_names = ["call"]

    def setup(self, call):
        """The same small operands in both libraries."""

        def bound(m):
            D = np.array([[4.0, 1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 3.0]])
            A, B = m.sp.csc_array(D), m.sp.csc_array(D + 1)
            x = np.ones(3)
            return lambda: CALLS[call](m, A, B, x, D)

        self.theirs, self.ours = bound(SCIPY), bound(OURS)

    def track_ratio(self, call):
        """Time of ours in units of SciPy's."""
        theirs, mine = seconds([self.theirs, self.ours])
        return mine / theirs

    track_ratio.unit = "× SciPy"

    def track_microseconds(self, call):
        """Time of ours less SciPy's."""
        theirs, mine = seconds([self.theirs, self.ours])
        return (mine - theirs) * 1e6

    track_microseconds.unit = "µs more than SciPy"
