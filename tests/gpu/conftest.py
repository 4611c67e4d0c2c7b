"""These tests run on a GPU where there is one, else on a stand-in that checks the logic."""

import contextlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def _real():
    try:
        import cupy

        return cupy if cupy.cuda.runtime.getDeviceCount() else None
    except Exception:  # whatever CuPy says where there is no driver
        return None


CUPY = _real()
IS_REAL = CUPY is not None
if not IS_REAL:
    for _name in [n for n in sys.modules if n.partition(".")[0] in ("cupy", "cupyx")]:
        del sys.modules[_name]
    import standin

    CUPY = standin.install()


def pytest_report_header(config):
    return f"GPU tests: {'CuPy ' + CUPY.__version__ if IS_REAL else 'stand-in for CuPy, no GPU'}"


@pytest.fixture(scope="session")
def cp():
    """CuPy, or its stand-in."""
    return CUPY


@pytest.fixture
def transfers():
    """The copies that the stand-in counts, from now on."""
    if IS_REAL:
        pytest.skip("the stand-in counts copies; on a GPU test_transfers forbids them instead")
    import standin

    standin.transfers.clear()
    return standin.transfers


@pytest.fixture
def only_few(transfers):
    """A context in which no array goes to the device, and only a few numbers to the host."""
    import standin

    @contextlib.contextmanager
    def only_few(to_device=0):
        transfers.clear()
        standin.elements.clear()
        yield
        assert standin.elements["largest"] <= FEW, standin.elements
        assert transfers["to device"] <= to_device

    return only_few


FEW = 24
"""Elements that a single copy to the host may then have: samples of index arrays, and numbers."""


def pytest_collection_modifyitems(items):
    """All of them are marked `gpu`: ``pytest -m gpu`` runs them alone."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.gpu)
