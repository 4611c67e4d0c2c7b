"""What the examples share: the command line, progress that survives an interruption, pictures.

    python examples/NAME.py [--full] [--fresh] [--pictures DIR]

Each example runs in seconds at its small size and in minutes with `--full`. At full size its
training shows a bar, keeps its state in `examples/runs` and goes on from there when it is started
again; `--fresh` begins anew.
"""

import argparse
import os
import pickle
import time
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from tqdm import tqdm

RUNS = Path(__file__).resolve().parent / "runs"


class Study:
    """One run of an example: its size, its trainings, its pictures.

    Parameters
    ----------
    file : str
        The example's ``__file__``.
    arguments : list of str, optional
        Instead of the command line's.
    """

    def __init__(self, file, arguments=None):
        self.name = Path(file).stem
        parser = argparse.ArgumentParser(prog=f"{self.name}.py", description=f"See {self.name}.py.")
        parser.add_argument("--full", action="store_true", help="full size: minutes")
        parser.add_argument("--fresh", action="store_true", help="forget an interrupted run")
        parser.add_argument("--pictures", type=Path, metavar="DIR", help="write pictures there")
        parser.add_argument("--gallery", action="store_true", help=argparse.SUPPRESS)
        options = parser.parse_args(arguments)
        self.full = options.full
        self._fresh = options.fresh
        self._gallery = options.gallery  # the documentation takes the figures itself
        self._pictures = options.pictures
        self._shown = 0

    def size(self, small, full):
        """`full` when the command line says ``--full``, else `small`."""
        return full if self.full else small

    def training(self, steps, name="training", **state):
        """A loop of `steps` steps over `state`; see `Training`."""
        file = RUNS / f"{self.name}-{name}.pickle" if self.full else None
        if file and self._fresh:
            file.unlink(missing_ok=True)
        return Training(steps, file, f"{self.name}, {name}", silent=self._gallery, **state)

    def minimize(self, value_and_gradient, x, steps, name="training", method="L-BFGS-B", **options):
        """`scipy.optimize.minimize` with a bar and a state: the minimiser found, all values seen.

        Parameters
        ----------
        value_and_gradient : callable
            From an array as `x` to the value and the gradient.
        x : (n,) ndarray
            Where to start.
        steps : int
            Iterations; those of an interrupted run count.
        **options
            Further arguments of `scipy.optimize.minimize`.

        Returns
        -------
        x : (n,) ndarray
        losses : list of float
            After each iteration, the first one before any.
        """
        training = self.training(steps, name, x=x, losses=[float(value_and_gradient(x)[0])])
        bar = iter(training)
        if next(bar, None) is None:
            return training.x, training.losses

        def after_iteration(intermediate_result):
            training.x = intermediate_result.x.copy()
            training.losses.append(float(intermediate_result.fun))
            next(bar, None)

        minimize(
            value_and_gradient, training.x, jac=True, method=method, callback=after_iteration,
            options={"maxiter": steps - training.step}, **options,
        )  # fmt: skip
        bar.close()  # fewer steps than allowed may have been enough
        training.save()
        return training.x, training.losses

    def show(self):
        """Write the open figures to files, unless the documentation's build collects them."""
        if self._gallery:
            return
        import matplotlib.pyplot as plt

        folder = self._pictures or Path("pictures")
        folder.mkdir(parents=True, exist_ok=True)
        for number in plt.get_fignums():
            self._shown += 1
            file = folder / (f"{self.name}{'' if self._shown == 1 else f'_{self._shown}'}.png")
            plt.figure(number).savefig(file, dpi=120)
            print(f"picture: {file}")
        plt.close("all")


class Training:
    """A loop that shows its progress and can be stopped and taken up again.

    The state is a set of named values, which are attributes: read them, assign to them.
    ::

        training = study.training(500, theta=theta, adam=Adam(0.01), losses=[])
        for step in training:
            loss, gradient = value_and_gradient(training.theta)
            training.theta = training.adam(training.theta, gradient)
            training.losses.append(loss)

    With a file, the state is written there at ends of steps, two seconds or more apart, and read
    when a loop with the same names starts; `step` then counts on. A loop stopped in the middle of a
    step goes on from the last state written, which is always that of a whole step.
    """

    SECONDS = 2.0  # between two writings of the state

    def __init__(self, steps, file, title, silent=False, **state):
        self.steps, self.step = steps, 0
        self._file, self._title, self._silent = file, title, silent
        self._names = list(state)
        for name, value in state.items():
            setattr(self, name, value)
        if file and file.exists():
            saved = pickle.loads(file.read_bytes())
            if sorted(saved["state"]) == sorted(self._names):
                self.step = saved["step"]
                for name, value in saved["state"].items():
                    setattr(self, name, value)
                print(f"{title}: goes on after step {self.step} ({file})")

    def save(self):
        """Write the state; the file is never half written."""
        if not self._file:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        state = {name: getattr(self, name) for name in self._names}
        part = self._file.with_suffix(".part")
        part.write_bytes(pickle.dumps({"step": self.step, "state": state}))
        os.replace(part, self._file)

    def __iter__(self):
        bar = tqdm(
            total=self.steps, initial=self.step, desc=self._title, mininterval=1.0,
            disable=self._silent,
        )  # fmt: skip
        saved = time.monotonic()
        try:
            while self.step < self.steps:
                yield self.step
                self.step += 1
                bar.update()
                if time.monotonic() - saved >= self.SECONDS or self.step == self.steps:
                    self.save()
                    saved = time.monotonic()
        finally:
            bar.close()


class Adam:
    """Adam (Kingma and Ba, 2015) on one array of parameters."""

    def __init__(self, learning_rate, beta1=0.9, beta2=0.999, eps=1e-8):
        self.learning_rate = learning_rate
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.t, self.m, self.v = 0, 0.0, 0.0

    def __call__(self, x, gradient):
        """The next parameters."""
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1 - self.beta2) * gradient**2
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        return x - self.learning_rate * m / (np.sqrt(v) + self.eps)
