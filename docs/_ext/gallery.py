"""How sphinx-gallery runs the examples, and in which order it shows them."""

from pathlib import Path

ORDER = (
    # iterative methods
    "jacobi_weights",
    "sparse_approximate_inverse",
    "heavy_ball",
    "schwarz",
    "multigrid_relaxation",
    # applications
    "photonics",
    "topology_optimization",
    "conductivity",
    "graph_laplacian",
    "drum",
    "quantum_control",
)


class Order:
    """The sorting key of a file: its place in `ORDER`; files that are not listed come last."""

    def __init__(self, folder):
        pass

    def __call__(self, file):
        stem = file.removesuffix(".py")
        return (ORDER.index(stem) if stem in ORDER else len(ORDER), stem)


def arguments(_configuration, variables):
    """The command line of an example: the gallery collects the figures (see `examples/_study.py`).

    sphinx-gallery does not set `__file__`, which the examples hand on to learn their own name.
    """
    variables["example_globals"]["__file__"] = str(Path(variables["src_file"]).resolve())
    return ["--gallery"]
